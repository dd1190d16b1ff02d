"""What the walk through an application writes down: plain data, ready for JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .inner import ordered

if TYPE_CHECKING:
    from .matching import Unmatched
    from .signature import CallableInterface


@dataclass
class Route:
    """One WebSocket route.

    ``literal`` is the pattern as it stands in the source of a ``path()`` (None where the
    framework keeps the place itself), ``file``, ``line`` and ``qualified`` (its name within
    the file) where the consumer is.
    """

    route: str
    consumer: str
    literal: str | None = None
    file: str | None = None
    line: int | None = None
    wrappers: tuple[str, ...] = ()
    instantiated: bool = True
    qualified: str = ""


@dataclass
class Found:
    """The facts of one application, as :class:`deploytool.project.facts.EntryPoint` names them.

    ``handler_interface``, ``static_handler`` and ``as_classes`` are what ``Started`` has of the
    application.
    ``problem`` is why the pieces of the application do not fit together; ``opaque`` True
    where something that it passes connections to could not be looked into.
    """

    handler: str | None = None
    wrappers: tuple[str, ...] | None = None
    protocols: set[str] = field(default_factory=set)
    guessed: bool = False
    websocket_routes: list[Route] = field(default_factory=list)
    http_consumers: list[str] = field(default_factory=list)
    mounts: list[tuple[str, str, str | None]] = field(default_factory=list)
    socketio: bool = False
    problem: str | None = None
    opaque: bool = False
    inner_interface: CallableInterface | None = None
    handler_interface: str | None = None
    static_handler: str | None = None
    as_classes: list[str] = field(default_factory=list)
    unmatched: list[Unmatched] = field(default_factory=list)

    def add_route(self, route: Route) -> None:
        """Add a WebSocket route that is not there yet."""
        if not any(
            (r.route, r.consumer) == (route.route, route.consumer) for r in self.websocket_routes
        ):
            self.websocket_routes.append(route)

    def add_mount(self, path: str, application: str, interface: str | None) -> None:
        """Add a mounted application that is not there yet."""
        if not any(mount[:2] == (path, application) for mount in self.mounts):
            self.mounts.append((path, application, interface))

    def add_consumer(self, name: str) -> None:
        """Add an HTTP consumer that is not there yet."""
        if name not in self.http_consumers:
            self.http_consumers.append(name)

    def http_way(self, wrappers: tuple[str, ...], handler: str | None = None) -> None:
        """Note the chain that an HTTP request goes through; Django's handler decides."""
        if self.handler is None and (handler is not None or self.wrappers is None):
            self.handler, self.wrappers = handler, wrappers

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        routes = [vars(route) for route in self.websocket_routes]
        return {
            **{name: value for name, value in vars(self).items() if name != "opaque"},
            "wrappers": self.wrappers or (),
            "protocols": ordered(self.protocols),
            "websocket_routes": routes,
        }
