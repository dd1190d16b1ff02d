"""Channels' routes and consumers, recognised without importing Channels."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, NamedTuple

from .found import Route
from .signature import dotted

if TYPE_CHECKING:
    from collections.abc import Iterator


class Consumer(NamedTuple):
    """A Channels consumer behind a route; ``instantiated`` False without ``as_asgi()``."""

    cls: type
    instantiated: bool

    def protocols(self) -> set[str]:
        """The scope types that its class has handlers for; empty where it has none."""
        names = dir(self.cls)
        kinds = ("http", "websocket")
        return {kind for kind in kinds if any(name.startswith(f"{kind}_") for name in names)}


def consumer_of(callback: Any) -> Consumer | None:
    """The consumer that ``callback`` runs, None where it is something else."""
    while isinstance(callback, functools.partial):
        callback = callback.func
    made = getattr(callback, "consumer_class", None)
    if isinstance(made, type):
        return Consumer(made, instantiated=True)
    if isinstance(callback, type) and callable(getattr(callback, "as_asgi", None)):
        return Consumer(callback, instantiated=False)
    if inspect.ismethod(callback) and callback.__name__ == "as_asgi":  # not called
        owner = callback.__self__
        return Consumer(owner, instantiated=False) if isinstance(owner, type) else None
    if not isinstance(callback, type) and callable(getattr(type(callback), "as_asgi", None)):
        return Consumer(type(callback), instantiated=True)
    return None


def routes_of(routes: Any, prefix: str = "") -> Iterator[tuple[str, str, Any]]:
    """Each ``path()`` of a list: its whole route, its own pattern, its callback."""
    for route in routes if isinstance(routes, (list, tuple)) else ():
        pattern = getattr(route, "pattern", None)
        if pattern is None:
            continue
        literal = str(pattern)
        whole = joined(prefix, literal)
        callback = getattr(route, "callback", None)
        inner = getattr(route, "url_patterns", None) if callback is None else None
        if inner is not None:
            yield from routes_of(inner, whole)
        else:
            yield whole, literal, callback


def joined(prefix: str, pattern: str) -> str:
    """``pattern`` below ``prefix``, as Django joins the patterns of an include."""
    return prefix + pattern.removeprefix("^") if prefix else pattern


class Place(NamedTuple):
    """A WebSocket route without what answers it; ``literal`` as :class:`Route` has it."""

    route: str
    literal: str | None
    wrappers: tuple[str, ...]
    line: int | None = None


def consumer_route(consumer: Consumer, place: Place) -> Route:
    """The Route of a consumer; its line is found later, in the source."""
    file = getattr(inspect.getmodule(consumer.cls), "__file__", None)
    return Route(
        place.route,
        dotted(consumer.cls),
        place.literal,
        file,
        place.line,
        place.wrappers,
        consumer.instantiated,
        consumer.cls.__qualname__,
    )


def function_route(function: Any, place: Place) -> Route:
    """The Route of anything else that answers WebSockets: a function or an instance."""
    target = function
    while isinstance(target, functools.partial):
        target = target.func
    target = getattr(target, "__func__", target)
    line = place.line
    if inspect.isfunction(target):
        file: str | None = target.__code__.co_filename
        line = line or target.__code__.co_firstlineno
    else:
        target = target if isinstance(target, type) else type(target)
        file = getattr(inspect.getmodule(target), "__file__", None)
    name = dotted(function)
    return Route(
        place.route, name, place.literal, file, line, place.wrappers, True, target.__qualname__
    )
