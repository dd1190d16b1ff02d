"""What the checks of shared state claim of Django, Channels and REST framework, happening."""

from __future__ import annotations

import contextlib
import json

import pytest
from websockets.sync.client import connect

from tests.checks.project import make_project
from tests.checks.talking import processes
from tests.checks.test_state import CHAT
from tests.support import manage, serving

SETTINGS = """
import os

DATABASES["default"] = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": BASE_DIR / "db.sqlite3",
    "OPTIONS": {"transaction_mode": "IMMEDIATE"},
}
SECURE_SSL_REDIRECT = False
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS += ["rest_framework"]
CACHES = {
    "default": {
        "BACKEND": f"django.core.cache.backends.{os.environ.get('CACHE', 'locmem.LocMemCache')}"
    }
}
SESSION_ENGINE = f"django.contrib.sessions.backends.{os.environ.get('ENGINE', 'cache')}"
SESSION_CACHE_ALIAS = os.environ.get("ALIAS", "default")
"""
VIEWS = {
    "app/views.py": """
        from django.http import HttpResponse
        from rest_framework.response import Response
        from rest_framework.throttling import AnonRateThrottle
        from rest_framework.views import APIView


        class Two(AnonRateThrottle):
            rate = "2/hour"


        class Search(APIView):
            throttle_classes = [Two]

            def get(self, request):
                return Response({})


        def home(request):
            return HttpResponse("home")


        def visit(request):
            number = request.session["visits"] = request.session.get("visits", 0) + 1
            return HttpResponse(str(number))


        def peek(request):
            return HttpResponse(str(request.session.get("visits")))


        def leave(request):
            request.session.flush()
            return HttpResponse("gone")
        """,
    "site1/urls.py": """
        from django.urls import path

        from app import views

        urlpatterns = [
            path("", views.home),
            path("search/", views.Search.as_view()),
            path("visit/", views.visit),
            path("peek/", views.peek),
            path("leave/", views.leave),
        ]
        """,
}
CLIENT = "from django.test import Client\nclient = Client(raise_request_exception=False)"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = make_project(
        tmp_path_factory.mktemp("state"), VIEWS, settings=SETTINGS, middleware=STACK
    )
    assert manage(project, "migrate", "-v0").returncode == 0
    return project


STACK = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
)


def visit(process, cookie=None, path="/visit/"):
    """What the process answers to a browser with ``cookie``, and the cookie afterwards."""
    code = f"{CLIENT}\nif {cookie!r}: client.cookies['sessionid'] = {cookie!r}\n"
    code += f"answer = client.get({path!r})\nset_to = answer.cookies.get('sessionid')"
    status, body, given = process.ask(
        "[answer.status_code, answer.content.decode(), set_to and set_to.value]", code
    )
    return status, body, given or cookie


def test_sessions_in_local_memory_are_lost_in_another_process(project):
    with processes(project, 2) as (one, two):
        _, number, cookie = visit(one)
        assert number == "1"
        assert visit(one, cookie)[1] == "2"
        assert visit(two, cookie)[1] == "1"


def test_sessions_in_local_memory_before_the_database_are_stale(project):
    with processes(project, 2, ENGINE="cached_db") as (one, two):
        cookie = visit(one)[2]
        assert visit(two, cookie)[1] == "2"
        assert visit(one, cookie)[1] == "2"  # has not seen it, and overwrites it
        assert visit(one, cookie, "/leave/")[1] == "gone"
        # As if nobody had left, until something is written.
        assert visit(two, cookie, "/peek/")[:2] == (200, "2")
        assert visit(two, cookie)[0] == 400


def test_sessions_in_the_dummy_cache(project):
    with processes(project, CACHE="dummy.DummyCache") as [process]:
        _, number, cookie = visit(process)
        assert number == "1"
        assert visit(process, cookie)[1] == "1"
    with processes(project, CACHE="dummy.DummyCache", ENGINE="cached_db") as [process]:
        cookie = visit(process)[2]
        assert visit(process, cookie)[1] == "2"


def test_sessions_beyond_the_entries_of_the_cache(project):
    code = (
        "from django.contrib.sessions.backends.cache import SessionStore\n"
        "def make():\n"
        "    store = SessionStore()\n"
        "    store['user'] = 1\n"
        "    store.save()\n"
        "    return store.session_key\n"
        "keys = [make() for _ in range(301)]\n"
    )
    with processes(project) as [process]:
        kept = process.ask("sum('user' in SessionStore(key) for key in keys)", code)
    assert kept <= 201


@pytest.mark.parametrize(
    ("env", "error"),
    [
        ({"ENGINE": "nowhere"}, "ModuleNotFoundError: "),
        ({"ALIAS": "sessions"}, "InvalidCacheBackendError: "),
    ],
)
def test_a_session_engine_that_cannot_be_used(project, env, error):
    with processes(project, **env) as [process]:
        answer = process.ask("client.get('/visit/').status_code", CLIENT)
    if answer != 500:  # raised when the handler is made, before there is anything to answer
        assert error in answer
    # Django's own checks do not look at it.
    lines = manage(project, "check", "--deploy", **env).stderr.splitlines()
    said = [line for line in lines if error in line]
    assert [line for line in said if "deploytool.E404" in line]
    assert all("deploytool." in line for line in said)


