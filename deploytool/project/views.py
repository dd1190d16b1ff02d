"""The views of a project: every route of its resolved URLconf, and how each is called.

The URLconf is walked as Django resolved it, so that includes, prefixes and third-party
routes are all there. ``mode`` is asked of the very callable that Django calls; the
decorators around it are taken off only to say which function or class it is.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.urls import URLResolver, get_resolver

from deploytool.project.callbacks import Callback, unwrap
from deploytool.project.definitions import dotted, location_of
from deploytool.project.facts import Failure, View, Views
from deploytool.project.settings_source import SettingsSource
from deploytool.project.source import failure, locate
from deploytool.project.streaming import Streaming, StreamReader

if TYPE_CHECKING:
    from collections.abc import Iterable


def inspect_views(base_dir: str) -> Views:
    """Every route of ``settings.ROOT_URLCONF``.

    Where a part of the URLconf cannot be walked, ``error`` says why and ``views`` holds
    the routes of the other parts; where its import fails there are none.
    """
    urlconf: object = getattr(settings, "ROOT_URLCONF", None)
    if not urlconf:
        missing = Failure("ImproperlyConfigured", "settings.ROOT_URLCONF is not set")
        return Views(urlconf=None, error=missing)
    name = urlconf if isinstance(urlconf, str) else str(getattr(urlconf, "__name__", urlconf))
    walk = _Walk(base_dir)
    walk.all()
    # Only now is every module of the URLconf loaded, and with it every streaming class.
    streams = StreamReader()
    views = tuple(_view(route, streams, base_dir) for route in walk.routes)
    error = walk.error
    if error and not error.location:  # nothing of the project ran: the setting names no module
        error = replace(error, location=SettingsSource(base_dir).line_of(name))
    return Views(urlconf=name, views=views, error=error)


def walk_routes(base_dir: str) -> tuple[tuple[str, object], ...]:
    """Every route of ``settings.ROOT_URLCONF``, and the callable that Django calls for it."""
    if not getattr(settings, "ROOT_URLCONF", None):
        return ()
    try:
        return _walked(get_resolver(), base_dir)
    except TypeError:  # the setting is no name: Django looks it up in its cache
        return ()


@cache
def _walked(resolver: URLResolver, base_dir: str) -> tuple[tuple[str, object], ...]:
    """The routes of a resolver, of which Django has one for each URLconf."""
    walk = _Walk(base_dir)
    walk.resolver(resolver, "", ())
    return tuple((route.route, route.callback) for route in walk.routes)


class _Route(NamedTuple):
    """One URL pattern, with the prefixes and namespaces of its includes."""

    route: str
    name: str | None
    namespaces: tuple[str, ...]
    callback: object


class _Walk:
    """One walk through a URLconf: the routes met, and the first part that failed."""

    def __init__(self, base_dir: str) -> None:
        self.routes: list[_Route] = []
        self.error: Failure | None = None
        self._base_dir = base_dir
        self._open: list[object] = []

    def all(self) -> None:
        """Take every route of the URLconf that the settings name."""
        try:
            resolver = get_resolver()
        except TypeError as raised:  # the setting is no name: Django looks it up in its cache
            self.error = failure(raised, self._base_dir)
            return
        self.resolver(resolver, "", ())

    def resolver(self, resolver: URLResolver, prefix: str, namespaces: tuple[str, ...]) -> None:
        """Take the routes of a resolver, whose own pattern is already in ``prefix``."""
        if any(resolver is outer for outer in self._open):
            return  # a URLconf that includes itself has no end
        try:
            # The import of a URLconf happens here, and project code may raise anything.
            patterns: Iterable[object] = list(resolver.url_patterns)
        except KeyboardInterrupt:
            raise
        except BaseException as raised:
            self._failed(raised, resolver)
            return
        self._open.append(resolver)
        for pattern in patterns:
            try:
                self._pattern(pattern, prefix, namespaces)
            except Exception as raised:
                self._failed(raised, resolver)
        self._open.pop()

    def _failed(self, raised: BaseException, resolver: URLResolver) -> None:
        error = failure(raised, self._base_dir)
        if not error.location:
            # Django complains of a URLconf in its own frames alone: name the file.
            module = resolver.__dict__.get("urlconf_module", resolver.urlconf_name)
            path = getattr(module, "__file__", None)
            place = locate(path, None, self._base_dir) if isinstance(path, str) else None
            error = replace(error, location=place)
        self.error = self.error or error

    def _pattern(self, pattern: object, prefix: str, namespaces: tuple[str, ...]) -> None:
        if not hasattr(pattern, "pattern"):
            raise TypeError(
                f"{pattern!r} in the URLconf is neither a path(), a re_path() nor an include()"
            )
        route = _join(prefix, str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            inner = (*namespaces, pattern.namespace) if pattern.namespace else namespaces
            self.resolver(pattern, route, inner)
            return
        name = getattr(pattern, "name", None)
        callback = getattr(pattern, "callback", None)
        self.routes.append(_Route(route, name and str(name), namespaces, callback))


def _view(route: _Route, streams: StreamReader, base_dir: str) -> View:
    name = ":".join((*route.namespaces, route.name)) if route.name else None
    mode: Literal["sync", "async"] = "sync"
    # An object that answers questions with errors is a route all the same.
    found, streaming = Callback(route.callback, "class"), Streaming()
    with contextlib.suppress(Exception):
        # The question that BaseHandler asks before it calls the view.
        mode = "async" if iscoroutinefunction(route.callback) else "sync"
        found = unwrap(route.callback, route.name)
        streaming = streams.read(found)
    return View(
        route=route.route,
        view=dotted(found.subject),
        mode=mode,
        kind=found.kind,
        name=name,
        streaming=streaming.iterator,
        event_stream=streaming.event_stream,
        location=location_of(found.subject, base_dir),
    )


def _join(prefix: str, route: str) -> str:
    """Two parts of a route, joined as ``ResolverMatch.route`` shows them."""
    return prefix + route.removeprefix("^") if prefix else route
