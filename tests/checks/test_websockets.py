"""The checks about WebSockets: each fault found at its place, and what looks like it not."""

from __future__ import annotations

import textwrap

import pytest

from tests.checks.project import deploycheck, make_project
from tests.support import facts

MODELS = """
    from django.db import models


    class Note(models.Model):
        text = models.TextField()
    """

CONSUMERS = """
    import time

    from asgiref.sync import sync_to_async
    from channels.db import database_sync_to_async
    from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer

    from app.models import Note


    def count():
        return Note.objects.count()


    def compute():
        return sum(range(1000))


    class Base(AsyncWebsocketConsumer):
        async def connect(self):
            self.user = self.scope["user"]  # user
            await self.accept()


    class Chat(Base):
        async def receive(self, text_data=None, bytes_data=None):
            Note.objects.create(text=text_data)  # orm
            time.sleep(1)  # wait
            await sync_to_async(Note.objects.count)()  # handed method
            await sync_to_async(count)()  # handed function
            await sync_to_async(compute)()
            await database_sync_to_async(count)()
            await self.store()

        @database_sync_to_async
        def store(self):
            Note.objects.create(text="x")


    class Careful(AsyncWebsocketConsumer):
        async def connect(self):
            user = self.scope.get("user")
            if "session" in self.scope:
                self.session = self.scope["session"]
            await self.accept()


    class Echo(WebsocketConsumer):
        def receive(self, text_data=None, bytes_data=None):
            Note.objects.create(text=text_data)
            time.sleep(1)
            self.send(text_data)


    class Asks(AsyncWebsocketConsumer):
        async def connect(self):
            if dict(self.scope["headers"]).get(b"origin") != b"https://example.org":
                await self.close()
    """

ASGI = """
    import os

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")

    from django.core.asgi import get_asgi_application

    http = get_asgi_application()

    from channels.auth import AuthMiddlewareStack
    from channels.routing import ProtocolTypeRouter, URLRouter
    from channels.security.websocket import AllowedHostsOriginValidator, OriginValidator
    from channels.sessions import SessionMiddlewareStack

    from app import wrapping
    from app.routing import routes


    application = ProtocolTypeRouter({{"http": http, "websocket": {websocket}}})
    """

ROUTING = """
    from django.urls import path, re_path

    from channels.security.websocket import WebsocketDenier

    from app.consumers import Asks, Careful, Chat, Echo

    routes = [{routes}]
    """

WRAPPING = """
    from channels.security.websocket import OriginValidator


    class Ours(OriginValidator):
        pass


    class OwnCheck:
        def __init__(self, inner):
            self.inner = inner

        async def __call__(self, scope, receive, send):
            origin = dict(scope["headers"]).get(b"origin", b"")
            if origin == b"https://example.org":
                await self.inner(scope, receive, send)


    class TokenAuth:
        def __init__(self, inner):
            self.inner = inner

        async def __call__(self, scope, receive, send):
            scope = {**scope, "user": scope["query_string"]}
            await self.inner(scope, receive, send)


    def own_check(inner):
        async def application(scope, receive, send):
            if (b"origin", b"https://example.org") in scope["headers"]:
                await inner(scope, receive, send)

        return application
    """

CHAT = 'path("ws/chat/", Chat.as_asgi())'
ALL = 're_path("", WebsocketDenier.as_asgi())'


def make(directory, websocket, *routes):
    files = {
        "app/models.py": MODELS,
        "app/consumers.py": CONSUMERS,
        "app/wrapping.py": WRAPPING,
        "app/routing.py": ROUTING.format(routes=", ".join(routes)),
        "site1/asgi.py": ASGI.format(websocket=websocket),
    }
    return make_project(directory, files)


def marked(project, comment):
    lines = (project / "app/consumers.py").read_text().splitlines()
    return 1 + next(number for number, line in enumerate(lines) if line.endswith(f"# {comment}"))


