"""What the checks of the entry points say of Django and of the servers, seen to happen."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.checks.project import make_project
from tests.checks.test_entrypoints import ASGI, CONSUMERS, LIFESPAN, MODELS, WSGI
from tests.support import environment, free_port, manage, run_python

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STREAMING = {
    "app/views.py": """
        import asyncio

        from django.http import HttpResponse, StreamingHttpResponse


        def home(request):
            return HttpResponse("home")


        async def ticks(request):
            async def each():
                for _ in range(4):
                    yield b"tick"
                    await asyncio.sleep(0.2)

            return StreamingHttpResponse(each())
        """,
    "site1/urls.py": """
        from app import views
        from django.urls import path

        urlpatterns = [path("", views.home), path("ticks/", views.ticks)]
        """,
}
OPEN = "SECURE_SSL_REDIRECT = False\nALLOWED_HOSTS = ['*']\n"


def run(project: Path, *words: str, **env: str | None) -> subprocess.CompletedProcess[str]:
    """Run Python with ``words`` in the project's directory, with its settings."""
    env.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")
    return run_python(*words, cwd=project, **env)


@contextmanager
def started(project: Path, *words: str, **env: str | None) -> Iterator[tuple[str, Any]]:
    """A server that is given ``words`` and the port in place of PORT: its URL and log."""
    port = free_port()
    log = project / f"{port}.log"
    env.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *(word.replace("PORT", str(port)) for word in words)],
            cwd=project,
            env=environment(**env),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            try:
                status(f"http://127.0.0.1:{port}/")
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}", log
    finally:
        process.terminate()
        process.wait(30)


def status(url: str) -> int:
    """The status of a GET."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            response.read()
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


# Every kind of application that a server starts with, each under a path of its own.
KINDS = """
from asgiref.wsgi import WsgiToAsgi
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.urls import path

plain = get_asgi_application()
wsgi = get_wsgi_application()

from app.consumers import Chat, Poll
from sentry_sdk.integrations.asgi import SentryAsgiMiddleware
from whitenoise import WhiteNoise

routes = URLRouter([path("ws/class/", Chat), path("ws/made/", Chat.as_asgi())])
APPS = {
    "plain": plain,
    "wsgi": wsgi,
    "whitenoise": WhiteNoise(plain),
    "sentry": SentryAsgiMiddleware(wsgi),
    "router": ProtocolTypeRouter({"http": wsgi}),
    "sockets": ProtocolTypeRouter({"websocket": routes}),
    "unmade": ProtocolTypeRouter({"http": get_asgi_application}),
    "validated": AllowedHostsOriginValidator(ProtocolTypeRouter({"http": plain})),
    "factory": get_asgi_application,
    "adapted": WsgiToAsgi(wsgi),
    "class": URLRouter([path("", Poll)]),
    "consumer": URLRouter([path("", Poll.as_asgi())]),
}


async def application(scope, receive, send):
    if scope["type"] == "websocket":
        await APPS["sockets"](scope, receive, send)
    elif scope["type"] == "http":
        name, _, rest = scope["path"].removeprefix("/").partition("/")
        scope = {**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}
        await APPS.get(name, plain)(scope, receive, send)
