import asyncio
import logging

from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

logger = logging.getLogger("watched")


def query(number):
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s", [number])
        return cursor.fetchone()[0]


def sync_ok(request):
    return HttpResponse(f"sync {query(1)}")


async def async_ok(request):
    return HttpResponse(f"async {await sync_to_async(query)(2)}")


async def async_pure(request):
    await asyncio.sleep(0)
    return HttpResponse("pure")


@csrf_exempt
def sync_error(request):
    logger.warning("about to fail in %s", request.path)
    raise RuntimeError("sync view")


async def async_error(request):
    logger.warning("about to fail in %s", request.path)
    await asyncio.sleep(0.01)
    raise RuntimeError("async view")


def in_thread():
    logger.warning("about to fail in the thread")
    raise RuntimeError("in the thread")


async def nested_error(request):
    await sync_to_async(in_thread)()


def user_error(request):
    request.user = User(pk=7, username="ada", email="ada@example.org")
    raise RuntimeError("of a user")


def rendered_error(request):
    return TemplateResponse(request, "failing.txt")


def rendered(request):
    return TemplateResponse(request, "rendered.txt", {"what": "by a template"})


async def stream(request):
    async def parts():
        for number in range(3):
            yield f"{await sync_to_async(query)(number)} "

    return StreamingHttpResponse(parts())


def item(request, number):
    return HttpResponse(f"item {number}")


def fine(request):
    return HttpResponse("fine")


urlpatterns = [
    path("up/", fine),
    path("sync/", sync_ok),
    path("async/", async_ok),
    path("pure/", async_pure),
    path("sync/error/", sync_error),
    path("async/error/", async_error),
    path("nested/error/", nested_error),
    path("user/error/", user_error),
    path("rendered/error/", rendered_error),
    path("rendered/", rendered),
    path("stream/", stream),
    path("items/<int:number>/", item),
    path("hook/request/", fine),
    path("hook/view/", fine),
    path("hook/response/", fine),
]