def ids(findings, identifier):
    return [each for each in findings if each["id"] == f"deploytool.{identifier}"]


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    return make(tmp_path_factory.mktemp("chat"), "AuthMiddlewareStack(URLRouter(routes))", CHAT)


@pytest.fixture(scope="module")
def findings(chat):
    return deploycheck(chat, "--interface", "asgi")["findings"]


def test_a_socket_that_knows_the_visitor_and_not_the_origin_is_found(findings):
    [finding] = ids(findings, "W630")
    assert (finding["path"], finding["line"]) == ("site1/asgi.py", 18)
    assert "app.consumers.Chat (route 'ws/chat/')" in finding["message"]
    assert "AllowedHostsOriginValidator" in finding["hint"]
    assert ids(findings, "E632") == []


def test_a_missing_fallback_route_is_found(findings):
    [finding] = ids(findings, "I631")
    assert (finding["path"], finding["line"]) == ("app/routing.py", 7)
    assert "No route found for path" in finding["message"]


def test_what_an_async_consumer_does_on_the_loop_is_found(chat, findings):
    [orm] = ids(findings, "E150")
    assert (orm["path"], orm["line"]) == ("app/consumers.py", marked(chat, "orm"))
    assert "the consumer app.consumers.Chat" in orm["message"]
    assert "ends the connection" in orm["message"]
    [wait] = ids(findings, "W154")
    assert wait["line"] == marked(chat, "wait")


def test_orm_code_in_plain_sync_to_async_is_found(chat, findings):
    lines = [each["line"] for each in ids(findings, "I633")]
    assert lines == [marked(chat, "handed method"), marked(chat, "handed function")]


def test_websockets_are_not_served_by_wsgi(chat):
    findings = deploycheck(chat, "--interface", "wsgi")["findings"]
    [finding] = ids(findings, "E634")
    assert (finding["path"], finding["line"]) == ("app/routing.py", 7)
    assert "a handshake gets 404" in finding["message"]
    for other in ("W630", "I631", "E150", "W154", "I633"):
        assert ids(findings, other) == []


def test_what_nothing_puts_into_the_scope_is_found(tmp_path):
    project = make(tmp_path, "SessionMiddlewareStack(URLRouter(routes))", CHAT, ALL)
    findings = deploycheck(project, "--interface", "asgi")["findings"]
    [finding] = ids(findings, "E632")
    assert (finding["path"], finding["line"]) == ("app/consumers.py", marked(project, "user"))
    assert 'scope["user"]' in finding["message"]
    assert "AuthMiddlewareStack" in finding["hint"]
    assert ids(findings, "I631") == []


SOUND = """
    from channels.auth import AuthMiddlewareStack
    from channels.routing import URLRouter
    from channels.security.websocket import AllowedHostsOriginValidator, WebsocketDenier
    from django.urls import path, re_path

    from app import wrapping
    from app.consumers import Asks, Careful, Chat, Echo

    chat = [path("", Chat.as_asgi())]
    routes = [
        path("1/", AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(chat)))),
        path("2/", wrapping.Ours(AuthMiddlewareStack(URLRouter(chat)), ["https://x.org"])),
        path("3/", AuthMiddlewareStack(wrapping.OwnCheck(URLRouter(chat)))),
        path("4/", wrapping.own_check(AuthMiddlewareStack(URLRouter(chat)))),
        path("5/", AuthMiddlewareStack(URLRouter([path("", Asks.as_asgi())]))),
        path("6/", Echo.as_asgi()),
        path("7/", Careful.as_asgi()),
        path("8/", wrapping.TokenAuth(URLRouter(chat))),
        re_path("", WebsocketDenier.as_asgi()),
    ]
    """


