from django.http import HttpResponse
from package_that_is_not_installed import thing


def index(request):
    return HttpResponse(thing)
