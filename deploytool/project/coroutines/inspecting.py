"""``inspect_async_code()``: the facts about the project's coroutines and streams."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction
from django.http import FileResponse

from deploytool.project.callbacks import unwrap
from deploytool.project.coroutines.facts import AsyncCode, FileDownload, OnLoop, Route, Swallowed
from deploytool.project.coroutines.frames import is_generator
from deploytool.project.coroutines.reading import Reader, Use
from deploytool.project.coroutines.roots import Root, Roots
from deploytool.project.coroutines.settings import (
    keeps_sessions_in_database,
    looks_at_session,
    looks_at_user,
    sends_mail_to_server,
)
from deploytool.project.coroutines.streams import file_response, place, stream, swallowed
from deploytool.project.coroutines.wrapping import hides_coroutine, wrapped
from deploytool.project.definitions import dotted, is_a, is_own, location_of
from deploytool.project.source import locate
from deploytool.project.views import walk_routes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploytool.project.coroutines.facts import Stream
    from deploytool.project.facts import Project, View


def inspect_async_code(project: Project) -> AsyncCode:
    """What the project's coroutines do, as their source shows it; nothing is called.

    Only async views, middleware and consumers, and views that stream, are read.
    """
    return _Inspection(project).result()


class _Inspection:
    def __init__(self, project: Project) -> None:
        self._project = project
        self._base_dir = project.base_dir
        self._reader = Reader()
        self._roots = Roots()
        self._routes: list[Route] = []
        self._streams: list[Stream] = []
        self._downloads: dict[str, FileDownload] = {}

    def result(self) -> AsyncCode:
        """Everything, in the order of the routes, the middleware and the consumers."""
        downloading = _modules_with_file_responses()
        known = {view.route: view for view in self._project.views.views}
        listed = list(self._project.views.views)
        for index, (route, callback) in enumerate(walk_routes(self._base_dir)):
            view = listed[index] if index < len(listed) else None
            if view is None or view.route != route:
                view = known.get(route)
            # An object that answers questions with errors is a route all the same.
            with suppress(Exception):
                self._route(route, callback, view, downloading)
        for entry in self._project.middleware:
            with suppress(Exception):
                self._roots.middleware(entry)
        self._roots.consumers(self._project.entrypoints)
        return AsyncCode(
            self._uses(),
            tuple(self._routes),
            tuple(self._streams),
            tuple(self._swallowed()),
            tuple(self._downloads.values()),
            frozenset(filter(looks_at_user, (entry.path for entry in self._project.middleware))),
            frozenset(filter(looks_at_session, (entry.path for entry in self._project.middleware))),
            keeps_sessions_in_database(),
            sends_mail_to_server(),
        )

    def _route(
        self, route: str, callback: object, view: View | None, downloading: frozenset[str]
    ) -> None:
        is_async = iscoroutinefunction(callback)
        streams = view is not None and view.streaming is not None
        hides = not is_async and hides_coroutine(callback)
        downloads = _module_of(callback) in downloading
        is_ninja = view is not None and view.kind == "ninja" and is_async
        if not (is_async or streams or hides or downloads or is_ninja):
            return
        taken = self._roots.view(callback, None) if is_async else unwrap(callback)
        problem = wrapped(route, callback, taken, self._base_dir) if is_async or hides else None
        if problem is not None:
            self._routes.append(problem)
            if not is_async:
                self._roots.view(callback, None)
        if streams and view is not None:
            facts, sources = stream(view, taken, self._reader, self._base_dir)
            self._streams.append(facts)
            for source in sources:
                if source.is_async:
                    self._roots.stream(view.view, source.frame)
        if downloads and (found := file_response(taken)):
            function, response = found
            name = dotted(taken.subject)
            self._downloads.setdefault(
                name, FileDownload(name, response, location_of(function, self._base_dir))
            )

    def _uses(self) -> tuple[OnLoop, ...]:
        found: dict[tuple[object, ...], OnLoop] = {}
        counts: Counter[tuple[object, ...]] = Counter()
        # What is reached as the body of a stream is said as such.
        for root in sorted(self._roots.found, key=lambda each: each.kind != "stream"):
            uses = self._read(root)
            # What is loaded afterwards, such as by the views behind a middleware, helps nothing.
            loads: set[str] = set()
            for use in uses:
                if use.kind.startswith("loads"):
                    loads.add(use.kind)
                if _is_harmless(use, loads, root):
                    continue
                key = (use.kind, use.path, use.line, use.code)
                counts[key] += 1
                found.setdefault(key, self._on_loop(use, root))
        for root in self._roots.threaded:
            for use in self._read(root):
                # Called by a coroutine as well, it has been found there.
                key = (use.kind, use.path, use.line, use.code)
                if use.kind == "unawaited" and key not in found:
                    counts[key] += 1
                    name = use.instead.removeprefix("await ").removesuffix("(...)")
                    adapted = replace(use, instead=f"async_to_sync({name})(...)")
                    found[key] = self._on_loop(adapted, root)
        return tuple(_counted(use, counts[key] - 1) for key, use in found.items())

    def _read(self, root: Root) -> tuple[Use, ...]:
        """What ``root`` does; nothing where its source is too deep to be walked."""
        try:
            uses = self._reader.frame(root.frame)
            if root.is_view and root.handler and not is_generator(root.frame.node):
                uses += self._reader.returned(root.frame)
        except RecursionError:
            return ()
        return uses

    def _on_loop(self, use: Use, root: Root) -> OnLoop:
        kind: Any = use.kind
        return OnLoop(
            kind,
            use.code,
            use.what,
            use.instead,
            locate(use.path, use.line, self._base_dir),
            root.name,
            root.kind,
            use.via,
            0,
            root.handler,
        )

    def _swallowed(self) -> Iterable[Swallowed]:
        seen: set[tuple[str, int]] = set()
        for root in self._roots.found:
            if root.kind not in {"stream", "view"}:
                continue
            for node, caught in swallowed(root.frame):
                where = place(root.frame, node, self._base_dir)
                if (where.path, where.line or 0) not in seen:
                    seen.add((where.path, where.line or 0))
                    yield Swallowed(caught, where, root.name)


def _is_harmless(use: Use, loads: set[str], root: Root) -> bool:
    if use.kind.startswith("loads"):
        return True
    if use.kind in {"user", "session"}:
        if "loads" in loads:
            return True
        # What a decorator does with the request before the view is its own matter.
        names = {name for layer in root.layers for name in layer.__code__.co_names}
        if use.kind == "session":
            return "loads session" in loads or bool(names & {"user", "auser", "session"})
        return bool(names & {"user"})
    return False


def _counted(use: OnLoop, others: int) -> OnLoop:
    return replace(use, others=others) if others else use


def _module_of(callback: object) -> str:
    cls = getattr(callback, "view_class", None)
    return str(getattr(cls or callback, "__module__", ""))


def _modules_with_file_responses() -> frozenset[str]:
    """The project's modules that have FileResponse, or a subclass of it, among their names."""
    pending: list[type] = [FileResponse]
    wanted: set[int] = set()
    while pending:
        cls = pending.pop()
        wanted.add(id(cls))
        pending += cls.__subclasses__()
    found = set()
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None) if is_a(module, ModuleType) else None
        own = isinstance(path, str) and is_own(path)
        if own and not wanted.isdisjoint(map(id, list(vars(module).values()))):
            found.add(name)
    return frozenset(found)
