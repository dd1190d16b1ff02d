"""What the project's own code keeps in a cache that every process has to see alike.

A lock (``if cache.add(...)``) and a counter (``cache.incr(...)``, or reading a number and
writing it back) are nothing but what the processes share; a value that is only kept so
that it need not be computed again is. Read from the source, with the names resolved to the
loaded module's objects where the imports do not tell.
"""

from __future__ import annotations

import ast
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.utils.connection import ConnectionProxy

from deploytool.project.definitions import is_a, own_attribute
from deploytool.project.sources import own_sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.project.facts import Location
    from deploytool.project.sources import Source

Kind = Literal["lock", "counter", "invalidation"]

_COUNTERS = {"incr", "decr", "aincr", "adecr"}
_LOCKS = {"add", "aadd"}
_INVALIDATIONS = {"delete", "delete_many", "clear", "adelete", "adelete_many", "aclear"}
_GETTERS = {"get", "aget", "get_or_set", "aget_or_set"}
_SETTERS = {"set", "aset"}

# What has none of these calls keeps nothing that matters here: most files are not read.
_METHOD = re.compile(
    rf"\.\s*(?:{'|'.join(sorted(_COUNTERS | _LOCKS | _INVALIDATIONS | _SETTERS))})\s*\("
)

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.Module


@dataclass(frozen=True, slots=True)
class CacheUse:
    """One call: the alias of the cache, what it is for, and where it stands."""

    alias: str
    kind: Kind
    call: str
    location: Location


def cache_uses(base_dir: str) -> tuple[CacheUse, ...]:
    """The locks, the counters and the invalidations in the project's own code."""
    return tuple(
        use
        for source in own_sources(base_dir)
        if source.mentions("cache") and _METHOD.search(source.text)
        for use in _Reader(source).uses()
    )


def alias_of(value: object) -> str | None:
    """The alias of a cache, or of the proxy of one; None for anything else."""
    if is_a(value, ConnectionProxy):
        connections, alias = own_attribute(value, "_connections"), own_attribute(value, "_alias")
        return str(alias) if connections is caches else None
    if is_a(value, BaseCache):
        with suppress(Exception):  # CACHES may be anything
            return next((a for a in caches.settings if _is_cache(a, value)), None)
    return None


def _is_cache(alias: str, value: BaseCache) -> bool:
    # caches[alias] is another object in each thread: what they share is what they are made of.
    mine = caches[alias]
    return type(mine) is type(value) and vars(mine).get("_cache") is vars(value).get("_cache")


