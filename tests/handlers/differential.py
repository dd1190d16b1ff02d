"""One request through Django's handler and through ours: a random project, and what it did.

A ``Scenario`` is data. ``observe()`` builds its middleware, view and receivers, sends its
request over the ASGI interface from a plain event loop, as a server does, and returns
everything that could be seen: the trace of the project's code with the thread it ran in,
the SQL, the messages to the client and the exception that left the application.
"""

from __future__ import annotations

import asyncio
import contextvars
import re
import sys
import threading
import time
import types
from dataclasses import dataclass, field
from typing import Any

from asgiref.local import Local
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.contrib import messages
from django.contrib.sessions.models import Session
from django.core import signals
from django.core.exceptions import MiddlewareNotUsed, PermissionDenied, SuspiciousOperation
from django.db import connections, transaction
from django.db.backends.signals import connection_created
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.template.response import SimpleTemplateResponse
from django.test import override_settings
from django.urls import clear_url_caches, path, set_urlconf
from django.utils.decorators import (
    async_only_middleware,
    sync_and_async_middleware,
    sync_only_middleware,
)
from django.utils.deprecation import MiddlewareMixin

MODULE = "tests_differential_project"

RAISES = {
    "404": Http404,
    "denied": PermissionDenied,
    "suspicious": SuspiciousOperation,
    "error": ValueError,
}
QUIET = ("nothing", "setvar", "readvar", "query", "session", "write", "message", "token", "user")
ENDS = ("respond", *RAISES)


@dataclass(frozen=True)
class Middleware:
    """One entry of MIDDLEWARE: Django's own by its path, or one of the project's by its kind."""

    kind: str
    hooks: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Scenario:
    """A project and one request."""

    middleware: tuple[Middleware, ...]
    view: str
    does: str
    method: str = "GET"
    path: str = "/page/"
    host: str = "testserver"
    cookie: bool = False
    token: bool = False
    receivers: bool = False
    atomic: bool = False
    public: bool = False
    """The view is marked as one that needs no login."""
    leaves: bool = False
    """The client leaves as soon as the project says that it waits."""


@dataclass
class World:
    """What one observation has collected, and how its code reaches the event loop."""

    loop: asyncio.AbstractEventLoop
    gone: asyncio.Event
    leaves: bool
    events: list[tuple[str, int]] = field(default_factory=list)

    def note(self, event: str) -> None:
        self.events.append((event, threading.get_ident()))

    def waits(self) -> None:
        """The project waits now: time for the client to leave."""
        if self.leaves:
            self.loop.call_soon_threadsafe(self.gone.set)


WORLD: World
VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")
LOCAL = Local()


def act(what: str, request: Any, where: str) -> Any:  # noqa: C901 - a branch a case
    """Do ``what`` in synchronous code."""
    WORLD.note(f"{where} {what}")
    if what in RAISES:
        raise RAISES[what](where)
    if what == "respond":
        return HttpResponse(f"by {where}")
    if what == "setvar":
        VARIABLE.set(where)
        LOCAL.value = where
    elif what == "readvar":
        WORLD.note(f"{where} sees {VARIABLE.get()} {getattr(LOCAL, 'value', 'unset')}")
    elif what == "query":
        WORLD.note(f"{where} counts {Session.objects.filter(pk='none').count()}")
    elif what == "session" and hasattr(request, "session"):
        WORLD.note(f"{where} reads {request.session.get('kept')}")
    elif what == "write" and hasattr(request, "session"):
        request.session["by"] = where
    elif what == "message" and hasattr(request, "_messages"):
        messages.warning(request, where)
    elif what == "token":
        get_token(request)
    elif what == "user" and hasattr(request, "user"):
        WORLD.note(f"{where} is {request.user}")
    elif what == "block":
        WORLD.waits()
        time.sleep(0.03)
        WORLD.note(f"{where} unblocked")
    return None


# Middleware


def hook(name: str, what: str, where: str) -> Any:
    """A hook method of a mixin."""
    label = f"{where}.{name}"

    def process_request(self: Any, request: Any) -> Any:
        return act(what, request, label)

    def process_view(self: Any, request: Any, *_: Any) -> Any:
        return act(what, request, label)

    async def aprocess_view(self: Any, request: Any, *_: Any) -> Any:
        WORLD.note(f"{label} async")
        await asyncio.sleep(0)
        return HttpResponse("by async view hook") if what == "respond" else None

    def process_exception(self: Any, request: Any, error: Exception) -> Any:
        return act(what, request, f"{label} {error!r}")

    def process_response(self: Any, request: Any, response: Any) -> Any:
        answer = act(what, request, f"{label} {response.status_code}") or response
        answer.headers[where] = "passed"
        return answer

    def process_template_response(self: Any, request: Any, response: Any) -> Any:
        act(what, request, label)
        return response

    if name == "process_view" and where.endswith(("1", "3")):
        return aprocess_view
    return locals()[name]


