"""The built wheel, as somebody meets it: installed into an empty environment, used in a fresh
``django-admin startproject`` with no setting but the app's name."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import django
import pytest
from websockets.sync.client import connect

from tests.distribution import built, installed, run
from tests.support import Served, environment, free_port, wait_until_answering

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Gunicorn needs POSIX")

# As the tutorial of Channels has them, parts 1 to 3.
CONSUMERS = """\
    import json

    from channels.generic.websocket import AsyncWebsocketConsumer


    class ChatConsumer(AsyncWebsocketConsumer):
        async def connect(self):
            self.room_name = self.scope["url_route"]["kwargs"]["room_name"]
            await self.accept()

        async def receive(self, text_data):
            message = json.loads(text_data)["message"]
            await self.send(text_data=json.dumps({"room": self.room_name, "message": message}))
"""
ROUTING = """\
    from django.urls import re_path

    from . import consumers

    websocket_urlpatterns = [
        re_path(r"ws/chat/(?P<room_name>\\w+)/$", consumers.ChatConsumer.as_asgi()),
    ]
"""
ASGI = """\
    import os

    from channels.auth import AuthMiddlewareStack
    from channels.routing import ProtocolTypeRouter, URLRouter
    from channels.security.websocket import AllowedHostsOriginValidator
    from django.core.asgi import get_asgi_application

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
    # Initialize Django ASGI application early to ensure the AppRegistry
    # is populated before importing code that may import ORM models.
    django_asgi_app = get_asgi_application()

    from chat.routing import websocket_urlpatterns

    application = ProtocolTypeRouter(
        {
            "http": django_asgi_app,
            "websocket": AllowedHostsOriginValidator(
                AuthMiddlewareStack(URLRouter(websocket_urlpatterns))
            ),
        }
    )
