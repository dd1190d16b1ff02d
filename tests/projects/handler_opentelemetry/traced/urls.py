import asyncio

from asgiref.sync import sync_to_async
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path
from opentelemetry import trace

tracer = trace.get_tracer("traced")


def step(name):
    with tracer.start_as_current_span(name):
        return name


def sync_ok(request):
    return HttpResponse(step("in the sync view"))


async def async_ok(request):
    with tracer.start_as_current_span("in the async view"):
        await asyncio.sleep(0.01)
        return HttpResponse(await sync_to_async(step)("in its thread"))


async def async_pure(request):
    return HttpResponse(step("in the view that waits for nothing"))


def sync_error(request):
    raise RuntimeError("sync view")


async def async_error(request):
    await asyncio.sleep(0.01)
    raise RuntimeError("async view")


async def stream(request):
    async def parts():
        for number in range(3):
            yield await sync_to_async(step)(f"part {number} ")

    return StreamingHttpResponse(parts())


async def item(request, number):
    return HttpResponse(f"item {number}")


async def waiting(request):
    await asyncio.sleep(0.5)
    return HttpResponse("waited")


def fine(request):
    return HttpResponse("fine")


urlpatterns = [
    path("up/", fine),
    path("sync/", sync_ok),
    path("async/", async_ok),
    path("pure/", async_pure),
    path("sync/error/", sync_error),
    path("async/error/", async_error),
    path("stream/", stream),
    path("items/<int:number>/", item),
    path("waiting/", waiting),
    path("hook/request/", fine),
    path("hook/view/", fine),
    path("hook/response/", fine),
]