def factory_of(middleware: Middleware, where: str) -> Any:  # noqa: C901 - a function a kind
    """The factory that stands in MIDDLEWARE for ``middleware``."""
    what = dict(middleware.hooks).get("process_request", "nothing")
    kind = middleware.kind
    if kind == "mixin":
        return type(
            "Mixin", (MiddlewareMixin,), {n: hook(n, w, where) for n, w in middleware.hooks}
        )
    if kind == "not_used":

        def not_used(get_response: Any) -> Any:
            raise MiddlewareNotUsed(where)

        return not_used

    def sync(get_response: Any) -> Any:
        def call(request: Any) -> Any:
            response = act(what, request, where) or get_response(request)
            WORLD.note(f"{where} after {response.status_code}")
            return response

        return call

    def asynchronous(get_response: Any) -> Any:
        async def call(request: Any) -> Any:
            WORLD.note(f"{where} before")
            VARIABLE.set(where)
            try:
                response = await get_response(request)
            except asyncio.CancelledError:
                WORLD.note(f"{where} cancelled")
                raise
            WORLD.note(f"{where} after {response.status_code} {VARIABLE.get()}")
            return response

        return call

    def dual(get_response: Any) -> Any:
        return (asynchronous if iscoroutinefunction(get_response) else sync)(get_response)

    decorate = {
        "sync_function": sync_only_middleware(sync),
        "async_function": async_only_middleware(asynchronous),
        "dual_function": sync_and_async_middleware(dual),
    }
    if kind in decorate:
        return decorate[kind]

    class Native:
        sync_capable = kind == "sync_class"
        async_capable = kind == "async_class"

        def __init__(self, get_response: Any) -> None:
            self._call = (asynchronous if self.async_capable else sync)(get_response)
            if self.async_capable:
                markcoroutinefunction(self)

        def __call__(self, request: Any) -> Any:
            return self._call(request)

    for name, does in middleware.hooks:
        if name in ("process_view", "process_exception", "process_template_response"):
            setattr(Native, name, hook(name, does, where))
    return Native


# Views


class Deferred(SimpleTemplateResponse):
    """A response that is rendered after the view, by no template."""

    def __init__(self, does: str, request: Any) -> None:
        super().__init__("none")
        self._does, self._request = does, request

    @property
    def rendered_content(self) -> str:
        act(self._does, self._request, "render")
        return "rendered"


def view_of(kind: str, does: str) -> Any:  # noqa: C901 - a function a kind
    """The view of the scenario."""

    def answer(request: Any) -> Any:
        return act(does, request, "view") or HttpResponse("view")

    def atomic(request: Any) -> Any:
        with transaction.atomic():
            return answer(request)

    def nothing(request: Any) -> Any:
        act(does, request, "view")

    def template(request: Any) -> Any:
        WORLD.note("view")
        return Deferred(does, request)

    def stream(request: Any) -> Any:
        def parts() -> Any:
            yield b"one"
            WORLD.note("streaming")
            yield b"two"

        act(does, request, "view")
        return StreamingHttpResponse(parts())

    async def asynchronous(request: Any) -> Any:
        WORLD.note("async view")
        if does in RAISES:
            raise RAISES[does]("view")
        if does == "query":
            WORLD.note(f"counts {await Session.objects.filter(pk='none').acount()}")
        elif does == "user" and hasattr(request, "auser"):
            WORLD.note(f"is {await request.auser()}")
        elif does == "write" and hasattr(request, "session"):
            await request.session.aset("by", "view")
        elif does == "setvar":
            VARIABLE.set("view")
        elif does == "block":
            WORLD.waits()
            try:
                await asyncio.sleep(1 if WORLD.leaves else 0)
            except asyncio.CancelledError:
                WORLD.note("async view cancelled")
                raise
        return HttpResponse("async view")

    async def async_template(request: Any) -> Any:
        WORLD.note("async view")
        return Deferred(does, request)

    async def async_stream(request: Any) -> Any:
        async def parts() -> Any:
            try:
                yield b"one"
                if does == "block":
                    WORLD.waits()
                    await asyncio.sleep(1 if WORLD.leaves else 0)
                elif does == "query":
                    WORLD.note(f"counts {await Session.objects.filter(pk='none').acount()}")
                yield b"two"
            finally:
                WORLD.note("stream closed")

        return StreamingHttpResponse(parts())

    return {
        "sync": answer,
        "atomic": atomic,
        "none": nothing,
        "template": template,
        "stream": stream,
        "async": asynchronous,
        "async_template": async_template,
        "async_stream": async_stream,
    }[kind]


