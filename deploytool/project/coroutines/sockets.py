"""What answers WebSocket routes and what stands around it: who asks for the Origin header,
who puts the user into the scope, who takes it from there.

Classes are looked at in this process, where routing modules are loaded; the entry point's own
module is not imported, but read.
"""

from __future__ import annotations

import ast
import inspect
import sys
from functools import cache
from types import FunctionType
from typing import TYPE_CHECKING

from django.db.models import QuerySet

from deploytool.project.candidates import module_spec
from deploytool.project.coroutines.facts import Consumer, Handed, Wrapper
from deploytool.project.coroutines.frames import Frame, runs, scope_of
from deploytool.project.coroutines.reading import Reader
from deploytool.project.coroutines.roots import innermost, loaded
from deploytool.project.coroutines.streams import place
from deploytool.project.coroutines.values import Called, Live, Method, Query, Row, asks
from deploytool.project.definitions import is_a, is_own
from deploytool.project.probe.text import parsed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.project.facts import EntryPoint, Location

_KEYS = frozenset({"user", "session", "cookies"})
# What Channels' own middleware adds to the scope, by the class that does.
_GIVES = {
    "channels.auth.AuthMiddleware": "user",
    "channels.sessions.SessionMiddleware": "session",
    "channels.sessions.CookieMiddleware": "cookies",
}
# What it takes from there, and raises ValueError without.
_NEEDS = {
    "channels.auth.AuthMiddleware": "session",
    "channels.sessions.SessionMiddleware": "cookies",
}
_VALIDATOR = "channels.security.websocket.OriginValidator"


def found_object(name: str, entry: EntryPoint) -> object:
    """The object of a dotted path; None for what the entry point's module defines, which is
    not imported here."""
    module = (entry.application or "").partition(":")[0]
    if module and module not in sys.modules and name.startswith(f"{module}."):
        return None
    return loaded(name.partition(".<locals>")[0])


@cache
def inspect_wrapper(name: str, entry: EntryPoint) -> Wrapper:
    """What the class or function ``name`` around a route does."""
    found = found_object(name, entry)
    cls = found if is_a(found, type) else None
    names = [f"{b.__module__}.{b.__qualname__}" for b in cls.__mro__] if cls is not None else []
    gives = {key for base, key in _GIVES.items() if base in names}
    said = set(_constants(name))
    for base in cls.__mro__ if cls is not None else ():
        said |= set(_constants(f"{base.__module__}.{base.__qualname__}"))
    own = any(_is_own_name(each) for each in (name, *names))
    installed = cls is not None and not _is_own_name(name)
    origin = _VALIDATOR in names or (own and "origin" in said)
    return Wrapper(
        name,
        origin,
        frozenset(gives | ({"cookies"} if own and "cookie" in said else set())),
        # What another package's wrapper does is not read.
        known=bool(gives or _VALIDATOR in names or (own and (said or cls is not None)))
        and not (installed and not gives and _VALIDATOR not in names),
        mentions=frozenset(said & _KEYS),
        # A class of the project's own may put it there itself.
        needs=frozenset(key for b, key in _NEEDS.items() if installed and b in names),
    )


def is_channels(name: str, entry: EntryPoint) -> bool:
    """Whether the class ``name`` is a consumer of Channels."""
    found = found_object(name, entry)
    bases = found.__mro__ if is_a(found, type) else ()
    return any(base.__module__ == "channels.consumer" for base in bases)


@cache
def inspect_consumer(name: str, entry: EntryPoint, base_dir: str) -> Consumer:
    """What the class or function ``name``, which answers a route, takes from its scope."""
    found = found_object(name, entry)
    functions = list(_functions(found))
    if not functions:
        said = set(_constants(name))
        return Consumer(name, (), "origin" in said, "cookie" in said, bool(said))
    keys: dict[str, Location | None] = {}
    handed: list[Handed] = []
    said = set()
    reader = Reader()
    for function, owner in functions:
        scope = scope_of(function, owner)
        if scope.node is None:
            continue
        frame = Frame(scope, scope.node)
        said |= {text for node in scope.body for text in _text(node)}
        for key, node in _taken(scope.body):
            keys.setdefault(key, place(frame, node, base_dir))
        handed += _handed(frame, reader, base_dir)
    return Consumer(
        name, tuple(keys.items()), "origin" in said, "cookie" in said, True, tuple(handed)
    )


