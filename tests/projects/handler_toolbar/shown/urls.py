from asgiref.sync import sync_to_async
from debug_toolbar.toolbar import debug_toolbar_urls
from django.db import connection
from django.http import HttpResponse, JsonResponse
from django.urls import path

PAGE = "<html><head><title>%s</title></head><body><p>%s</p></body></html>"


def query(number):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 4200 + %s", [number])
        return cursor.fetchone()[0]


def sync(request):
    return HttpResponse(PAGE % ("sync", [query(1), query(2)]))


async def asynchronous(request):
    return HttpResponse(PAGE % ("async", [await sync_to_async(query)(n) for n in (3, 4, 5)]))


def none(request):
    return HttpResponse(PAGE % ("none", "no query"))


async def data(request):
    return JsonResponse({"number": await sync_to_async(query)(6)})


urlpatterns = [
    path("up/", lambda request: HttpResponse("here", content_type="text/plain")),
    path("sync/", sync),
    path("async/", asynchronous),
    path("none/", none),
    path("data/", data),
    *debug_toolbar_urls(),
]
