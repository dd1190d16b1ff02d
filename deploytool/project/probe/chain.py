"""The walk from the outermost callable of an entry point to Django's handler.

At every step the set of scope types that can still arrive is known, so that a protocol is
only said to be answered where a connection of that type really ends.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from .consumers import Place, consumer_of, consumer_route, function_route, routes_of
from .found import Found
from .inner import PROTOCOLS, constants, held, protocol_items
from .matching import unmatched
from .mismatch import mismatch, uncallable
from .mounted import is_starlette, socketio_of, starlette_middleware, starlette_routes
from .reading import read
from .signature import descends, dotted, evaluated, function_of, interface_of, makes
from .text import is_project
from .way import ROUTERS, Way

if TYPE_CHECKING:
    from collections.abc import Callable

    from .inner import Held

HANDLERS = ("django.core.handlers.wsgi.WSGIHandler", "django.core.handlers.asgi.ASGIHandler")
_VALIDATOR = "channels.security.websocket"
"""The module of OriginValidator, which refuses other scope types than ``websocket``."""
STATIC_HANDLER = "django.contrib.staticfiles.handlers.StaticFilesHandlerMixin"
_DEPTH = 30


class Walk:
    """One walk through an application; ``found`` collects what it meets."""

    def __init__(self, role: str) -> None:
        self.found = Found()
        self.role = role
        self._seen: set[tuple[int, frozenset[str], str]] = set()
        self._kept: list[Any] = []  # so that an id is not used twice
        self._kinds: tuple[tuple[Callable[[Any], bool], Callable[[Any, Way], set[str]]], ...] = (
            (lambda app: isinstance(app, dict), self.by_protocol),
            (lambda app: consumer_of(app) is not None, self._consumer),
            (lambda app: isinstance(app, type), self._class),
            (lambda app: descends(app, *ROUTERS), self.router),
            (is_starlette, self._starlette),
            (lambda app: socketio_of(app) is not None, self._socketio),
            (lambda app: descends(app, *HANDLERS), self._handler),
            (callable, self._callable),
        )

    def start(self, app: Any) -> Found:
        """Walk from the outermost callable."""
        types = {"http"} if self.role == "wsgi" else PROTOCOLS
        answered = self.visit(app, Way(frozenset(types)))
        if self.found.opaque and not answered:
            answered = {"http"}
            self.found.guessed = True
        self.found.protocols |= answered
        return self.found

    def visit(self, app: Any, way: Way) -> set[str]:
        """Walk into ``app``; return those of the arriving scope types that are answered."""
        app = evaluated(app)
        key = (id(app), way.types, way.prefix)
        if key in self._seen or len(way.wrappers) > _DEPTH or not way.types:
            return set()
        self._seen.add(key)
        self._kept.append(app)
        if way.wrappers and self.found.inner_interface is None:
            self.found.inner_interface = interface_of(app)
        for is_kind, walk in self._kinds:
            if is_kind(app):
                return walk(app, way)
        return set()

    # Django's handler, Channels' routers and consumers

    def _handler(self, app: Any, way: Way) -> set[str]:
        inside = held(app)
        if descends(app, STATIC_HANDLER) and "http" in way.types:
            self.found.static_handler = self.found.static_handler or dotted(app)
        if inside:  # a static files handler, or another that wraps
            return self.inside(app, inside, way.through(dotted(app)))
        answered = set(way.types & {"http"})
        if answered:
            if self.found.handler is None:
                self.found.handler_interface = "asgi" if descends(app, HANDLERS[1]) else "wsgi"
            self.found.http_way(way.wrappers, dotted(app))
        function = function_of(app)
        if function is not None and not function.__module__.startswith("django.core.handlers."):
            # A subclass that answers more than its base: lifespan, as a rule
            more = read(self, app, function, way.only(way.types - {"http"}))
            if more is None and "lifespan" in constants(function.__code__):
                more = set(way.types & {"lifespan"})
            answered |= more or set()
        return answered

    def router(self, app: Any, way: Way) -> set[str]:
        """A ProtocolTypeRouter, URLRouter or ChannelNameRouter, or what descends from one."""
        inner = way.routed(dotted(app))
        answered: set[str] = set()
        if descends(app, "URLRouter"):
            routes = getattr(app, "routes", ())
            for route, literal, callback in routes_of(routes, way.prefix):
                answered |= self.route(callback, inner._replace(prefix=route), literal)
            self.found.unmatched += unmatched(routes, way.prefix)
        elif descends(app, "ChannelNameRouter"):
            return set(way.types & {"channel"})
        else:
            answered = self.by_protocol(getattr(app, "application_mapping", None) or {}, inner)
        function = function_of(app)
        if function is not None:  # a __call__ of the project's own may answer more
            answered |= read(self, app, function, inner.only(way.types - answered)) or set()
        return answered

    def by_protocol(self, mapping: Any, way: Way) -> set[str]:
        """A mapping from scope types to applications."""
        answered: set[str] = set()
        items = protocol_items(mapping) or list(mapping.items())
        for kind, app in items:
            if not callable(app):
                self.not_callable(kind, app)
                continue
            if consumer_of(app) is None and makes(app):
                self.not_made(kind, app)
                continue
            if kind in way.types or (kind not in PROTOCOLS and len(way.types) > 1):
                self.called_as_asgi(app)
                answered |= self.visit(app, way.only({kind}).to())
        return answered

    def _consumer(self, app: Any, way: Way) -> set[str]:
        return self.route(app, way, None)

    def route(self, callback: Any, way: Way, literal: str | None) -> set[str]:
        """The callback of a ``path()``, or a consumer straight below a protocol."""
        consumer = consumer_of(callback)
        if consumer is not None:
            # Its handlers tell, except of a protocol that the router alone knows
            answered = way.types & (consumer.protocols() or {"http", "websocket"})
            answered |= way.types.difference(PROTOCOLS)
            if "websocket" in answered:
                self.found.add_route(
                    consumer_route(consumer, Place(way.prefix, literal, way.around))
                )
            if "http" in answered:
                self.found.add_consumer(dotted(consumer.cls))
                if not consumer.instantiated:
                    self.found.as_classes.append(dotted(consumer.cls))
                self.found.http_way(way.wrappers)
            return set(answered)
        if callback is None:
            return set()
        self.called_as_asgi(callback)
        before = len(self.found.websocket_routes)
        below = self.visit(callback, way.to())
        added = self.found.websocket_routes[before:]
        for new in added:
            if new.route == way.prefix and new.literal is None:
                new.literal = literal
        nested = descends(callback, *ROUTERS)
        if way.types == {"websocket"} and not added and not nested:
            self.found.add_route(function_route(callback, Place(way.prefix, literal, way.around)))
            below |= {"websocket"}
        return below

    def _class(self, app: Any, way: Way) -> set[str]:
        """A class in the place of an application: made anew for each connection."""
        if interface_of(app) in {None, "factory"}:
            return set()
        if way.chosen:
            return self._end(app, way)
        # The entry point itself: what its instances hold is not there yet
        self.found.opaque = True
        if "http" in way.types:
            self.found.http_way((*way.wrappers, dotted(app)))
        return set(way.types & {"http"})

    # Other frameworks

    def _starlette(self, app: Any, way: Way) -> set[str]:
        answered = set(way.types & {"http", "lifespan"})
        whole = descends(app, "starlette.applications.Starlette")
        if whole and "http" in way.types and dotted(app) not in way.wrappers:
            self.found.add_mount(way.prefix or "/", dotted(app), "asgi")
        inner = way.through(dotted(app), *starlette_middleware(app))
        for kind, path, target in starlette_routes(app):
            if kind == "websocket" and "websocket" in way.types:
                answered.add("websocket")
                self.found.add_route(
                    function_route(target, Place(way.prefix + path, None, way.around))
                )
            elif kind == "mount":
                self.called_as_asgi(target)
                answered |= self.visit(target, inner.only(way.types - {"lifespan"}).to(path))
        if "http" in way.types:
            self.found.http_way(inner.wrappers)
        return answered

    def _socketio(self, app: Any, way: Way) -> set[str]:
        socketio = socketio_of(app)
        if socketio is None:
            return set()
        self.found.socketio = True
        self.found.problem = self.found.problem or socketio.problem
        answered = set(way.types & {"http"})
        if socketio.websocket and (self.role == "wsgi" or "websocket" in way.types):
            answered.add("websocket")
        if "websocket" in answered & way.types:
            path = way.prefix + socketio.path
            self.found.add_route(function_route(socketio.server, Place(path, None, way.around)))
        if socketio.lifespan:
            answered |= way.types & {"lifespan"}
        inner = way.through(dotted(app))
        if socketio.inner is not None:
            self.check(app, socketio.inner)
            handled = {"lifespan"} if socketio.lifespan else set()
            answered |= self.visit(socketio.inner, inner.only(way.types - handled))
        elif "http" in way.types:
            self.found.http_way(inner.wrappers)
        return answered

    # Everything else: wrappers, functions, instances

    def _callable(self, app: Any, way: Way) -> set[str]:
        function = function_of(app)
        inner = way.through(dotted(app))
        inside = held(app)
        asgi = self.role == "asgi" and interface_of(app) not in {"wsgi", "factory"}
        if asgi and function is not None and is_project(function.__code__.co_filename):
            answered = read(self, app, function, inner)
            if answered is not None:
                if "http" in answered and way.chosen and not inside:
                    self._mount(app, way)
                return answered
        self.found.problem = self.found.problem or uncallable(app, inside)
        if inside:
            answered = self.inside(app, inside, inner)
            if "http" in answered and function and function.__module__ == _VALIDATOR:
                self.found.problem = self.found.problem or (
                    f"{dotted(app)} raises an error for what is no WebSocket, and HTTP requests "
                    "come through it"
                )
            if function and "lifespan.startup.complete" in constants(function.__code__):
                answered |= way.types & {"lifespan"}
            return answered
        if way.chosen:
            return self._end(app, way)
        self.found.opaque = True
        if "http" in way.types:
            self.found.http_way(inner.wrappers)
        return set(way.types & {"http"}) if self.role == "wsgi" else set()

    def _end(self, app: Any, way: Way) -> set[str]:
        """An application that something chose, and that holds no other."""
        if way.types == {"websocket"}:
            self.found.add_route(function_route(app, Place(way.prefix, None, way.around)))
        if "http" in way.types:
            self._mount(app, way)
            self.found.http_way((*way.wrappers, dotted(app)))
        return set(way.types if len(way.types) == 1 else way.types & {"http"})

    def _mount(self, app: Any, way: Way) -> None:
        function = function_of(app) if inspect.isroutine(app) else None
        # A function of the entry point is no application; one that a library made is
        if function is None or not is_project(function.__code__.co_filename):
            interface = interface_of(app)
            served = {"asgi2": "asgi", "factory": None}.get(interface or "", interface)
            self.found.add_mount(way.prefix or "/", dotted(app), served)

    def inside(self, app: Any, holds: Held, way: Way) -> set[str]:
        """Walk into what a wrapper holds; ``way`` has come through the wrapper."""
        answered: set[str] = set()
        several = len(holds.plain) + len(holds.by_path) > 1
        for inner in holds.plain:
            self.check(app, inner)
            answered |= self.visit(inner, way.to(chosen=way.chosen or several))
        if holds.by_protocol:
            answered |= self.by_protocol(dict(holds.by_protocol), way)
        for path, inner in holds.by_path:
            answered |= self.visit(inner, way.to(path))
        return answered

    def called_as_asgi(self, app: Any) -> None:
        """Note where something that a router calls with three arguments is a WSGI application."""
        if interface_of(app) == "wsgi":
            self.found.problem = self.found.problem or (
                f"{dotted(app)} is a WSGI application and is called as an ASGI one"
            )

    def not_callable(self, kind: str, value: Any) -> None:
        """Note where a router has something else than an application for a scope type.

        None is the way to switch a protocol off.
        """
        if value is not None:
            self.found.problem = self.found.problem or (
                f"what is routed for {kind!r} is {value!r:.100}, not an application"
            )

    def not_made(self, kind: str, value: Any) -> None:
        """Note where a router has what makes the application, and not the application."""
        call = "is a class" if isinstance(value, type) else "makes the application"
        self.found.problem = self.found.problem or (
            f"what is routed for {kind!r}, {dotted(value)}, {call} and was not called"
        )

    def check(self, outer: Any, inner: Any) -> None:
        """Note where ``outer`` cannot call ``inner``."""
        self.found.problem = self.found.problem or mismatch(outer, inner)
