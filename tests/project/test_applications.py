"""What a callable is, told from the callable itself: built here, of the real libraries."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path

import a2wsgi
import pytest
import socketio
import whitenoise
from asgiref.compatibility import guarantee_single_callable
from asgiref.wsgi import WsgiToAsgi
from channels.auth import AuthMiddlewareStack
from channels.consumer import AsyncConsumer
from channels.generic.http import AsyncHttpConsumer
from channels.generic.websocket import AsyncWebsocketConsumer, JsonWebsocketConsumer
from channels.middleware import BaseMiddleware
from channels.routing import ChannelNameRouter, ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler, StaticFilesHandler
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application
from django.urls import path, re_path
from django.utils.functional import LazyObject, SimpleLazyObject
from fastapi import FastAPI
from servestatic import ServeStaticASGI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute

from deploytool.project.probe.first_call import first_call
from deploytool.project.probe.run import inspected
from deploytool.project.probe.signature import interface_of

DJANGO_ASGI = "django.core.handlers.asgi.ASGIHandler"
DJANGO_WSGI = "django.core.handlers.wsgi.WSGIHandler"


def inspect(app, role="asgi"):
    return inspected(app, role, "site.entry:application")[1]


def routes(answer):
    return [
        (route["route"], route["consumer"].rpartition(".")[2])
        for route in answer["websocket_routes"]
    ]


@pytest.fixture
def http():
    return get_asgi_application()


@pytest.fixture
def wsgi():
    return get_wsgi_application()


class Chat(AsyncWebsocketConsumer):
    pass


class Events(AsyncHttpConsumer):
    pass


async def plain_socket(scope, receive, send):
    await send({"type": "websocket.accept"})


# The interface, from the signature


class Double:
    def __init__(self, scope):
        self.scope = scope

    async def __call__(self, receive, send):
        pass


class AppClass:
    """The class of PEP 3333's examples: an iterable made by the call."""

    def __init__(self, environ, start_response):
        pass

    def __iter__(self):
        return iter([b""])


class StaticCall:
    @staticmethod
    def __call__(environ, start_response):
        return []


class AsyncCall:
    async def __call__(self, scope, receive, send):
        pass

    def handle(self, environ, start_response):
        return []


class SlotCall:
    """As Sentry's ASGI middleware: what the call does is chosen for each instance."""

    __slots__ = ("__call__", "app")

    def __init__(self, app, call):
        self.app = app
        self.__call__ = getattr(self, call)

    async def three(self, scope, receive, send):
        return await self.app(scope, receive, send)

    def one(self, scope):
        return self.app(scope)

    def two(self, environ, start_response):
        return self.app(environ, start_response)


async def async_application(scope, receive, send):
    pass


async def async_any(*args, **kwargs):
    pass


def wsgi_extra(environ, start_response, extra=None, *, debug=False):
    return []


def sync_three(scope, receive, send):
    return async_application(scope, receive, send)


def prefixed(prefix, environ, start_response):
    return []


def create_application(settings="production", debug=False):
    return None


def double_function(scope):
    async def inner(receive, send):
        pass

    return inner


@pytest.mark.parametrize(
    ("app", "interface"),
    [
        (async_application, "asgi"),
        (async_any, "asgi"),
        (sync_three, "asgi"),
        (AsyncCall(), "asgi"),
        (AsyncCall().handle, "wsgi"),
        (SlotCall(None, "three"), "asgi"),
        (SlotCall(None, "one"), "asgi2"),
        (SlotCall(None, "two"), "wsgi"),
        (wsgi_extra, "wsgi"),
        (lambda e, s: [], "wsgi"),
        (functools.partial(prefixed, "/x"), "wsgi"),
        (StaticCall(), "wsgi"),
        (AppClass, "wsgi"),
        (Double, "asgi2"),
        (double_function, "asgi2"),
        (create_application, "factory"),
        (get_asgi_application, "factory"),
        (WSGIHandler, "factory"),
        (AsyncCall, "factory"),
        (ASGIHandler(), "asgi"),
        (WSGIHandler(), "wsgi"),
        (FastAPI(), "asgi"),
        (lambda *args: None, None),
    ],
)
def test_the_interface_is_what_the_call_takes(app, interface):
    assert interface_of(app) == interface