def test_locks_counters_and_limits_in_local_memory(project):
    with processes(project, 2) as workers:
        code = f"{CLIENT}\nfrom django.core.cache import cache"
        locks = [each.ask("cache.add('lock', 1)", code) for each in workers * 2]
        assert locks == [True, True, False, False]
        assert [each.ask("cache.incr('n')", "cache.add('n', 0)") for each in workers] == [1, 1]
        limited = [each.ask("client.get('/search/').status_code") for each in workers * 3]
        assert limited == [200, 200, 200, 200, 429, 429]
        # What one takes out stays in the other.
        for each in workers:
            each.ask("cache.set('page', 'old')")
        workers[0].ask("cache.delete('page')")
        assert workers[1].ask("cache.get('page')") == "old"


def test_the_dummy_cache_gives_every_lock_and_limits_nobody(project):
    with processes(project, CACHE="dummy.DummyCache") as [process]:
        code = f"{CLIENT}\nfrom django.core.cache import cache"
        assert [process.ask("cache.add('lock', 1)", code) for _ in range(2)] == [True, True]
        limited = [process.ask("client.get('/search/').status_code") for _ in range(3)]
        assert limited == [200, 200, 200]


LAYERS = """
import os
if "LAYER" in os.environ:
    CHANNEL_LAYERS = {
        "default": {"BACKEND": os.environ["LAYER"], "CONFIG": eval(os.environ.get("CONFIG", "{}"))}
    }
ALLOWED_HOSTS = ["*"]
SECURE_SSL_REDIRECT = False
"""
ROOM = {
    **CHAT,
    "app/consumers.py": """
        import os

        from channels.generic.websocket import AsyncWebsocketConsumer


        class Chat(AsyncWebsocketConsumer):
            groups = ["chat"]

            async def receive(self, text_data=None, bytes_data=None):
                if text_data == "who":
                    await self.send(str(os.getpid()))
                else:
                    event = {"type": "said", "text": text_data}
                    await self.channel_layer.group_send("chat", event)

            async def said(self, event):
                await self.send(event["text"])
        """,
}
IN_MEMORY = "channels.layers.InMemoryChannelLayer"


def test_a_layer_in_memory_reaches_the_clients_of_one_worker(tmp_path):
    project = make_project(tmp_path, ROOM, settings=LAYERS)
    with (
        serving(project, "--workers", "2", LAYER=IN_MEMORY) as served,
        contextlib.ExitStack() as stack,
    ):
        clients = {}
        for _ in range(60):
            client = stack.enter_context(connect(f"ws://127.0.0.1:{served.port}/ws/chat/"))
            client.send("who")
            clients[client] = client.recv(10)
            if len(set(clients.values())) == 2:
                break
        assert len(set(clients.values())) == 2
        speaker, home = next(iter(clients.items()))
        speaker.send("hello")
        heard = {client for client in clients if _hears(client, home == clients[client])}
    assert heard == {client for client, worker in clients.items() if worker == home}


def _hears(client, soon):
    with contextlib.suppress(TimeoutError):
        return client.recv(10 if soon else 1) == "hello"
    return False


CONNECT = """
import asyncio
from channels.testing import WebsocketCommunicator
from app.consumers import Chat

async def connect():
    client = WebsocketCommunicator(Chat.as_asgi(), "/ws/chat/")
    connected = (await client.connect())[0]
    await client.disconnect()
    return connected
"""


@pytest.mark.parametrize(
    ("env", "error"),
    [
        ({}, "InvalidChannelLayerError: BACKEND is unconfigured or doesn't support groups"),
        ({"LAYER": "channels_redis.core.Nothing"}, "InvalidChannelLayerError: Cannot import"),
        (
            {"LAYER": "channels_redis.core.RedisChannelLayer", "CONFIG": '{"host": "redis"}'},
            "unexpected keyword argument 'host'",
        ),
        ({"LAYER": IN_MEMORY}, None),
    ],
)
def test_a_layer_that_cannot_be_made_fails_each_connection(tmp_path, env, error):
    project = make_project(tmp_path, ROOM, settings=LAYERS)
    with processes(project, **env) as [process]:
        answer = process.ask("asyncio.run(connect())", CONNECT)
    assert answer is True if error is None else error in answer


def test_a_consumer_that_joins_a_group_without_a_layer(tmp_path):
    project = make_project(tmp_path, CHAT, settings=LAYERS)
    with processes(project) as [process]:
        answer = process.ask("asyncio.run(connect())", CONNECT)
    assert "'NoneType' object has no attribute 'group_add'" in json.dumps(answer)