"""


@pytest.fixture(scope="module")
def kinds(tmp_path_factory) -> Path:
    return make_project(
        tmp_path_factory.mktemp("kinds"),
        {**CONSUMERS, **STREAMING, "site1/kinds.py": KINDS},
        settings=OPEN,
    )


def test_what_asgi_servers_do_with_each_kind_of_application(kinds):
    for server in (
        ("uvicorn", "--port", "PORT", "--lifespan", "off", "site1.kinds:application"),
        ("daphne", "-p", "PORT", "site1.kinds:application"),
    ):
        with started(kinds, *server) as (url, log):
            answers = {
                name: status(f"{url}/{name}/")
                for name in (
                    *("plain", "wsgi", "whitenoise", "sentry", "router", "sockets"),
                    *("unmade", "validated", "factory", "adapted", "class", "consumer"),
                )
            }
            after = {name: after_first(f"{url}/{name}/ticks/") for name in ("plain", "adapted")}
        assert answers == {
            "plain": 200,
            "wsgi": 500,
            "whitenoise": 500,
            "sentry": 500,
            "router": 500,
            "sockets": 500,
            "unmade": 500,
            "validated": 500,
            "factory": 500,
            "adapted": 200,
            "class": 500,
            "consumer": 200,
        }
        # Nothing of the async stream is sent through the adapter before it has ended.
        assert after["plain"] > 0.3 > after["adapted"]
        text = log.read_text()
        assert "WSGIHandler.__call__() takes 3 positional arguments but 4 were given" in text
        assert "WhiteNoise.__call__() takes 3 positional arguments but 4 were given" in text
        assert "No application configured for scope type 'http'" in text
        assert "takes 0 positional arguments but 3 were given" in text


def after_first(url: str) -> float:
    """Seconds from the first byte of the body to its end."""
    with urllib.request.urlopen(url, timeout=10) as response:
        response.read(1)
        start = time.monotonic()
        response.read()
    return time.monotonic() - start


def test_a_consumer_class_refuses_every_connection(kinds):
    script = """
import asyncio, json
from channels.testing import WebsocketCommunicator
from site1.kinds import routes

async def connected(path):
    communicator = WebsocketCommunicator(routes, path)
    try:
        await communicator.send_input({"type": "websocket.connect"})
        return (await communicator.receive_output(5))["type"]
    except Exception as error:
        return f"{type(error).__name__}: {error}"

async def main():
    print(json.dumps([await connected("/ws/class/"), await connected("/ws/made/")]))