@pytest.mark.parametrize("app", [Double, double_function])
def test_a_double_callable_serves_as_asgi(app):
    answer = inspect(app)
    assert (answer["status"], answer["callable_interface"]) == ("ok", "asgi2")


def test_a_class_that_is_the_entry_point_is_no_mount():
    answer = inspect(Double)
    assert (answer["protocols"], answer["mounts"]) == (("http",), [])


class HasEverything:
    """A proxy that answers every question, as mocks and some remote objects do."""

    def __init__(self, app):
        vars(self)["app"] = app

    def __getattr__(self, name):
        return HasEverything(self.app)

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


def test_an_object_with_every_attribute_is_what_its_call_takes(http):
    answer = inspect(HasEverything(http))
    assert (answer["callable_interface"], answer["protocols"]) == ("asgi", ("http",))
    assert (answer["handler"], answer["websocket_routes"]) == (DJANGO_ASGI, [])


@pytest.mark.parametrize(
    ("app", "role", "told"),
    [
        (get_asgi_application, "asgi", "application = get_asgi_application()"),
        (get_wsgi_application, "wsgi", "application = get_wsgi_application()"),
        (WSGIHandler, "wsgi", "application = get_wsgi_application()"),
        (AsyncCall, "asgi", "application = AsyncCall(...)"),
    ],
)
def test_what_was_not_called_is_told_how_to_be(app, role, told):
    answer = inspect(app, role)
    assert (answer["status"], answer["callable_interface"]) == ("wrong-interface", "factory")
    assert told in answer["error"]["message"]


@pytest.mark.parametrize(
    "app", ["text", None, {"http": 1}, SimpleLazyObject(get_asgi_application), os]
)
def test_what_cannot_be_called_is_an_error(app):
    answer = inspect(app)
    assert answer["status"] == "error"
    assert answer["error"]["type"] == "TypeError"


def test_a_callable_lazy_object_is_built():
    class Application(LazyObject):
        def _setup(self):
            self._wrapped = get_asgi_application()

        def __call__(self, *args):
            return self._wrapped(*args)

    answer = inspected(Application(), "asgi", "site:application")[1]
    assert (answer["status"], answer["handler"]) == ("ok", DJANGO_ASGI)


# Wrappers


class Passing:
    def __init__(self, app):
        self.inner_one = app

    def __call__(self, *args, **kwargs):
        return self.inner_one(*args, **kwargs)


def closing_over(app):
    @functools.wraps(app)
    async def outer(scope, receive, send):
        await app(scope, receive, send)

    return outer


async def with_argument(app, scope, receive, send):
    await app(scope, receive, send)


@pytest.mark.parametrize(
    ("wrap", "names"),
    [
        (Passing, ["Passing"]),
        (closing_over, ["outer"]),
        (lambda app: functools.partial(with_argument, app), ["with_argument"]),
        (lambda app: SlotCall(app, "three"), ["SlotCall"]),
        (ASGIStaticFilesHandler, ["ASGIStaticFilesHandler"]),
        (ServeStaticASGI, ["ServeStaticASGI"]),
        (BaseMiddleware, ["BaseMiddleware"]),
        (CORSMiddleware, ["CORSMiddleware"]),
        (lambda app: GZipMiddleware(CORSMiddleware(app)), ["GZipMiddleware", "CORSMiddleware"]),
        (guarantee_single_callable, []),
        (
            lambda app: Passing(Passing(BaseMiddleware(app))),
            ["Passing", "Passing", "BaseMiddleware"],
        ),
        (lambda app: ProtocolTypeRouter({"http": app}), ["ProtocolTypeRouter"]),
    ],
)
def test_a_wrapper_is_looked_through(wrap, names, http):
    answer = inspect(wrap(http))
    assert (answer["status"], answer["callable_interface"]) == ("ok", "asgi")
    assert answer["handler"] == DJANGO_ASGI
    assert answer["protocols"] == ("http",)
    assert [name.rpartition(".")[2] for name in answer["wrappers"]] == names