"""


@dataclass(frozen=True)
class Site:
    """A project of its own, and the interpreter of the environment that runs it."""

    root: Path
    python: Path

    def manage(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run(self.python, "manage.py", *args, cwd=self.root, check=check)

    def plan(self) -> dict[str, Any]:
        return json.loads(self.manage("deployplan", "--format", "json").stdout)

    @contextlib.contextmanager
    def serving(self) -> Iterator[Served]:
        """``manage.py runserver_gateway PORT``, answering; stopped at the end."""
        port = free_port()
        log = self.root / "server.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [self.python, "manage.py", "runserver_gateway", str(port)],
                cwd=self.root,
                env=environment(PYTHONPATH=None),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        served = Served(process, port, log)
        try:
            wait_until_answering(served)
            yield served
        finally:
            try:
                served.stop(15)
            finally:
                process.kill()
                process.wait()


def environment_of(tmp_path_factory: pytest.TempPathFactory, extras: str) -> Path:
    """The interpreter of an environment with the wheel, ``extras`` and the Django of this run."""
    (wheel,) = built(tmp_path_factory).glob("*.whl")
    requirement = f"django-deploytool{f'[{extras}]' if extras else ''} @ {wheel.as_uri()}"
    name = f"env-{extras.replace(',', '-') or 'bare'}"
    return installed(tmp_path_factory, name, requirement, f"Django=={django.__version__}")


@pytest.fixture(scope="session")
def with_servers(tmp_path_factory) -> Path:
    return environment_of(tmp_path_factory, "gunicorn,uvicorn,daphne,channels")


@pytest.fixture(scope="session")
def without_server(tmp_path_factory) -> Path:
    return environment_of(tmp_path_factory, "")


def started(python: Path, folder: Path) -> Site:
    """A fresh project in ``folder`` with ``deploytool`` in INSTALLED_APPS and nothing else."""
    run(python.with_name("django-admin"), "startproject", "mysite", ".", cwd=folder)
    install(folder, "deploytool")
    return Site(folder, python)


def install(folder: Path, app: str) -> None:
    """Put ``app`` into INSTALLED_APPS."""
    settings = folder / "mysite" / "settings.py"
    before = settings.read_text()
    after = before.replace("INSTALLED_APPS = [\n", f'INSTALLED_APPS = [\n    "{app}",\n', 1)
    assert after != before
    settings.write_text(after)


@pytest.fixture
def site(with_servers, tmp_path) -> Site:
    return started(with_servers, tmp_path)


@pytest.fixture
def chat(site) -> Site:
    """The site with a Channels route added as the documentation of Channels does."""
    package = site.root / "chat"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "consumers.py").write_text(textwrap.dedent(CONSUMERS))
    (package / "routing.py").write_text(textwrap.dedent(ROUTING))
    (site.root / "mysite" / "asgi.py").write_text(textwrap.dedent(ASGI))
    return site


def test_the_environment_has_the_wheel_and_not_this_checkout(site):
    code = "import deploytool; print(deploytool.__file__)"
    found = run(site.python, "-c", code, cwd=site.root).stdout.strip()
    assert found.startswith(str(site.python.parent.parent))


def test_a_fresh_project_is_for_wsgi_and_gunicorn(site):
    document = site.plan()
    plan = document["plan"]
    assert (plan["interface"], plan["server"]) == ("wsgi", "gunicorn")
    assert plan["application"] == "mysite.wsgi:application"
    (interface,) = (each for each in document["decisions"] if each["name"] == "interface")
    assert interface["strength"] == "default"
    text = site.manage("deployplan").stdout
    assert text.startswith("WSGI (default), Gunicorn ")


def test_a_fresh_project_is_served(site):
    with site.serving() as served:
        status, page = served.get("/")
        assert status == 200
        assert "The install worked successfully" in page
        # The admin's style sheet comes out of an app's own directory.
        assert served.get("/static/admin/css/base.css")[0] == 200
    said = served.log.read_text()
    assert said.startswith("WSGI:")
    assert "Traceback" not in said


def test_a_channels_route_asks_for_asgi_and_says_where(chat):
    document = chat.plan()
    plan = document["plan"]
    assert (plan["interface"], plan["server"]) == ("asgi", "uvicorn")
    assert plan["application"] == "mysite.asgi:application"
    (interface,) = (each for each in document["decisions"] if each["name"] == "interface")
    assert interface["strength"] == "required"
    routes = (chat.root / "chat" / "routing.py").read_text().splitlines()
    line = next(number for number, text in enumerate(routes, 1) if "ws/chat/" in text)
    assert any(f"chat/routing.py:{line}" in place for place in interface["evidence"])
    text = chat.manage("deployplan").stdout
    assert text.startswith("ASGI (required), Uvicorn ")
    assert f"chat/routing.py:{line}" in text


def test_a_channels_route_is_served_and_so_are_the_pages(chat):
    with chat.serving() as served:
        assert served.get("/")[0] == 200
        address = f"ws://127.0.0.1:{served.port}/ws/chat/lobby/"
        with connect(address, origin=served.url) as socket:
            socket.send(json.dumps({"message": "hello"}))
            answer = json.loads(socket.recv(timeout=10))
    assert answer == {"room": "lobby", "message": "hello"}
    assert "Traceback" not in served.log.read_text()


def test_the_templates_of_entry_points_are_in_the_wheel(chat):
    entry = chat.root / "mysite" / "asgi.py"
    entry.unlink()
    install(chat.root, "chat")
    shown = chat.manage("deployfiles", "asgi", "--dry-run", "-v", "2").stdout
    assert "mysite/asgi.py: would be created" in shown
    assert 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")' in shown
    assert "AllowedHostsOriginValidator" in shown
    assert "chat.routing" in shown
    assert not entry.exists()


def test_without_a_server_the_line_that_installs_one_is_shown(without_server, tmp_path):
    bare = started(without_server, tmp_path)
    line = 'pip install "django-deploytool[gunicorn]"'
    planned = bare.manage("deployplan")
    assert line in planned.stdout
    assert bare.plan()["plan"]["server"] is None
    refused = bare.manage("runserver_gateway", str(free_port()), check=False)
    assert refused.returncode == 1
    assert line in refused.stderr
    assert "Traceback" not in refused.stderr
