"""Drives Django's own handlers through one middleware after the other, and says what came of it.

Run as ``python -m tests.checks.driving INTERFACE``, with a JSON list of cases on the standard
input; the answers are a JSON list. A process of its own, as coroutines that nobody awaits are
among what is shown.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
import warnings
from typing import Any

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path

from tests.checks.project import MIDDLEWARE


def home(request):
    return HttpResponse("home")


async def ahome(request):
    return HttpResponse("home")


def report(request):
    return StreamingHttpResponse(iter([b"a,", b"b"]), content_type="text/csv")


async def events(request):
    async def body():
        yield b"data: 1\n\n"

    return StreamingHttpResponse(body(), content_type="text/event-stream")


def file(request):
    return FileResponse(io.BytesIO(b"file"), filename="file.txt")


def long(request):
    return HttpResponse("long enough to compress " * 20)


def fails(request):
    raise ValueError("fails")


urlpatterns = [
    path("", home),
    path("async/", ahome),
    path("report/", report),
    path("events/", events),
    path("file/", file),
    path("long/", long),
    path("fails/", fails),
]


def ask(interface: str, middleware: list[str], target: str, headers: dict[str, str]) -> Any:
    """The status, body and headers of a response, or the type of what the handler raised.

    The body is decoded as latin-1, the names of the headers are in lower case.
    """
    with override_settings(MIDDLEWARE=middleware):
        try:
            if interface == "asgi":
                return asyncio.run(_ask_asgi(target, headers))
            return _ask_wsgi(target, headers)
        except Exception as error:
            return f"{type(error).__name__}: {error}"


async def _ask_asgi(target: str, headers: dict[str, str]) -> Any:
    handler = ASGIHandler()
    sent: list[dict[str, Any]] = []
    asked = False

    async def receive():
        nonlocal asked
        if asked:
            await asyncio.sleep(20)  # the client stays
        asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": target,
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "server": ("testserver", 80),
        "asgi": {"version": "3.0"},
    }
    scope["headers"].append((b"host", b"testserver"))
    await asyncio.wait_for(handler(scope, receive, send), 10)
    body = b"".join(each.get("body", b"") for each in sent)
    named = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], body.decode("latin-1"), named


def _ask_wsgi(target: str, headers: dict[str, str]) -> Any:
    handler = WSGIHandler()
    started: list[Any] = []
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": target,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "wsgi.input": io.BytesIO(),
        "wsgi.url_scheme": "http",
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
    }
    response = handler(environ, lambda *status: started.extend(status))
    body = b"".join(response)
    response.close()
    named = {name.lower(): value for name, value in started[1]}
    return int(started[0].split()[0]), body.decode("latin-1"), named


def main() -> None:
    """Answer every case: its ``middleware``, ``path`` and ``headers``."""
    warnings.simplefilter("ignore")
    settings.configure(
        ALLOWED_HOSTS=["*"],
        CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
        LOGGING_CONFIG=None,
        MIDDLEWARE=MIDDLEWARE,
        ROOT_URLCONF="tests.checks.driving",
        SECRET_KEY="for-tests-only",
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    )
    django.setup()
    interface = sys.argv[1]
    answers = [
        ask(interface, case["middleware"], case.get("path", "/"), case.get("headers", {}))
        for case in json.load(sys.stdin)
    ]
    json.dump(answers, sys.stdout)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