@pytest.mark.parametrize(
    "wrap", [whitenoise.WhiteNoise, StaticFilesHandler, Passing, lambda app: SlotCall(app, "two")]
)
def test_a_wsgi_wrapper_is_looked_through(wrap, wsgi):
    answer = inspect(wrap(wsgi), "wsgi")
    assert (answer["status"], answer["callable_interface"]) == ("ok", "wsgi")
    assert answer["handler"] == DJANGO_WSGI
    assert len(answer["wrappers"]) == 1
    assert answer["protocols"] == ("http",)


@pytest.mark.parametrize(
    ("wrap", "inner", "role"),
    [
        (whitenoise.WhiteNoise, get_asgi_application, "asgi"),
        (whitenoise.WhiteNoise, get_asgi_application, "wsgi"),
        (StaticFilesHandler, get_asgi_application, "wsgi"),
        (BaseMiddleware, get_wsgi_application, "asgi"),
        (closing_over, get_wsgi_application, "asgi"),
        (lambda app: SlotCall(app, "two"), get_asgi_application, "wsgi"),
        (
            lambda app: ProtocolTypeRouter({"http": BaseMiddleware(app)}),
            get_wsgi_application,
            "asgi",
        ),
    ],
)
def test_a_wrapper_around_the_other_interface_is_seen(wrap, inner, role):
    answer = inspect(wrap(inner()), role)
    assert answer["status"] == "wrong-interface"
    assert "was given" in answer["error"]["message"] or "is called as" in answer["error"]["message"]


def test_wsgi_straight_below_a_router_is_seen(wsgi):
    assert inspect(ProtocolTypeRouter({"http": wsgi}))["status"] == "wrong-interface"


@pytest.mark.parametrize(
    ("app", "role", "handler"),
    [
        (lambda: WsgiToAsgi(get_wsgi_application()), "asgi", DJANGO_WSGI),
        (lambda: a2wsgi.WSGIMiddleware(get_wsgi_application()), "asgi", DJANGO_WSGI),
        (lambda: a2wsgi.ASGIMiddleware(get_asgi_application()), "wsgi", DJANGO_ASGI),
    ],
)
def test_an_adapter_is_no_mistake(app, role, handler):
    answer = inspect(app(), role)
    assert (answer["status"], answer["callable_interface"]) == ("ok", role)
    assert answer["handler"] == handler
    assert answer["protocols"][0] == "http"
    assert "websocket" not in answer["protocols"]


def test_the_wrong_interface_says_what_to_write(wsgi):
    answer = inspect(wsgi)
    assert answer["status"] == "wrong-interface"
    assert "get_asgi_application()" in answer["error"]["message"]
    assert inspect(get_asgi_application(), "wsgi")["callable_interface"] == "asgi"


# Channels


class Token(BaseMiddleware):
    async def __call__(self, scope, receive, send):
        return await super().__call__(dict(scope, token=1), receive, send)


def test_websocket_routes_come_with_their_wrappers(http):
    chat = URLRouter([re_path(r"^ws/(?P<room>\w+)/$", Chat.as_asgi())])
    stack = AllowedHostsOriginValidator(AuthMiddlewareStack(Token(chat)))
    answer = inspect(ProtocolTypeRouter({"http": http, "websocket": stack}))
    assert answer["protocols"] == ("http", "websocket")
    assert routes(answer) == [(r"^ws/(?P<room>\w+)/$", "Chat")]
    names = [name.rpartition(".")[2] for name in answer["websocket_routes"][0]["wrappers"]]
    assert names == [
        "OriginValidator",
        "CookieMiddleware",
        "SessionMiddleware",
        "AuthMiddleware",
        "Token",
    ]
    assert answer["wrappers"] == ("channels.routing.ProtocolTypeRouter",)


