"""The pages of the database: ordinary, synchronous views."""

from django.views.generic import DetailView, ListView

from myproject.pages.models import Page


class PageList(ListView):
    model = Page
    template_name = "pages/list.html"


class PageView(DetailView):
    model = Page
    template_name = "pages/page.html"