# Observation


def observe(scenario: Scenario, make_handler: Any) -> dict[str, Any]:
    """What can be seen of ``scenario`` with the handler that ``make_handler()`` returns."""
    module = types.ModuleType(MODULE)
    entries = []
    for number, middleware in enumerate(scenario.middleware):
        if "." in middleware.kind:
            entries.append(middleware.kind)
        else:
            setattr(module, f"m{number}", factory_of(middleware, f"m{number}"))
            entries.append(f"{MODULE}.m{number}")
    view = view_of(scenario.view, scenario.does)
    view.login_required = not scenario.public  # what login_not_required() does
    module.urlpatterns = [path("page/", view)]  # type: ignore[attr-defined]
    sys.modules[MODULE] = module
    database = connections.settings["default"]
    try:
        database["ATOMIC_REQUESTS"] = scenario.atomic
        with override_settings(
            MIDDLEWARE=entries, ROOT_URLCONF=MODULE, DEBUG=False, ALLOWED_HOSTS=["testserver"]
        ):
            return asyncio.run(_exchange(scenario, make_handler))
    finally:
        database["ATOMIC_REQUESTS"] = False
        del sys.modules[MODULE]
        clear_url_caches()
        set_urlconf(None)


async def _exchange(scenario: Scenario, make_handler: Any) -> dict[str, Any]:
    global WORLD  # noqa: PLW0603 - the project's code has it as it would a module of its own
    WORLD = World(asyncio.get_running_loop(), asyncio.Event(), scenario.leaves)
    connected = _receivers(scenario)
    sent: list[Any] = []
    left = None
    try:
        handler = make_handler()
        body = b"csrfmiddlewaretoken=" + b"a" * 32 if scenario.token else b"x=y"
        incoming = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            if incoming:
                return incoming.pop()
            await WORLD.gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        try:
            await asyncio.wait_for(handler(_scope(scenario), receive, send), 20)
        except Exception as error:
            left = repr(error)
    finally:
        for signal, receiver in connected:
            signal.disconnect(receiver)
    return {"trace": _named(WORLD.events), "sent": _normal(sent), "left": left}


def _receivers(scenario: Scenario) -> list[tuple[Any, Any]]:
    """Connect what listens in this scenario; the SQL is always listened to."""

    def started(**_: Any) -> None:
        WORLD.note("started")

    def finished(**_: Any) -> None:
        WORLD.note("finished")

    async def afinished(**_: Any) -> None:
        WORLD.note("finished async")

    connected = [(connection_created, _listen_to_sql)]
    if scenario.receivers:
        connected += [
            (signals.request_started, started),
            (signals.request_finished, finished),
            (signals.request_finished, afinished),
        ]
    for signal, receiver in connected:
        signal.connect(receiver, weak=False)
    return connected


def _listen_to_sql(connection: Any, **_: Any) -> None:
    if _note_sql not in connection.execute_wrappers:
        connection.execute_wrappers.append(_note_sql)


def _note_sql(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    WORLD.note("sql " + re.sub(r'"s\d+_x', '"s_x', " ".join(sql.split()[:3])))
    return execute(sql, params, many, context)


def _scope(scenario: Scenario) -> dict[str, Any]:
    headers = [(b"host", scenario.host.encode())]
    if scenario.cookie:
        headers.append((b"cookie", b"sessionid=" + b"k" * 32 + b"; csrftoken=" + b"a" * 32))
    if scenario.method == "POST":
        headers.append((b"content-type", b"application/x-www-form-urlencoded"))
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": scenario.method,
        "scheme": "http",
        "path": scenario.path,
        "raw_path": scenario.path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 5000),
        "server": ("127.0.0.1", 80),
    }


def _named(events: list[tuple[str, int]]) -> list[tuple[str, str]]:
    """The events with their threads named in the order of their appearance."""
    names = {threading.get_ident(): "loop"}
    return [(event, names.setdefault(ident, f"thread {len(names)}")) for event, ident in events]


_RANDOM = re.compile(rb"(sessionid|csrftoken|messages)=[^;]*|expires=[^;]*")


def _normal(sent: list[Any]) -> list[Any]:
    """What was sent, without what is random or a matter of the clock."""
    normal = []
    for message in sent:
        if message["type"] == "http.response.start":
            headers = [
                (name.lower(), _RANDOM.sub(rb"\1=...", value)) for name, value in message["headers"]
            ]
            normal.append((message["status"], sorted(headers)))
        else:
            normal.append((message.get("body", b""), message.get("more_body", False)))
    return normal
