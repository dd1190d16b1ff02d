"""Applications of other frameworks: Starlette and FastAPI, Socket.IO and Engine.IO."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .signature import descends, dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

# Class names whose instances are Starlette's application or router
_STARLETTE = ("starlette.applications.Starlette", "starlette.routing.Router")


def is_starlette(app: Any) -> bool:
    """Whether ``app`` is a Starlette or FastAPI application, or a router of theirs."""
    return descends(app, *_STARLETTE)


class StarletteRoute(NamedTuple):
    """One route: ``kind`` is ``websocket``, ``mount`` or ``http``; ``target`` what it calls."""

    kind: str
    path: str
    target: Any


def starlette_routes(app: Any) -> Iterator[StarletteRoute]:
    """The routes of a Starlette application or router, those of included routers too."""
    for route in list(getattr(app, "routes", None) or ()):
        yield from _starlette_route(route)


def _starlette_route(route: Any) -> Iterator[StarletteRoute]:
    contexts = getattr(route, "effective_route_contexts", None)
    if callable(contexts):  # FastAPI keeps an included router as one route
        for context in contexts():
            original = getattr(context, "starlette_route", None) or context.original_route
            yield from _starlette_route(original)
        return
    path = getattr(route, "path", None) or ""
    if descends(route, "WebSocketRoute"):
        yield StarletteRoute("websocket", path, route.endpoint)
    elif descends(route, "Mount", "Host"):
        yield StarletteRoute("mount", path, route.app)
    else:
        yield StarletteRoute("http", path, getattr(route, "endpoint", None))


def starlette_middleware(app: Any) -> tuple[str, ...]:
    """The middleware that the user added, outermost first."""
    added = getattr(app, "user_middleware", None) or ()
    return tuple(dotted(item.cls) for item in added if hasattr(item, "cls"))


class SocketIO(NamedTuple):
    """A Socket.IO or Engine.IO application: its server, path, and what is behind it.

    ``websocket`` is False where its transports leave WebSocket out, ``lifespan`` True
    where it answers lifespan itself.
    """

    server: Any
    path: str
    inner: Any
    websocket: bool
    lifespan: bool
    problem: str | None


def socketio_of(app: Any) -> SocketIO | None:
    """The Socket.IO application that ``app`` is, None for anything else."""
    asgi = descends(app, "engineio.async_drivers.asgi.ASGIApp")
    if not asgi and not descends(app, "engineio.middleware.WSGIApp"):
        return None
    server = getattr(app, "engineio_server", None) or getattr(app, "engineio_app", None)
    inner = getattr(app, "other_asgi_app", None) if asgi else getattr(app, "wsgi_app", None)
    engine = getattr(server, "eio", server)
    transports = getattr(engine, "transports", None)
    is_async = any("Async" in base.__name__ for base in type(server).__mro__)
    problem = None
    if is_async != asgi:
        right = "AsyncServer" if asgi else "Server"
        problem = f"{dotted(app)} needs a {right}, and was given a {dotted(server)}"
    hooks = getattr(app, "on_startup", None) or getattr(app, "on_shutdown", None)
    return SocketIO(
        server,
        (getattr(app, "engineio_path", None) or "/"),
        inner,
        transports is None or "websocket" in transports,
        asgi and (inner is None or bool(hooks)),
        problem,
    )