def _functions(found: object) -> Iterator[tuple[FunctionType, type | None]]:
    if is_a(found, FunctionType):
        yield found, None
    for base in found.__mro__ if is_a(found, type) else ():
        for value in base.__dict__.values():
            function = innermost(value)
            if function is not None and is_own(function.__code__.co_filename):
                yield function, found if is_a(found, type) else None


def _is_own_name(name: str) -> bool:
    parts = name.partition(".<locals>")[0].split(".")
    spec = next((spec for spec in map(module_spec, _prefixes(parts)) if spec is not None), None)
    return spec is not None and spec.origin is not None and is_own(spec.origin)


def _prefixes(parts: list[str]) -> Iterator[str]:
    for count in range(len(parts) - 1, 0, -1):
        yield ".".join(parts[:count])


def _constants(name: str) -> Iterator[str]:
    """The words in the strings of what the project defines as ``name``, in lower case."""
    parts = name.replace("<locals>.", "").split(".")
    for module in _prefixes(parts):
        spec = module_spec(module)
        if spec is None or spec.origin is None:
            continue
        if not is_own(spec.origin):
            return
        tree = parsed(spec.origin)
        body: list[ast.stmt] = list(tree.body) if tree is not None else []
        node: ast.AST | None = None
        for part in parts[len(module.split(".")) :]:
            definitions = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
            node = next(
                (each for each in body if isinstance(each, definitions) and each.name == part), None
            )
            body = list(getattr(node, "body", []))
        for each in ast.walk(node) if node is not None else ():
            yield from _text(each)
        return


def _text(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
        value = node.value
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        yield text.lower().removeprefix("http_").removeprefix("http-")


def _taken(body: list[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    """The keys that a function takes from its scope, unless it asks for them or expects
    that they may be missing."""
    asked = {
        node.left.value
        for node in body
        if isinstance(node, ast.Compare) and isinstance(node.left, ast.Constant)
    }
    if any(isinstance(node, ast.ExceptHandler) and _expects(node.type) for node in body):
        return
    for node in body:
        if not isinstance(node, ast.Subscript) or not isinstance(node.ctx, ast.Load):
            continue
        key = node.slice.value if isinstance(node.slice, ast.Constant) else None
        base = node.value
        name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
        if name == "scope" and isinstance(key, str) and key in _KEYS and key not in asked:
            yield key, node


def _expects(node: ast.expr | None) -> bool:
    text = ast.unparse(node) if node is not None else "BaseException"
    return any(name in text for name in ("KeyError", "LookupError", "Exception"))


def _handed(frame: Frame, reader: Reader, base_dir: str) -> Iterator[Handed]:
    """What goes to asgiref's sync_to_async() though it asks the database."""
    for node in frame.scope.body:
        if not isinstance(node, ast.Call) or not node.args:
            continue
        callee = frame.value(node.func)
        function = callee.value if is_a(callee, Live) else None
        if getattr(function, "__module__", "") != "asgiref.sync":
            continue
        if getattr(function, "__name__", "") not in {"sync_to_async", "SyncToAsync"}:
            continue
        if _asks_database(frame.value(node.args[0]), reader):
            yield Handed(ast.unparse(node), place(frame, node, base_dir))


def _asks_database(value: object, reader: Reader) -> bool:
    if is_a(value, Method):
        of = value.of
        if is_a(of, Query):
            return asks(QuerySet, value.name)
        return is_a(of, Row) and asks(of.model, value.name)
    target: Called | None = None
    if is_a(value, Called):
        target = value
    elif is_a(value, Live) and is_a(value.value, FunctionType):
        target = Called(value.value)
    function = runs(target.function) if target is not None else None
    if function is None or target is None or inspect.isgeneratorfunction(function):
        return False
    scope = scope_of(function, target.owner)
    if scope.node is None:
        return False
    return any(use.kind == "orm" for use in reader.frame(Frame(scope, scope.node)))