asyncio.run(main())
"""
    done = run(kinds, "-c", script)
    assert done.returncode == 0, done.stderr
    as_class, made = json.loads(done.stdout)
    assert made == "websocket.accept"
    assert as_class == "TypeError: object Chat can't be used in 'await' expression"


def test_uvicorn_guesses_a_factory_and_ends_with_status_0(kinds):
    (kinds / "site1" / "factory.py").write_text(ASGI + "application = get_asgi_application\n")
    with started(kinds, "uvicorn", "--port", "PORT", "site1.factory:application") as (url, log):
        assert status(f"{url}/") == 200
    assert "ASGI app factory detected" in log.read_text()
    with started(kinds, "daphne", "-p", "PORT", "site1.factory:application") as (url, _):
        assert status(f"{url}/") == 500
    port = str(free_port())
    gone = ("--port", port, "site1.nowhere:application")
    assert run(kinds, "-m", "uvicorn", *gone).returncode != 0
    assert run(kinds, "-m", "uvicorn", "--workers", "2", *gone).returncode == 0


def test_what_gunicorn_does_with_asgi_applications(kinds):
    (kinds / "site1" / "threads.py").write_text(
        "from site1.kinds import APPS, plain, wsgi\n"
        "from django.core.wsgi import get_wsgi_application\n\n"
        "KINDS = {'asgi': plain, 'factory': get_wsgi_application}\n\n"
        "def application(environ, start_response):\n"
        "    name = environ['PATH_INFO'].strip('/')\n"
        "    return KINDS.get(name, wsgi)(environ, start_response)\n"
    )
    server = ("gunicorn", "-b", "127.0.0.1:PORT", "site1.threads:application")
    with started(kinds, *server) as (url, log):
        assert status(f"{url}/") == 200
        assert status(f"{url}/asgi/") == 500
        assert status(f"{url}/factory/") == 500
    text = log.read_text()
    assert "ASGIHandler.__call__() missing 1 required positional argument: 'send'" in text
    assert "takes 0 positional arguments but 2 were given" in text


def test_lifespan(kinds):
    port = str(free_port())
    plain = ("--port", port, "--lifespan", "on", "site1.asgi:application")
    refused = run(kinds, "-m", "uvicorn", *plain)
    assert refused.returncode != 0
    assert "Application startup failed" in refused.stderr
    # What an application does at its start is not done where no event is sent.
    (kinds / "site1" / "events.py").write_text(
        ASGI
        + LIFESPAN.replace(
            "receive()\n", 'receive()\n            print(message["type"], flush=True)\n', 1
        )
    )
    for lifespan, seen in (("on", True), ("off", False)):
        server = ("--port", "PORT", "--lifespan", lifespan, "site1.events:application")
        with started(kinds, "uvicorn", *server) as (url, log):
            assert status(f"{url}/") == 200
        assert ("lifespan.startup" in log.read_text()) is seen
    with started(kinds, "daphne", "-p", "PORT", "site1.events:application") as (url, log):
        assert status(f"{url}/") == 200
    assert "lifespan.startup" not in log.read_text()


def test_runserver_hides_what_a_fresh_interpreter_shows(tmp_path):
    project = make_project(
        tmp_path,
        {
            **MODELS,
            "site1/wsgi.py": "from app.models import Note\n\n"
            + WSGI
            + "application = get_wsgi_application()\n",
        },
        settings=OPEN
        + 'DATABASES["default"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": "db"}\n',
    )
    done = run(project, "-c", "import site1.wsgi")
    assert "AppRegistryNotReady: Apps aren't loaded yet." in done.stderr
    port = str(free_port())
    process = subprocess.Popen(
        [sys.executable, "manage.py", "runserver", "--noreload", port],
        cwd=project,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        answer = None
        while answer is None and time.monotonic() < deadline:
            try:
                answer = status(f"http://127.0.0.1:{port}/")
            except OSError:
                time.sleep(0.05)
    finally:
        process.terminate()
        process.wait(10)
    assert answer == 200
    # A setting that names nothing is seen by runserver alone.
    with (project / "site1" / "settings.py").open("a") as file:
        file.write('WSGI_APPLICATION = "site1.wsgj.application"\n')
    done = manage(project, "runserver", "--noreload", port)
    assert done.returncode == 1
    assert "WSGI application 'site1.wsgj.application' could not be loaded" in done.stderr


def test_the_static_handler_and_double_wrappers(tmp_path):
    project = make_project(tmp_path, {"app/static/app/site.css": "body {}\n"}, settings=OPEN)
    script = """
import asyncio, json
from django.core.asgi import get_asgi_application
plain = get_asgi_application()
from asgiref.testing import ApplicationCommunicator
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.conf import settings
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

async def status(app, path):
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(),
             "query_string": b"", "headers": [(b"host", b"a")], "http_version": "1.1",
             "scheme": "http", "server": ("a", 80), "client": ("b", 1), "root_path": ""}
    connection = ApplicationCommunicator(app, scope)
    await connection.send_input({"type": "http.request", "body": b"", "more_body": False})
    start = await connection.receive_output(5)
    while (await connection.receive_output(5)).get("more_body"):
        pass
    await connection.wait(5)
    return start["status"]

async def main():
    path = "/static/app/site.css"
    found = [await status(app, path) for app in (plain, ASGIStaticFilesHandler(plain))]
    provider, exporter = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    once = OpenTelemetryMiddleware(plain, tracer_provider=provider)
    counts = []
    for app in (once, OpenTelemetryMiddleware(once, tracer_provider=provider)):
        exporter.clear()
        await status(app, "/")
        counts.append(len(exporter.get_finished_spans()))
    print(json.dumps([settings.DEBUG, found, counts]))

asyncio.run(main())
"""
    done = run(project, "-c", script)
    assert done.returncode == 0, done.stderr
    debug, found, spans = json.loads(done.stdout.splitlines()[-1])
    # Without DEBUG, and without collectstatic
    assert (debug, found) == (False, [404, 200])
    assert 0 < 2 * spans[0] == spans[1]
