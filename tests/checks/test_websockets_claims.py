"""What the rules about WebSockets claim of Channels and Django, shown to happen."""

from __future__ import annotations

import json

import pytest

from tests.support import run_python

SCRIPT = """
import asyncio
import json
import os
import sys
import tempfile

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="x" * 50,
    ALLOWED_HOSTS=["example.org"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "channels",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.path.join(tempfile.mkdtemp(), "db"),
        }
    },
    LOGGING_CONFIG=None,
)
django.setup()
from asgiref.sync import sync_to_async
from channels.auth import AuthMiddleware, AuthMiddlewareStack
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator, WebsocketDenier
from channels.sessions import CookieMiddleware, SessionMiddleware
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import path, re_path

call_command("migrate", verbosity=0)
user = User.objects.create_user("somebody")
client = Client()
client.force_login(user)
cookie = f"sessionid={client.cookies['sessionid'].value}".encode()
urlpatterns = []
answer = {}


def is_open():
    return connection.connection is not None


class Who(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept()
        await self.send(self.scope["user"].get_username())


class Asks(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept()
        User.objects.count()


class Keeps(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept()
        await sync_to_async(User.objects.count)()
        kept = await sync_to_async(is_open)()
        await database_sync_to_async(User.objects.count)()
        await self.send(json.dumps([kept, await sync_to_async(is_open)()]))


routes = [
    path("who/", Who.as_asgi()),
    path("asks/", Asks.as_asgi()),
    path("keeps/", Keeps.as_asgi()),
]


async def opened(application, path, origin=b"https://evil.example"):
    headers = [(b"cookie", cookie), (b"origin", origin), (b"host", b"example.org")]
    communicator = WebsocketCommunicator(application, path, headers)
    try:
        connected, code = await communicator.connect(timeout=5)
        if not connected:
            return ["refused", code]
        return ["open", await communicator.receive_from(timeout=5)]
    except Exception as error:
        return [type(error).__name__, str(error)]


# Not with the communicator for tests, which keeps connections from being closed.
async def kept(application):
    sent, messages = [], asyncio.Queue()
    messages.put_nowait({"type": "websocket.connect"})

    async def send(message):
        sent.append(message)

    scope = {"type": "websocket", "path": "/keeps/", "headers": [], "subprotocols": []}
    task = asyncio.create_task(application(scope, messages.get, send))
    while not task.done() and not (sent and sent[-1].get("text")):
        await asyncio.sleep(0.01)
    task.cancel()
    return json.loads(sent[-1]["text"])


async def main():
    stack = AuthMiddlewareStack(URLRouter(routes))
    validated = AllowedHostsOriginValidator(stack)
    answer["foreign"] = await opened(stack, "/who/")
    answer["foreign validated"] = await opened(validated, "/who/")
    answer["own validated"] = await opened(validated, "/who/", b"https://example.org")
    answer["no stack"] = await opened(URLRouter(routes), "/who/")
    answer["no route"] = await opened(stack, "/other/")
    fallback = URLRouter([*routes, re_path("", WebsocketDenier.as_asgi())])
    answer["fallback"] = await opened(fallback, "/other/")
    answer["asks"] = await opened(stack, "/asks/")
    answer["keeps"] = await kept(URLRouter(routes))
    router = URLRouter(routes)
    for name, application in {
        "auth": AuthMiddleware(router),
        "session": SessionMiddleware(router),
        "order": SessionMiddleware(CookieMiddleware(router)),
        "enough": CookieMiddleware(SessionMiddleware(AuthMiddleware(router))),
        "list": AuthMiddlewareStack(routes),
        "misspelt": ProtocolTypeRouter({"websockets": stack}),
        "slash": URLRouter([path("/who/", Who.as_asgi())]),
        "slashed": URLRouter([re_path("^/who/", Who.as_asgi())]),
        "whole": URLRouter([re_path("/who/$", Who.as_asgi())]),
        "optional": AuthMiddlewareStack(URLRouter([re_path("^/?who/", Who.as_asgi())])),
        "nested": AuthMiddlewareStack(
            URLRouter([path("", URLRouter([path("x/", Asks.as_asgi())])), *routes])
        ),
        "denied": URLRouter([re_path("", WebsocketDenier.as_asgi()), *routes]),
        "prefix": URLRouter([re_path("w", WebsocketDenier.as_asgi()), *routes]),
    }.items():
        answer[name] = await opened(application, "/who/")
    try:
        await validated({"type": "http", "headers": []}, None, None)
    except ValueError as error:
        answer["http"] = str(error)


asyncio.run(main())
environ = {
    "REQUEST_METHOD": "GET",
    "PATH_INFO": "/who/",
    "SERVER_NAME": "example.org",
    "SERVER_PORT": "80",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_UPGRADE": "websocket",
    "wsgi.input": sys.stdin.buffer,
    "wsgi.url_scheme": "http",
}
WSGIHandler()(environ, lambda status, headers: answer.update(wsgi=status))
print("@@" + json.dumps(answer), flush=True)
os._exit(0)
"""


@pytest.fixture(scope="module")
def answer():
    done = run_python("-c", SCRIPT)
    assert "@@" in done.stdout, done.stderr
    return json.loads(done.stdout.rpartition("@@")[2])


def test_another_site_opens_a_socket_in_the_visitors_name(answer):
    assert answer["foreign"] == ["open", "somebody"]


def test_a_validator_lets_the_own_site_in_alone(answer):
    assert answer["foreign validated"][0] == "refused"
    assert answer["own validated"] == ["open", "somebody"]


def test_without_the_stack_there_is_no_user_in_the_scope(answer):
    assert answer["no stack"] == ["KeyError", "'user'"]


def test_a_path_without_a_route_ends_in_an_exception(answer):
    kind, message = answer["no route"]
    assert kind == "ValueError"
    assert message.startswith("No route found for path")
    assert answer["fallback"][0] == "refused"


def test_a_sync_query_in_an_async_consumer_is_refused(answer):
    assert answer["asks"][0] == "SynchronousOnlyOperation"


def test_plain_sync_to_async_leaves_the_connection_open(answer):
    assert answer["keeps"] == [True, False]


def test_a_handshake_over_wsgi_is_an_ordinary_request(answer):
    assert answer["wsgi"].startswith("404")


def test_middleware_without_what_it_stands_on_lets_nobody_in(answer):
    assert answer["auth"][0] == "ValueError"
    assert answer["auth"][1].startswith("AuthMiddleware cannot find session in scope")
    for name in ("session", "order"):
        assert answer[name][0] == "ValueError"
        assert "cookies" in answer[name][1]
    assert answer["enough"] == ["open", "somebody"]


def test_what_is_no_application_or_for_another_protocol_lets_nobody_in(answer):
    assert answer["list"] == ["TypeError", "'list' object is not callable"]
    assert answer["misspelt"][1] == "No application configured for scope type 'websocket'"
    assert answer["http"] == "You cannot use OriginValidator on a non-WebSocket connection"


def test_routes_with_a_slash_or_below_another_are_never_taken(answer):
    for name in ("slash", "slashed", "whole"):
        assert answer[name] == ["ValueError", "No route found for path 'who/'."]
    assert answer["optional"] == answer["nested"] == ["open", "somebody"]
    assert answer["denied"][0] == answer["prefix"][0] == "refused"