def test_sound_sockets_have_no_finding(tmp_path):
    project = make(tmp_path, "URLRouter(routes)")
    (project / "app/routing.py").write_text(textwrap.dedent(SOUND))
    entry = facts(
        project,
        "from deploytool.project import inspect_project",
        "inspect_project().entrypoints.asgi",
    )
    assert [route["route"] for route in entry["websocket_routes"]] == [
        *(f"{number}/" for number in range(1, 9)),
        "",
    ]
    findings = deploycheck(project, "--interface", "asgi")["findings"]
    for identifier in ("W630", "I631", "E632", "E634", "E635", "E636"):
        assert ids(findings, identifier) == []
    # Of the one consumer that asks the database itself.
    assert {each["line"] for each in ids(findings, "E150")} == {marked(project, "orm")}
    assert {each["line"] for each in ids(findings, "W154")} == {marked(project, "wait")}


MISROUTED = """
    from channels.auth import AuthMiddleware
    from channels.routing import URLRouter
    from channels.security.websocket import WebsocketDenier
    from channels.sessions import CookieMiddleware, SessionMiddleware
    from django.urls import path, re_path

    from app.consumers import Asks, Careful, Chat, Echo

    echo = [path("", Echo.as_asgi())]
    routes = [
        path("/slash/", Echo.as_asgi()),
        re_path(r"^/slashed/", Echo.as_asgi()),
        re_path(r"/whole/$", Echo.as_asgi()),
        re_path(r"^/?sound/", Echo.as_asgi()),
        re_path(r"chat/", Echo.as_asgi()),
        re_path(r"chat/room/$", Careful.as_asgi()),
        re_path(r"exact/$", Echo.as_asgi()),
        re_path(r"exact/room/$", Careful.as_asgi()),
        path("nested/", URLRouter(echo)),
        path("nested/more/", Careful.as_asgi()),
        path("bare/", AuthMiddleware(URLRouter(echo))),
        path("half/", SessionMiddleware(URLRouter(echo))),
        path("order/", SessionMiddleware(CookieMiddleware(URLRouter(echo)))),
        path("enough/", CookieMiddleware(SessionMiddleware(AuthMiddleware(URLRouter(echo))))),
        re_path("", WebsocketDenier.as_asgi()),
        path("late/", Asks.as_asgi()),
    ]
    """


def test_routes_that_nobody_can_connect_to(tmp_path):
    project = make(tmp_path, "URLRouter(routes)")
    (project / "app/routing.py").write_text(textwrap.dedent(MISROUTED))
    findings = deploycheck(project, "--interface", "asgi")["findings"]
    lines = (project / "app/routing.py").read_text().splitlines()
    taken = {lines[each["line"] - 1].strip(): each for each in ids(findings, "E636")}
    assert list(taken) == [
        'path("/slash/", Echo.as_asgi()),',
        're_path(r"^/slashed/", Echo.as_asgi()),',
        're_path(r"/whole/$", Echo.as_asgi()),',
        're_path(r"chat/room/$", Careful.as_asgi()),',
        'path("late/", Asks.as_asgi()),',
    ]
    slash, *_, room, _ = taken.values()
    assert "'/slash/' begins with a slash, which URLRouter takes off" in slash["message"]
    assert slash["hint"] == "Take the slash away."
    assert "'chat/room/$' is never taken: 'chat/', above it" in room["message"]
    missing = {each["message"].split("'")[1]: each for each in ids(findings, "E635")}
    assert sorted(missing) == ["bare/", "half/", "order/"]
    assert (
        "AuthMiddleware around the route 'bare/' wants the session" in missing["bare/"]["message"]
    )
    assert "SessionMiddlewareStack(...)" in missing["bare/"]["hint"]
    assert "wants the cookies" in missing["order/"]["message"]
    assert (missing["bare/"]["path"], missing["bare/"]["line"]) == ("site1/asgi.py", 18)
    # Beside an ASGI server that a deployment file starts, a WSGI one need not answer them.
    (project / "Procfile").write_text(
        "web: gunicorn site1.wsgi\nws: daphne site1.asgi:application\n"
    )
    assert ids(deploycheck(project, "--interface", "wsgi")["findings"], "E634") == []