def test_nested_routers_join_their_prefixes(http):
    inner = URLRouter(
        [path("a/", Chat.as_asgi()), re_path(r"^b/$", plain_socket), re_path("", Chat.as_asgi())]
    )
    outer = URLRouter([path("ws/<int:n>/", Token(inner)), path("x/", inner)])
    answer = inspect(ProtocolTypeRouter({"http": http, "websocket": outer}))
    assert routes(answer) == [
        ("ws/<int:n>/a/", "Chat"),
        ("ws/<int:n>/b/$", "plain_socket"),
        ("ws/<int:n>/", "Chat"),
        ("x/a/", "Chat"),
        ("x/b/$", "plain_socket"),
        ("x/", "Chat"),
    ]


@pytest.mark.parametrize("callback", [Chat, Chat.as_asgi])
def test_a_consumer_without_as_asgi_is_seen(callback, http):
    socket = URLRouter([path("ws/", callback)])
    answer = inspect(ProtocolTypeRouter({"http": http, "websocket": socket}))
    assert routes(answer) == [("ws/", "Chat")]
    assert answer["websocket_routes"][0]["instantiated"] is False


@pytest.mark.parametrize(
    "callback", [Chat.as_asgi(), JsonWebsocketConsumer.as_asgi(), plain_socket]
)
def test_a_consumer_straight_below_websocket_takes_every_path(callback, http):
    answer = inspect(ProtocolTypeRouter({"http": http, "websocket": callback}))
    assert [route for route, _ in routes(answer)] == [""]


def test_http_consumers_and_mounts_below_http(http):
    api = FastAPI()
    router = URLRouter([path("events/", Events.as_asgi()), path("api/", api), re_path(r"", http)])
    answer = inspect(ProtocolTypeRouter({"http": router}))
    assert answer["http_consumers"] == [f"{__name__}.Events"]
    assert answer["mounts"] == [("api/", "fastapi.applications.FastAPI", "asgi")]
    assert answer["handler"] == DJANGO_ASGI
    assert answer["protocols"] == ("http",)


def test_routers_without_websocket_answer_none(http):
    assert inspect(ProtocolTypeRouter({"http": http}))["protocols"] == ("http",)
    empty = ProtocolTypeRouter({"http": http, "websocket": URLRouter([])})
    assert inspect(empty)["protocols"] == ("http",)
    other = ProtocolTypeRouter(
        {"http": http, "channel": ChannelNameRouter({"mail": AsyncConsumer.as_asgi()})}
    )
    assert inspect(other)["protocols"] == ("http", "channel")


def test_a_router_to_something_that_is_no_application_says_so(http):
    named = ProtocolTypeRouter({"http": http, "websocket": "chat.routing.application"})
    answer = inspect(named)
    assert (answer["status"], answer["protocols"]) == ("wrong-interface", ("http",))
    assert "'websocket' is 'chat.routing.application'" in answer["error"]["message"]
    off = inspect(ProtocolTypeRouter({"http": http, "websocket": None}))
    assert (off["status"], off["protocols"]) == ("ok", ("http",))


def test_a_url_router_alone_sorts_by_consumer(http):
    answer = inspect(
        URLRouter([path("ws/", Chat.as_asgi()), path("sse/", Events.as_asgi()), re_path("", http)])
    )
    assert answer["protocols"] == ("http", "websocket")
    assert routes(answer) == [("ws/", "Chat")]
    assert answer["http_consumers"] == [f"{__name__}.Events"]


class Lifespans(ProtocolTypeRouter):
    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
        else:
            await super().__call__(scope, receive, send)