class _Reader:
    """The caches that one file names, and what it does with them."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._nodes = tuple(ast.walk(source.tree))
        self._aliases: dict[str, str] = {}  # expressions, as text, that are a cache
        self._handlers: set[str] = set()  # those that are django.core.cache.caches
        self._imports()
        self._assignments()

    def uses(self) -> Iterator[CacheUse]:
        """Every use, in the order of the source."""
        discarded = {id(_awaited(node.value)) for node in self._nodes if isinstance(node, ast.Expr)}
        sets = self._source.mentions(*(f".{name}" for name in _SETTERS))
        for function in self._nodes:
            if not isinstance(function, _Function):
                continue
            counted = self._counted(function) if sets else set()
            calls = (node for node in _inside(function) if isinstance(node, ast.Call))
            for node in sorted(calls, key=_place):
                if not isinstance(node.func, ast.Attribute):
                    continue
                alias = self._alias(node.func.value)
                if alias is None:
                    continue
                if kind := _kind(
                    node.func.attr, used=id(node) not in discarded, counted=id(node) in counted
                ):
                    call = f"{ast.unparse(node.func)}()"
                    yield CacheUse(alias, kind, call, self._source.at(node))

    def _imports(self) -> None:
        for node in self._nodes:
            if isinstance(node, ast.ImportFrom) and not node.level:
                for each in node.names:
                    name = each.asname or each.name
                    if node.module == "django.core.cache" and each.name == "cache":
                        self._aliases[name] = "default"
                    elif node.module == "django.core.cache" and each.name == "caches":
                        self._handlers.add(name)
                    elif node.module == "django.core" and each.name == "cache":
                        self._aliases[f"{name}.cache"] = "default"
                        self._handlers.add(f"{name}.caches")
            elif isinstance(node, ast.Import):
                for each in node.names:
                    if each.name == "django.core.cache":
                        name = each.asname or each.name
                        self._aliases[f"{name}.cache"] = "default"
                        self._handlers.add(f"{name}.caches")

    def _assignments(self) -> None:
        for node in self._nodes:
            if isinstance(node, ast.Assign) and (alias := self._alias(node.value)):
                for target in node.targets:
                    if isinstance(target, ast.Name | ast.Attribute):
                        self._aliases.setdefault(ast.unparse(target), alias)
                        if isinstance(target, ast.Name):
                            # A class's attribute, as its methods say it.
                            self._aliases.setdefault(f"self.{target.id}", alias)

    def _alias(self, node: ast.expr) -> str | None:
        if isinstance(node, ast.Subscript):
            key = node.slice
            named = isinstance(key, ast.Constant) and isinstance(key.value, str)
            return str(key.value) if named and self._is_handler(node.value) else None  # type: ignore[attr-defined]
        if not isinstance(node, ast.Name | ast.Attribute):
            return None
        text = ast.unparse(node)
        if text in self._aliases:
            return self._aliases[text]
        return alias_of(self._object(node))

    def _is_handler(self, node: ast.expr) -> bool:
        return ast.unparse(node) in self._handlers or self._object(node) is caches

    def _object(self, node: ast.expr) -> object:
        """What a global name, or a name in a module that one stands for, is at run time."""
        if isinstance(node, ast.Name):
            return vars(self._source.module).get(node.id) if self._source.module else None
        if isinstance(node, ast.Attribute):
            return own_attribute(self._object(node.value), node.attr)
        return None

    def _counted(self, function: _Function) -> set[int]:
        """The calls of ``set()`` in ``function`` that write back what was read, plus a number."""
        read: dict[str, str] = {}  # variables with what was under a key
        sums: dict[str, str] = {}  # and those with a number added to it
        found = set()
        for node in sorted(_inside(function), key=_place):
            if isinstance(node, ast.Assign | ast.NamedExpr):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = [target.id for target in targets if isinstance(target, ast.Name)]
                _note(read, names, self._key_read(node.value, read))
                _note(sums, names, self._key_of_sum(node.value, read))
            elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                key = read.get(node.target.id) if _is_number(node.value) else None
                _note(sums, [node.target.id], key)
            elif isinstance(node, ast.Call) and len(node.args) > 1:
                value = node.args[1]
                named = sums.get(value.id) if isinstance(value, ast.Name) else None
                if ast.unparse(node.args[0]) == (named or self._key_of_sum(value, read)):
                    found.add(id(node))
        return found

    def _key_read(self, node: ast.expr, read: dict[str, str]) -> str | None:
        """The key that ``node`` reads from a cache: a call, a variable with what one gave."""
        node = _awaited(node)
        if isinstance(node, ast.Name):
            return read.get(node.id)
        if isinstance(node, ast.BoolOp):  # cache.get(key) or 0
            return self._key_read(node.values[0], read)
        if not isinstance(node, ast.Call) or not node.args:
            return None
        if isinstance(node.func, ast.Name) and node.func.id in {"int", "float"}:
            return self._key_read(node.args[0], read)
        if (
            isinstance(node.func, ast.Attribute)
            and node.func.attr in _GETTERS
            and self._alias(node.func.value) is not None
        ):
            return ast.unparse(node.args[0])
        return None

    def _key_of_sum(self, node: ast.expr, read: dict[str, str]) -> str | None:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
            if _is_number(node.right):
                return self._key_read(node.left, read)
            if _is_number(node.left):
                return self._key_read(node.right, read)
        return None


def _kind(method: str, *, used: bool, counted: bool) -> Kind | None:
    if method in _COUNTERS or (method in _SETTERS and counted):
        return "counter"
    if method in _LOCKS and used:
        return "lock"
    return "invalidation" if method in _INVALIDATIONS else None


def _note(known: dict[str, str], names: list[str], key: str | None) -> None:
    for name in names:
        known.pop(name, None)
        if key is not None:
            known[name] = key


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


def _awaited(node: ast.expr) -> ast.expr:
    return node.value if isinstance(node, ast.Await) else node


def _place(node: ast.AST) -> tuple[int, int]:
    """Where ``node`` ends: what an assignment reads comes before what it assigns."""
    return getattr(node, "end_lineno", None) or 0, getattr(node, "end_col_offset", None) or 0


def _inside(function: _Function) -> Iterator[ast.AST]:
    """The nodes of ``function``, without those of the functions in it."""
    pending = list(ast.iter_child_nodes(function))
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, _Function):
            pending += ast.iter_child_nodes(node)
