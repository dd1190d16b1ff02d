"""The live pages: asynchronous where they wait, synchronous where they do not."""

from __future__ import annotations

from channels.layers import InMemoryChannelLayer, get_channel_layer
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from myproject.live.answer import answer_to
from myproject.live.chat import NAME_LENGTH, TEXT_LENGTH, NameForm, name_guest, visitor_name
from myproject.live.clock import tick, ticks
from myproject.pages.models import Page


@require_GET
@never_cache
async def home(request: HttpRequest) -> HttpResponse:
    """The front page: who answered this very request, then asked again and again."""
    pages = [page async for page in Page.objects.only("slug", "title")]
    return render(request, "live/home.html", {"answer": answer_to(request), "pages": pages})


@require_GET
@never_cache
async def status(request: HttpRequest) -> JsonResponse:
    """Who answered this request, for the front page's script."""
    return JsonResponse(answer_to(request))


@require_GET
def clock(request: HttpRequest) -> HttpResponse:
    """The page around the clock."""
    return render(request, "live/clock.html", {"streams": isinstance(request, ASGIRequest)})


@require_GET
async def clock_events(request: HttpRequest) -> HttpResponse:
    """The clock's event stream.

    WSGI has no way to wait without holding a worker, nor to send an asynchronous iterator
    piece by piece: there each request gets one tick, and the browser asks again by itself.
    """
    if isinstance(request, ASGIRequest):
        response = StreamingHttpResponse(ticks(), content_type="text/event-stream")
    else:
        response = HttpResponse(f"retry: 1000\n{tick()}", content_type="text/event-stream")
    response["Cache-Control"] = "no-cache"
    response["X-Accel-Buffering"] = "no"  # nginx would hold back what is small
    return response


@require_http_methods(["GET", "POST"])
@never_cache
def chat(request: HttpRequest) -> HttpResponse:
    """The chat's page, where a guest also chooses a name, which the session keeps."""
    form = NameForm(request.POST or None)
    if form.is_valid():
        name_guest(request.session, form.cleaned_data["name"])
        return redirect("live:chat")
    name_guest(request.session)
    context = {
        "form": form,
        "name": visitor_name(request.user, request.session),
        "name_length": NAME_LENGTH,
        "text_length": TEXT_LENGTH,
        "websocket": isinstance(request, ASGIRequest),
        "one_process": isinstance(get_channel_layer(), InMemoryChannelLayer),
    }
    return render(request, "live/chat.html", context)
