import asyncio

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.contrib.auth import alogin, login
from django.contrib.auth.models import User
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

CANCELLED = []


def log_in(request):
    login(request, User.objects.get(username="ada"))
    return HttpResponse("in")


async def alog_in(request):
    await alogin(request, await User.objects.aget(username="ada"))
    return HttpResponse("in")


def sync(request):
    return HttpResponse(f"sync {request.user.get_username()} {User.objects.count()}")


async def asynchronous(request):
    user = await request.auser()
    return HttpResponse(f"async {user.get_username()} {await User.objects.acount()}")


def tell(request):
    layer = get_channel_layer()
    async_to_sync(layer.group_send)("all", {"type": "told", "text": "by a sync view"})
    return HttpResponse("told")


async def atell(request):
    await get_channel_layer().group_send("all", {"type": "told", "text": "by an async view"})
    return HttpResponse("told")


@csrf_exempt
def body(request):
    return HttpResponse(f"{len(request.body)} {sorted(request.FILES)}")


async def stream(request):
    async def parts():
        for number in range(3):
            yield f"{number}:{await User.objects.acount()} "
            await asyncio.sleep(0.01)

    return StreamingHttpResponse(parts())


async def slow(request):
    try:
        await asyncio.sleep(20)
    except asyncio.CancelledError:
        CANCELLED.append(request.path)
        raise
    return HttpResponse("slow")


async def cancelled(request):
    return JsonResponse(CANCELLED, safe=False)


def state(request):
    return JsonResponse(request.scope.get("state", {}))


def error(request):
    raise RuntimeError("a view")


urlpatterns = [
    path("up/", lambda request: HttpResponse("here")),
    path("log-in/", log_in),
    path("alog-in/", alog_in),
    path("sync/", sync),
    path("async/", asynchronous),
    path("tell/", tell),
    path("atell/", atell),
    path("body/", body),
    path("stream/", stream),
    path("slow/", slow),
    path("cancelled/", cancelled),
    path("state/", state),
    path("error/", error),
]
