import asyncio
import time

import httpx
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.contrib.auth.decorators import login_required
from django.http import JsonResponse, StreamingHttpResponse
from django.shortcuts import aget_object_or_404, render
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie

from .models import Message


@login_required
def index(request):
    rooms = Message.objects.values_list("room", flat=True).distinct()
    return render(request, "chat/index.html", {"rooms": rooms})


@ensure_csrf_cookie
@never_cache
async def room(request, room):
    user = await request.auser()
    if not user.is_authenticated:
        return JsonResponse({"error": "login"}, status=403)
    messages = [each.text async for each in Message.objects.filter(room=room)[:20]]
    return await sync_to_async(render)(request, "chat/room.html", {"messages": messages})


async def ticks(room):
    last = 0
    while True:
        async for message in Message.objects.filter(room=room, pk__gt=last).order_by("pk"):
            last = message.pk
            yield f"id: {message.pk}\ndata: {message.text}\n\n"
        await asyncio.sleep(1)


async def events(request, room):
    response = StreamingHttpResponse(ticks(room), content_type="text/event-stream")
    response["Cache-Control"] = "no-cache"
    response["X-Accel-Buffering"] = "no"
    return response


def _slow_sum(values):
    time.sleep(0.01)
    return sum(values)


class Post(View):
    @method_decorator(never_cache)
    async def post(self, request, room):
        message = await aget_object_or_404(Message, room=room)
        async with httpx.AsyncClient(timeout=5) as client:
            answer, total = await asyncio.gather(
                client.get("https://moderation.invalid/"),
                asyncio.to_thread(_slow_sum, [1, 2]),
            )
        await get_channel_layer().group_send(
            f"chat_{room}", {"type": "chat.message", "text": message.text}
        )
        return JsonResponse({"status": answer.status_code, "total": total})
