import csv
import io

from django.contrib.auth.models import User
from django.http import HttpResponse
from django.views.decorators.cache import cache_control


@cache_control(max_age=60)
def home(request):
    return HttpResponse("home")


def export(request):
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerows(User.objects.values_list("username", "email"))
    return HttpResponse(buffer.getvalue(), content_type="text/csv")
