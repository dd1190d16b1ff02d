"""Modules of Channels routes that lie beside the installed apps, used or not.

A project that has routes and no asgi.py gets one written from these.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings

from deploytool.project.candidates import parents
from deploytool.project.facts import RoutingModule
from deploytool.project.probe.chain import Walk
from deploytool.project.probe.consumers import consumer_of, routes_of
from deploytool.project.probe.way import Way
from deploytool.project.source import is_installed
from deploytool.project.written import assignment_line, websocket_route

if TYPE_CHECKING:
    from collections.abc import Iterator

# Directories of an app that hold no routes, however many files
_SKIPPED = {"migrations", "static", "templates", "tests", "management", "locale", "node_modules"}
_DEPTH = 2  # levels of subpackages below an app that are searched


def inspect_routing(base_dir: str) -> tuple[RoutingModule, ...]:
    """The lists of WebSocket routes in the project's own packages.

    Searched are the installed apps, the packages around the settings module and
    ``base_dir``, for modules called ``routing`` or calling ``as_asgi()``; only these are
    imported, and one that cannot be is left out. A list whose routes another one includes
    is left out too.
    """
    found: dict[tuple[str, str], list[Any]] = {}
    for name, path in dict(_modules(base_dir)).items():
        try:
            module = importlib.import_module(name)
        except (Exception, SystemExit):  # noqa: S112 - the entry point that uses it tells why
            continue
        for attribute, value in vars(module).items():
            routed = isinstance(value, (list, tuple)) and _leaves(value)
            if routed and assignment_line(path, attribute) is not None:
                found[name, attribute] = list(value)
    kept = {key: routes for key, routes in found.items() if not _covered(key, found)}
    modules = list(sys.modules.values()) if kept else []
    files = sorted({file for module in modules if (file := _own_file(module))})
    return tuple(
        RoutingModule(
            module,
            attribute,
            tuple(websocket_route(raw, files, base_dir) for raw in _routes(routes)),
        )
        for (module, attribute), routes in kept.items()
    )


def _routes(routes: list[Any]) -> list[dict[str, Any]]:
    walk = Walk("asgi")
    for route, literal, callback in routes_of(routes):
        walk.route(callback, Way(frozenset({"websocket"}), prefix=route), literal)
    return [vars(route) for route in walk.found.websocket_routes]


def _leaves(routes: Any) -> list[Any]:
    """Every route of the list and of the routers in it that ends in a consumer."""
    found = []
    for route in routes:
        callback = getattr(route, "callback", None)
        inner = getattr(callback, "routes", None)
        if isinstance(inner, (list, tuple)):
            found += _leaves(inner)
        elif hasattr(route, "pattern") and _answers_websocket(callback):
            found.append(route)
    return found


def _answers_websocket(callback: Any) -> bool:
    consumer = consumer_of(callback)
    return consumer is not None and "websocket" in (consumer.protocols() or {"websocket"})


def _covered(key: tuple[str, str], found: dict[tuple[str, str], list[Any]]) -> bool:
    """Whether another list has all these routes, so that this one is only a part of it."""
    mine = {id(route) for route in _leaves(found[key])}
    order = list(found)
    for other, routes in found.items():
        if other == key:
            continue
        theirs = {id(route) for route in _leaves(routes)}
        if mine < theirs:
            return True
        if mine == theirs:
            # The same routes twice: the one that puts a prefix before them is the whole
            ours, others = _nested(found[key]), _nested(routes)
            if others > ours or (others == ours and order.index(other) < order.index(key)):
                return True
    return False


def _nested(routes: list[Any]) -> int:
    return len(_leaves(routes)) - sum(any(leaf is r for r in routes) for leaf in _leaves(routes))


def _modules(base_dir: str) -> Iterator[tuple[str, str]]:
    """The names and files of modules that look as if they held routes."""
    for config in apps.get_app_configs():
        if not is_installed(os.path.join(config.path, "__init__.py")):
            yield from _below(config.name, Path(config.path), _DEPTH)
    for package in parents(getattr(settings, "SETTINGS_MODULE", None)):
        module = sys.modules.get(package)
        for path in getattr(module, "__path__", ()):
            if not is_installed(path):
                yield from _below(package, Path(path), 0)
    if os.path.realpath(base_dir) in map(os.path.realpath, sys.path):
        # Not the packages beside manage.py: one that is no installed app may be a leftover.
        yield from _below("", Path(base_dir), 0)


def _below(package: str, directory: Path, depth: int) -> Iterator[tuple[str, str]]:
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        stem, suffix = os.path.splitext(entry.name)
        name = ".".join(filter(None, (package, stem)))
        if suffix == ".py" and stem.isidentifier() and _has_routes(entry.path, stem):
            yield (package if stem == "__init__" else name), entry.path
        elif depth and entry.is_dir() and entry.name.isidentifier() and stem not in _SKIPPED:
            yield from _below(name, Path(entry.path), depth - 1)


def _has_routes(path: str, stem: str) -> bool:
    """Whether a file is a routing module by its name or its text."""
    if stem in {"asgi", "manage", "conftest"}:  # entry points are run elsewhere
        return False
    try:
        # To open a pipe is to wait for whoever writes into it.
        text = Path(path).read_bytes() if os.path.isfile(path) else b""
    except OSError:
        return False
    return b"path(" in text and (stem == "routing" or b".as_asgi(" in text)


def _own_file(module: Any) -> str | None:
    file = getattr(module, "__file__", None)
    return file if isinstance(file, str) and not is_installed(file) else None
