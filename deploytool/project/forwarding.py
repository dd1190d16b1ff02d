"""What the project's own code does with the headers of a proxy: scheme and client address.

A project may tell Django itself that a request was secure, or whose it is, in a middleware
or around its entry point. That is read from the source: none of it is executed.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from deploytool.project.sources import Source, own_sources

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploytool.project.facts import Location, Project

# Keys of the environ and of the scope that hold the scheme, and what request.is_secure() asks.
_SCHEME_KEYS = {"wsgi.url_scheme", "scheme"}
_SCHEME_METHODS = {"is_secure", "_get_scheme"}
_ADDRESS_KEYS = {"REMOTE_ADDR", "client"}

# What stands in code that looks for the client elsewhere first: headers that proxies set.
_OTHER_ADDRESS = re.compile(r"forwarded|real[_-]?ip|client[_-]?ip|connecting[_-]?ip", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AddressUse:
    """A place that reads REMOTE_ADDR; ``required`` where it fails without it (``META[...]``)."""

    location: Location
    required: bool


@dataclass(frozen=True, slots=True)
class Forwarding:
    """What of a proxy's headers the project's code handles itself.

    ``scheme``: something sets a request's scheme; ``address``: something sets its client's
    address; ``host``: a middleware that is not Django's looks at the host. ``uses`` are the
    places in the project's own code that take REMOTE_ADDR for the client's address and look
    nowhere else.
    """

    scheme: bool = False
    address: bool = False
    host: bool = False
    uses: tuple[AddressUse, ...] = ()


def inspect_forwarding(project: Project) -> Forwarding:
    """What the project's files, its middleware and the wrappers of its entry points do."""
    own = own_sources(project.base_dir)
    around = tuple(sources_around(project))
    everything = (*own, *around)
    return Forwarding(
        scheme=any(
            _sets_scheme(source)
            for source in everything
            if source.mentions("scheme", "is_secure", "FORWARDED_PROTO")
        ),
        address=any(
            _sets(source, _ADDRESS_KEYS) for source in everything if source.mentions("REMOTE_ADDR")
        )
        or any(_sets(source, _ADDRESS_KEYS) for source in around if source.mentions('"client"')),
        host=any(
            source.mentions("HTTP_HOST", "get_host", '"Host"', "'Host'", "_get_raw_host")
            for source in _middleware_sources(project)
        ),
        uses=tuple(use for source in own for use in _uses(source)),
    )


def mentioned(name: str, base_dir: str) -> bool:
    """Whether the project's own code writes the string ``name``, the settings apart."""
    return any(
        source.mentions(name) and not source.mentions("SECURE_PROXY_SSL_HEADER")
        for source in own_sources(base_dir)
    )


def sources_around(project: Project) -> Iterator[Source]:
    """The modules of others' middleware and wrappers, Django's own left out."""
    paths = [base for each in project.middleware for base in each.bases or (each.path,)]
    for entry in (project.entrypoints.wsgi, project.entrypoints.asgi):
        paths += entry.wrappers
    own = {source.path for source in own_sources(project.base_dir)}
    for path in _files(tuple(paths)):
        if path not in own:
            yield Source(path, project.base_dir)


def _middleware_sources(project: Project) -> Iterator[Source]:
    paths = [base for each in project.middleware for base in each.bases or (each.path,)]
    return (Source(path, project.base_dir) for path in _files(tuple(paths)))


@cache
def _files(paths: tuple[str, ...]) -> tuple[str, ...]:
    found = dict.fromkeys(_file(path.rpartition(".")[0]) for path in paths)
    return tuple(path for path in found if path)


def _file(module: str) -> str | None:
    if not module or module.partition(".")[0] in {"django", "deploytool", "builtins"}:
        return None
    try:
        loaded = sys.modules.get(module)
        spec = getattr(loaded, "__spec__", None) or importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return None
    origin = spec.origin if spec else None
    return origin if origin and origin.endswith(".py") else None


def _sets_scheme(source: Source) -> bool:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef) and node.name in _SCHEME_METHODS:
            return True
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and node.attr in _SCHEME_METHODS
            and not (isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"})
        ):
            return True
    return _sets(source, _SCHEME_KEYS, "_FORWARDED_PROTO")


def _sets(source: Source, keys: set[str], ending: str = "\0") -> bool:
    """Whether something is stored under one of ``keys``, or under a name with ``ending``."""
    return any(
        key in keys or key.endswith(ending)
        for node in ast.walk(source.tree)
        for key in _stored(node)
    )


def _stored(node: ast.AST) -> Iterator[str]:
    """The strings under which ``node`` puts something into a mapping."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
        yield from _strings([node.slice])
    elif isinstance(node, ast.Dict) and any(key is None for key in node.keys):
        yield from _strings(key for key in node.keys if key is not None)  # {**scope, ...}
    elif isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name == "setdefault":
            yield from _strings(node.args[:1])
        if name == "update" or (isinstance(node.func, ast.Name) and node.func.id == "dict"):
            yield from (keyword.arg for keyword in node.keywords if keyword.arg)
            for argument in node.args:
                if isinstance(argument, ast.Dict):
                    yield from _strings(key for key in argument.keys if key is not None)


def _strings(nodes: Iterable[ast.expr]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _uses(source: Source) -> Iterator[AddressUse]:
    if not source.mentions("REMOTE_ADDR") or _OTHER_ADDRESS.search(source.text):
        return
    for node in ast.walk(source.tree):
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.ctx, ast.Load)
            and "REMOTE_ADDR" in _strings([node.slice])
        ):
            yield AddressUse(source.at(node), required=True)
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "get"
            and "REMOTE_ADDR" in _strings(node.args[:1])
        ):
            yield AddressUse(source.at(node), required=False)