class LifespanHandler(ASGIHandler):
    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await send({"type": "lifespan.startup.complete"})
            return None
        return await super().__call__(scope, receive, send)


def test_subclasses_answer_what_they_add(http):
    assert inspect(Lifespans({"http": http}))["protocols"] == ("http", "lifespan")
    answer = inspect(LifespanHandler())
    assert answer["protocols"] == ("http", "lifespan")
    assert answer["handler"] == f"{__name__}.LifespanHandler"


# Other frameworks


async def live(websocket):
    pass


async def page(request):
    pass


def test_starlette_around_django(http):
    app = Starlette(
        routes=[
            Route("/ping", page),
            WebSocketRoute("/ws", live),
            Mount("/nested", routes=[WebSocketRoute("/more", live)]),
            Mount("/", http),
        ],
        middleware=[Middleware(CORSMiddleware, allow_origins=["*"])],
    )
    answer = inspect(app)
    assert answer["protocols"] == ("http", "websocket", "lifespan")
    assert answer["handler"] == DJANGO_ASGI
    assert routes(answer) == [("/ws", "live"), ("/nested/more", "live")]
    assert answer["mounts"] == [("/", "starlette.applications.Starlette", "asgi")]
    assert [name.rpartition(".")[2] for name in answer["wrappers"]] == [
        "Starlette",
        "CORSMiddleware",
    ]


def test_starlette_below_a_router_gets_only_http(http):
    app = FastAPI()
    app.add_api_websocket_route("/ws", live)
    app.mount("/django", http)
    answer = inspect(ProtocolTypeRouter({"http": app}))
    assert answer["protocols"] == ("http",)
    assert answer["websocket_routes"] == []
    assert answer["handler"] == DJANGO_ASGI


def test_socketio_over_asgi(http):
    answer = inspect(socketio.ASGIApp(socketio.AsyncServer(async_mode="asgi"), http))
    assert answer["socketio"] is True
    assert answer["protocols"] == ("http", "websocket")
    assert routes(answer) == [("/socket.io/", "AsyncServer")]
    assert answer["handler"] == DJANGO_ASGI


def test_socketio_around_a_router(http):
    inner = ProtocolTypeRouter(
        {"http": http, "websocket": URLRouter([path("ws/", Chat.as_asgi())])}
    )
    answer = inspect(
        socketio.ASGIApp(socketio.AsyncServer(async_mode="asgi"), inner, socketio_path="live")
    )
    assert routes(answer) == [("/live/", "AsyncServer"), ("ws/", "Chat")]


def test_socketio_over_wsgi(wsgi):
    answer = inspect(socketio.WSGIApp(socketio.Server(async_mode="threading"), wsgi), "wsgi")
    assert (answer["status"], answer["socketio"]) == ("ok", True)
    assert answer["protocols"] == ("http", "websocket")
    assert answer["handler"] == DJANGO_WSGI
    polling = socketio.Server(async_mode="threading", transports=["polling"])
    assert inspect(socketio.WSGIApp(polling, wsgi), "wsgi")["protocols"] == ("http",)


def test_socketio_with_the_wrong_server(http, wsgi):
    answer = inspect(socketio.WSGIApp(socketio.AsyncServer(async_mode="asgi"), wsgi), "wsgi")
    assert answer["status"] == "wrong-interface"
    assert "needs a Server" in answer["error"]["message"]
    answer = inspect(socketio.ASGIApp(socketio.Server(async_mode="threading"), http))
    assert "needs a AsyncServer" in answer["error"]["message"]


# Functions that dispatch by themselves

django_application = get_asgi_application()
other_application = FastAPI()
SOCKETS = URLRouter([path("ws/", Chat.as_asgi())])
BY_TYPE = {"http": django_application, "websocket": SOCKETS}


async def by_if(scope, receive, send):
    kind = scope["type"]
    if kind == "http":
        await django_application(scope, receive, send)
    elif kind == "websocket":
        await SOCKETS(scope, receive, send)
    else:
        raise NotImplementedError(kind)


