import asyncio
import os
import sys
import time

from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import render

GREETING = "hello"


def index(request):
    return HttpResponse(GREETING)


def page(request):
    return render(request, "page.html")


def late(request):
    """Uses a template that may not be there when the server starts."""
    return render(request, "late.html")


def slow(request):
    time.sleep(1.5)
    return HttpResponse("slow but done")


def process(request):
    """What the process that answers is made of."""
    loaded = sorted(name for name in sys.modules if name.startswith("deploytool"))
    return JsonResponse(
        {
            "pid": os.getpid(),
            "parent": os.getppid(),
            "cwd": os.getcwd(),
            "deploytool": loaded,
            "interface": type(request).__name__,
            "settings": os.environ["DJANGO_SETTINGS_MODULE"],
        }
    )


async def events(request):
    async def stream():
        for number in range(600):
            yield f"data: {number}\n\n"
            await asyncio.sleep(0.3)

    return StreamingHttpResponse(stream(), content_type="text/event-stream")


def lines(request):
    """Streams under WSGI, for ever as far as a test is concerned."""

    def stream():
        for number in range(600):
            yield f"data: {number}\n\n"
            time.sleep(0.3)

    return StreamingHttpResponse(stream(), content_type="text/event-stream")
