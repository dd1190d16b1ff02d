"""Who answered a request: interface, server, worker, versions."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import threading
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, TypedDict

import django
from django.core.handlers.asgi import ASGIRequest

if TYPE_CHECKING:
    from django.http import HttpRequest

# The module that a server has loaded in each process that answers requests. ASGI, unlike
# WSGI, has no place where a server says its name, so the process has to tell.
_SERVING = {
    "gunicorn": "gunicorn.arbiter",
    "uvicorn": "uvicorn.server",
    "daphne": "daphne.server",
}


class Answer(TypedDict):
    """What is known of the answer to one request, for a person to read.

    ``process`` is the worker's process id; ``loop`` is None where no event loop runs.
    """

    interface: str
    server: str
    protocol: str
    process: int
    thread: str
    loop: str | None
    django: str
    python: str


def answer_to(request: HttpRequest) -> Answer:
    """Who is answering ``request``: to be called where the view itself runs."""
    asgi = isinstance(request, ASGIRequest)
    if asgi:
        protocol = f"HTTP/{request.scope.get('http_version', '?')}"
    else:
        protocol = request.META.get("SERVER_PROTOCOL", "?")
    return {
        "interface": "ASGI" if asgi else "WSGI",
        "server": _server(request),
        "protocol": protocol,
        "process": os.getpid(),
        "thread": threading.current_thread().name,
        "loop": _loop(asgi=asgi),
        "django": django.get_version(),
        "python": platform.python_version(),
    }


def _server(request: HttpRequest) -> str:
    """The server's name and version: ``gunicorn 27.0.1``."""
    if not isinstance(request, ASGIRequest) and (said := request.META.get("SERVER_SOFTWARE")):
        # "gunicorn/27.0.1", "WSGIServer/0.2 CPython/3.13.0", or a bare name
        name, _, number = said.split()[0].partition("/")
        return f"{name} {number}" if number else _with_version(name)
    loaded = [name for name, module in _SERVING.items() if module in sys.modules]
    # Two where one runs as the worker of the other, the outer one first.
    return " with ".join(map(_with_version, loaded)) or "unknown"


@cache
def _with_version(name: str) -> str:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return name


def _loop(*, asgi: bool) -> str | None:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return None
    name = type(loop).__module__.partition(".")[0]
    return name if asgi else f"{name}, made for this request"