async def by_match(scope, receive, send):
    match scope.get("type"):
        case "http":
            await django_application(scope, receive, send)
        case "websocket":
            await SOCKETS(scope, receive, send)
        case _:
            return


async def by_scope(scope, receive, send):
    match scope:
        case {"type": "websocket", "path": _}:
            await SOCKETS(scope, receive, send)
        case {"type": "http" | "https"}:
            await django_application(scope, receive, send)
        case _:
            raise NotImplementedError


async def by_early_return(scope, receive, send):
    if scope["type"] != "websocket":
        return await django_application(scope, receive, send)
    return await SOCKETS(scope, receive, send)


async def by_choice(scope, receive, send):
    app = SOCKETS if scope["type"] == "websocket" else django_application
    await app(scope, receive, send)


async def by_assignment(scope, receive, send):
    app = django_application
    if scope["type"] in ("websocket", "telegram"):
        app = SOCKETS
    await app(scope, receive, send)


async def by_mapping(scope, receive, send):
    await BY_TYPE[scope["type"]](scope, receive, send)


async def by_get(scope, receive, send):
    await BY_TYPE.get(scope["type"], django_application)(scope, receive, send)


async def by_literal(scope, receive, send):
    apps = {"http": django_application, "websocket": SOCKETS}
    await apps[scope["type"]](scope, receive, send)


async def by_membership(scope, receive, send):
    if scope["type"] not in BY_TYPE:
        raise ValueError(scope["type"])
    await BY_TYPE[scope["type"]](scope, receive, send)


async def in_a_try(scope, receive, send):
    try:
        if scope["type"] == "websocket" and scope["path"]:
            await SOCKETS(scope, receive, send)
        else:
            await django_application(scope, receive, send)
    except ValueError:
        await send({"type": "websocket.close"})


class ByMethods:
    def __init__(self):
        self.web = django_application
        self.live = SOCKETS

    async def __call__(self, scope, receive, send):
        if scope["type"] == "websocket":
            await self.on_socket(scope, receive, send)
        else:
            await self.web(scope, receive, send)

    async def on_socket(self, scope, receive, send):
        await self.live(scope, receive, send)


@pytest.mark.parametrize(
    "app",
    [
        by_if,
        by_match,
        by_scope,
        by_early_return,
        by_choice,
        by_assignment,
        by_mapping,
        by_get,
        by_literal,
        by_membership,
        in_a_try,
        ByMethods(),
    ],
    ids=lambda app: getattr(app, "__name__", "methods"),
)
def test_a_dispatcher_is_read(app):
    answer = inspect(app)
    assert (answer["status"], answer["callable_interface"]) == ("ok", "asgi")
    assert answer["protocols"] == ("http", "websocket")
    assert routes(answer) == [("ws/", "Chat")]
    assert answer["handler"] == DJANGO_ASGI


async def refusing(scope, receive, send):
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    if scope["type"] == "lifespan":
        raise NotImplementedError
    await django_application(scope, receive, send)


async def refusing_by_helper(scope, receive, send):
    if scope["type"] == "websocket":
        await deny(send)
    else:
        await django_application(scope, receive, send)


async def deny(send):
    await send({"type": "websocket.close"})


async def deny_socket(scope, receive, send):
    await receive()
    await send({"type": "websocket.close"})


class DenySocket:
    async def __call__(self, scope, receive, send):
        await deny(send)


@pytest.mark.parametrize("app", [refusing, refusing_by_helper])
def test_a_refusal_is_no_answer(app):
    answer = inspect(app)
    assert answer["protocols"] == ("http",)
    assert answer["websocket_routes"] == []


@pytest.mark.parametrize("app", [deny_socket, DenySocket()])
def test_a_router_that_only_refuses_answers_none(app, http):
    answer = inspect(ProtocolTypeRouter({"http": http, "websocket": app}))
    assert answer["protocols"] == ("http",)


