import csv

from django.contrib.auth.models import User
from django.http import FileResponse, Http404, StreamingHttpResponse
from django.utils._os import safe_join
from django.views.generic import TemplateView

from portal.settings import BASE_DIR


class Home(TemplateView):
    template_name = "home.html"


class Echo:
    def write(self, value):
        return value


def report(request):
    writer = csv.writer(Echo())
    rows = (writer.writerow([user.pk, user.username]) for user in User.objects.iterator())
    return StreamingHttpResponse(rows, content_type="text/csv")


def download(request, name):
    try:
        return FileResponse(open(safe_join(BASE_DIR / "files", name), "rb"))
    except OSError:
        raise Http404 from None
