"""What the rules about streams claim of Django, shown to happen with its own handlers."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support import environment

SITE = """
import asyncio
import contextlib
import itertools
import json
import os
import sys
import tempfile
import threading
import time
import warnings
import zlib

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import FileResponse, StreamingHttpResponse
from django.urls import path

warnings.simplefilter("ignore")
settings.configure(
    SECRET_KEY="x" * 50,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=json.loads(os.environ.get("SITE_MIDDLEWARE", "[]")),
    INSTALLED_APPS=["django.contrib.contenttypes"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.path.join(tempfile.mkdtemp(), "db"),
            "ATOMIC_REQUESTS": True,
        }
    },
    LOGGING_CONFIG=None,
)
django.setup()
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection, transaction

call_command("migrate", verbosity=0)
SAID = []
STEP = 0.25
LARGE = os.path.join(tempfile.mkdtemp(), "large")


def rows():
    for number in range(3):
        SAID.append(("made", number, time.monotonic()))
        yield b"data: %d\\n\\n" % number
        time.sleep(STEP)


async def arows():
    for number in range(3):
        yield b"data: %d\\n\\n" % number
        await asyncio.sleep(STEP)


def endless():
    for number in itertools.count():
        SAID.append(number)
        yield b"data: x\\n\\n"
        time.sleep(0.01)


async def aendless():
    while True:
        yield b"data: x\\n\\n"
        await asyncio.sleep(0.01)


def swallowing(caught):
    async def body():
        for number in range(40):
            try:
                yield b"data: x\\n\\n"
                await asyncio.sleep(0.05)
            except caught as error:
                SAID.append(type(error).__name__)
            SAID.append(number)

    return body


async def finishing():
    try:
        for number in range(40):
            SAID.append(number)
            yield b"data: x\\n\\n"
            await asyncio.sleep(0.05)
    finally:
        SAID.append("finally")


async def querying():
    yield b"first"
    ContentType.objects.count()


def writing():
    yield b"first"
    SAID.append(connection.in_atomic_block)


def stream(body):
    def view(request):
        return StreamingHttpResponse(body(), content_type="text/event-stream")

    return transaction.non_atomic_requests(view)


def atomic(request):
    SAID.append(connection.in_atomic_block)
    return StreamingHttpResponse(writing())


def download(request):
    return FileResponse(open(LARGE, "rb"))


urlpatterns = [
    path("sync", stream(rows)),
    path("async", stream(arows)),
    path("endless", stream(endless)),
    path("aendless", stream(aendless)),
    path("base", stream(swallowing(BaseException))),
    path("cancelled", stream(swallowing(asyncio.CancelledError))),
    path("exception", stream(swallowing(Exception))),
    path("finally", stream(finishing)),
    path("querying", stream(querying)),
    path("atomic", atomic),
    path("download", download),
]


async def get(path, until=None, leave=None, headers=()):
    \"\"\"The times and the bodies of what is sent; the client leaves after ``leave`` seconds.\"\"\"
    started, sent, asked = time.monotonic(), [], []

    async def receive():
        if not asked:
            asked.append(True)
            return {"type": "http.request", "body": b"", "more_body": False}
        await asyncio.sleep(leave if leave is not None else 3600)
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append((time.monotonic() - started, message))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": "/" + path,
        "raw_path": b"/" + path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [(b"host", b"example.org"), *headers],
        "server": ("example.org", 80),
    }
    error = None
    try:
        await asyncio.wait_for(ASGIHandler()(scope, receive, send), until)
    except asyncio.TimeoutError:
        error = "timeout"
    except Exception as raised:
        error = type(raised).__name__
    return sent, error


def wsgi(path):
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/" + path, "SERVER_NAME": "example.org",
        "SERVER_PORT": "80", "wsgi.input": sys.stdin.buffer, "wsgi.url_scheme": "http",
    }
    started = time.monotonic()
    return started, WSGIHandler()(environ, lambda status, headers: None)


def gaps(sent):
    return [at for at, message in sent if message.get("body")]


answer = {}
"""


def run(script: str, **env: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", SITE + script + "\nprint('@@' + json.dumps(answer), flush=True)\nos._exit(0)"],
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "@@" in done.stdout or not done.returncode, done.stderr
    answered: dict = json.loads(done.stdout.rpartition("@@")[2])
    return answered