class Socket:
    def __init__(self, scope, receive, send):
        self.send = send

    async def accept(self):
        await self.send({"type": "websocket.accept"})


async def answering_with_a_class(scope, receive, send):
    if scope["type"] == "http":
        await django_application(scope, receive, send)
    elif scope["type"] == "websocket":
        await Socket(scope, receive, send).accept()


def test_a_named_type_that_goes_to_something_unknown_is_answered():
    answer = inspect(answering_with_a_class)
    assert (answer["protocols"], answer["guessed"]) == (("http", "websocket"), True)
    assert routes(answer) == [("", "answering_with_a_class")]


async def inline(scope, receive, send):
    if scope["type"] == "websocket":
        while True:
            event = await receive()
            if event["type"] == "websocket.connect":
                await send({"type": "websocket.accept"})
    elif scope["type"] == "lifespan":
        await send({"type": "lifespan.startup.complete"})
    else:
        await django_application(scope, receive, send)


def test_what_a_function_answers_itself_is_a_route_at_its_line():
    answer = inspect(inline)
    assert answer["protocols"] == ("http", "websocket", "lifespan")
    assert answer["guessed"] is True
    lines = Path(__file__).read_text().splitlines()
    route = answer["websocket_routes"][0]
    assert (route["route"], route["consumer"]) == ("", f"{__name__}.inline")
    assert "websocket.accept" in lines[route["line"] - 1]


async def by_path(scope, receive, send):
    if scope["type"] == "http" and scope["path"].startswith("/api"):
        await other_application(scope, receive, send)
    else:
        await django_application(scope, receive, send)


