from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_page
from django.views.generic import DetailView, ListView

from .models import Product


@method_decorator(cache_page(60), name="dispatch")
class ProductList(ListView):
    model = Product
    paginate_by = 20


class ProductDetail(DetailView):
    model = Product
