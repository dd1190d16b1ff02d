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


async def get(path, until=None, leave=None, headers=(), keep=True):
    \"\"\"The times and the bodies of what is sent; the client leaves after ``leave`` seconds.\"\"\"
    started, sent, asked = time.monotonic(), [], []

    async def receive():
        if not asked:
            asked.append(True)
            return {"type": "http.request", "body": b"", "more_body": False}
        await asyncio.sleep(leave if leave is not None else 3600)
        return {"type": "http.disconnect"}

    async def send(message):
        if keep:
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
        [
            sys.executable,
            "-c",
            SITE + script + "\nprint('@@' + json.dumps(answer), flush=True)\nos._exit(0)",
        ],
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


@pytest.fixture(scope="module")
def answer():
    return run(
        """
import tracemalloc

sent, _ = asyncio.run(get("sync"))
answer["asgi sync"] = gaps(sent)
sent, _ = asyncio.run(get("async"))
answer["asgi async"] = gaps(sent)
started, response = wsgi("sync")
answer["wsgi sync"] = [time.monotonic() - started for _ in response]
started, response = wsgi("async")
answer["wsgi async"] = [time.monotonic() - started for _ in response]
for name in ("base", "cancelled", "exception", "finally"):
    SAID.clear()
    asyncio.run(get(name, leave=0.2))
    answer[name] = list(map(str, SAID))
sent, error = asyncio.run(get("querying"))
answer["querying"] = [[m.get("status") or m["body"].decode() for _, m in sent], error]
SAID.clear()
asyncio.run(get("atomic"))
b"".join(wsgi("atomic")[1])
answer["atomic"] = SAID[:]

with open(LARGE, "wb") as file:
    file.write(b"x" * 20_000_000)
tracemalloc.start()
for _ in wsgi("download")[1]:
    pass
answer["wsgi download"] = tracemalloc.get_traced_memory()[1]
tracemalloc.reset_peak()
asyncio.run(get("download", keep=False))
answer["asgi download"] = tracemalloc.get_traced_memory()[1]
tracemalloc.stop()

SAID.clear()
threading.Thread(target=lambda: asyncio.run(get("endless", leave=0.1)), daemon=True).start()
time.sleep(0.6)
before = len(SAID)
time.sleep(0.3)
answer["endless"] = [before, len(SAID)]
"""
    )


def test_an_iterator_of_the_other_colour_is_sent_after_its_end(answer):
    whole = 3 * 0.25
    assert min(answer["asgi sync"]) >= whole - 0.05
    assert min(answer["wsgi async"]) >= whole - 0.05


def test_an_iterator_of_the_same_colour_is_sent_as_it_comes(answer):
    assert answer["asgi async"][0] < 0.25
    assert answer["wsgi sync"][0] < 0.25


def test_an_endless_one_is_read_on_after_the_client_has_left(answer):
    before, after = answer["endless"]
    assert after > before > 0


def test_a_swallowed_cancellation_lets_the_stream_go_on(answer):
    for name in ("base", "cancelled"):
        assert "CancelledError" in answer[name]
        assert answer[name][-1] == "39"


def test_exception_and_finally_swallow_nothing(answer):
    assert "39" not in answer["exception"]
    assert answer["finally"][-1] == "finally"
    assert "39" not in answer["finally"]


def test_a_query_in_an_async_body_fails_after_the_status_has_gone_out(answer):
    assert answer["querying"] == [[200, "first"], "SynchronousOnlyOperation"]


def test_the_body_is_not_in_the_transaction_of_the_request(answer):
    assert answer["atomic"] == [True, False, True, False]


def test_a_file_is_read_whole_under_asgi_alone(answer):
    assert answer["asgi download"] > 20_000_000
    assert answer["wsgi download"] < 2_000_000


GZIP = """
sent, _ = asyncio.run(get(NAME, headers=[(b"accept-encoding", b"gzip")]))
bodies = [message["body"] for _, message in sent if message.get("body")]
headers = dict(sent[0][1]["headers"])
encoding = headers.get(b"Content-Encoding", headers.get(b"content-encoding", b""))
decoder = zlib.decompressobj(31) if encoding == b"gzip" else None
answer["encoding"] = encoding.decode()
answer["parts"] = [decoder.decompress(part).decode() for part in bodies] if decoder else []
answer["unread"] = len(decoder.unused_data) if decoder else 0
answer["django"] = django.VERSION[:2]
"""


@pytest.mark.parametrize("name", ["sync", "async"])
def test_gzip_flushes_after_each_part_from_django_6_1_on(name):
    middleware = json.dumps(["django.middleware.gzip.GZipMiddleware"])
    found = run(GZIP.replace("NAME", repr(name)), SITE_MIDDLEWARE=middleware)
    assert found["encoding"] == "gzip"
    whole = [part for part in found["parts"] if part]
    if tuple(found["django"]) >= (6, 1):
        assert len(whole) == 3
        assert found["unread"] == 0
    else:
        # All in the last part, or more members than a decoder reads.
        assert len(whole) == 1


def test_conditional_get_and_the_cache_leave_a_stream_alone():
    paths = ("http.ConditionalGetMiddleware", "cache.UpdateCacheMiddleware")
    middleware = json.dumps([f"django.middleware.{path}" for path in paths])
    found = run(
        """
sent, error = asyncio.run(get("async"))
answer["sent"], answer["error"] = gaps(sent), error
""",
        SITE_MIDDLEWARE=middleware,
    )
    assert found["error"] is None
    assert len(found["sent"]) == 3
    assert found["sent"][0] < 0.25