async def metrics(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


class PathPrefix:
    def __init__(self, prefix, app, fallback):
        self.prefix, self.app, self.fallback = prefix, app, fallback

    async def __call__(self, scope, receive, send):
        if scope["path"].startswith(self.prefix):
            return await self.app(scope, receive, send)
        return await self.fallback(scope, receive, send)


def test_what_is_sent_tells_which_protocol_is_answered(http):
    answer = inspect(PathPrefix("/metrics", metrics, http))
    assert (answer["protocols"], answer["websocket_routes"]) == (("http",), [])


library_application = PlainTextResponse("up")


class SocketsByName:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "websocket":
            return await self.app(scope, receive, send)
        return await self.on_socket(scope, receive, send)

    async def on_socket(self, scope, receive, send):
        handler = find_handler(scope["path"])
        await handler(scope, receive, send)


def find_handler(path):
    return {"/ws/": plain_socket}[path]


def test_what_is_looked_up_by_name_is_one_route(http):
    (route,) = inspect(SocketsByName(http))["websocket_routes"]
    assert route["consumer"] == f"{__name__}.SocketsByName.on_socket"
    assert route["wrappers"] == (f"{__name__}.SocketsByName",)


async def by_one_path(scope, receive, send):
    if scope["type"] == "http" and scope["path"] == "/up":
        await library_application(scope, receive, send)
    else:
        await django_application(scope, receive, send)


def test_one_path_is_a_mount_too():
    mounted = ("/up", "starlette.responses.PlainTextResponse", "asgi")
    assert inspect(by_one_path)["mounts"] == [mounted]


def test_a_function_that_a_library_made_is_a_mount(monkeypatch):
    # As prometheus_client.make_asgi_app() returns one
    text = "async def metrics_app(scope, receive, send): pass"
    made = {"__name__": "library"}
    exec(compile(text, Path(whitenoise.__file__).with_name("made.py"), "exec"), made)
    monkeypatch.setitem(globals(), "library_application", made["metrics_app"])
    assert inspect(by_one_path)["mounts"] == [("/up", "library.metrics_app", "asgi")]


def test_a_consumer_of_another_protocol(http):
    answer = inspect(ProtocolTypeRouter({"http": http, "mqtt": AsyncConsumer.as_asgi()}))
    assert answer["protocols"] == ("http", "mqtt")


def test_an_application_below_a_path_is_a_mount():
    answer = inspect(by_path)
    assert answer["mounts"] == [("/api", "fastapi.applications.FastAPI", "asgi")]
    assert answer["handler"] == DJANGO_ASGI
    assert answer["protocols"] == ("http",)


async def by_scope_and_path(scope, receive, send):
    match scope:
        case {"type": "websocket", "path": "/live/"}:
            await plain_socket(scope, receive, send)
        case {"type": "http"}:
            await django_application(scope, receive, send)


def test_a_path_in_a_pattern_is_the_route():
    answer = inspect(by_scope_and_path)
    assert answer["protocols"] == ("http", "websocket")
    assert routes(answer) == [("/live/", "plain_socket")]


async def passing_on(scope, receive, send):
    async def watched(message):
        await send(message)

    await django_application(scope, receive, watched)


def test_a_function_that_only_passes_on_is_no_guess():
    answer = inspect(passing_on)
    assert (answer["protocols"], answer["guessed"]) == (("http",), False)
    assert answer["handler"] == DJANGO_ASGI


@functools.cache
def build():
    return ProtocolTypeRouter({"http": get_asgi_application(), "websocket": SOCKETS})


async def built_by_call(scope, receive, send):
    await build()(scope, receive, send)


def test_an_opaque_application_is_guessed_from_its_text():
    found, answer = inspected(built_by_call, "asgi", "site:application")
    assert found.opaque
    assert "websocket" in answer["protocols"]
    assert answer["guessed"] is True
    build()
    answer = inspect(built_by_call)
    assert (answer["handler"], routes(answer)) == (DJANGO_ASGI, [("ws/", "Chat")])


_built = None


async def built_in_a_global(scope, receive, send):
    global _built  # noqa: PLW0603 - as projects do
    if _built is None:
        _built = ProtocolTypeRouter({"http": get_asgi_application(), "websocket": SOCKETS})
    await _built(scope, receive, send)


class BuiltByProperty:
    @functools.cached_property
    def app(self):
        return ProtocolTypeRouter({"http": get_asgi_application(), "websocket": SOCKETS})

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


@pytest.mark.parametrize("app", [built_in_a_global, BuiltByProperty()])
def test_what_is_built_at_the_first_call_is_looked_into_after_it(app):
    first_call(app)
    answer = inspect(app)
    assert answer["handler"] == DJANGO_ASGI
    assert (answer["protocols"], routes(answer)) == (("http", "websocket"), [("ws/", "Chat")])


def test_a_first_call_that_would_start_something_is_not_made():
    async def application(scope, receive, send):
        if scope["type"] == "lifespan":
            started.append(scope)
        await build()(scope, receive, send)

    started: list[object] = []
    first_call(application)
    assert started == []


class Dispatcher:
    """As Werkzeug's: other applications below paths."""

    def __init__(self, app, mounts):
        self.app = app
        self.mounts = mounts

    def __call__(self, environ, start_response):
        return self.mounts.get(environ["PATH_INFO"], self.app)(environ, start_response)


class OtherFramework:
    def __call__(self, environ, start_response):
        return []


def test_applications_mounted_by_path(wsgi, http):
    answer = inspect(Dispatcher(wsgi, {"/other": OtherFramework()}), "wsgi")
    assert answer["mounts"] == [("/other", f"{__name__}.OtherFramework", "wsgi")]
    assert answer["handler"] == DJANGO_WSGI
    adapted = a2wsgi.WSGIMiddleware(OtherFramework())
    answer = inspect(ProtocolTypeRouter({"http": URLRouter([path("o/", adapted), path("", http)])}))
    assert answer["mounts"] == [("o/", f"{__name__}.OtherFramework", "wsgi")]


def test_messages_name_the_application(wsgi):
    assert re.match(
        "site.entry:application is a WSGI application", inspect(wsgi)["error"]["message"]
    )
