"""From an expression in the source of a running function to the object that it means now."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from .inner import closure
from .signature import is_application

if TYPE_CHECKING:
    from types import FunctionType

    from .dispatch import Reader

UNKNOWN = object()
SUPER = object()


class Frame(NamedTuple):
    """Where the names of an expression are looked up: a function and its instance."""

    function: FunctionType
    instance: Any
    reader: Reader


def resolve(node: ast.expr, frame: Frame) -> Any:
    """What ``node`` means, UNKNOWN where that is decided only when it runs.

    SUPER for a method of the superclass. Nothing is called, except a function behind
    ``functools.cache`` that has its answer already.
    """
    if isinstance(node, ast.Name):
        return _name(node.id, frame)
    if isinstance(node, ast.Attribute):
        if isinstance(node.value, ast.Call) and _is_name(node.value.func, "super"):
            return SUPER
        base = resolve(node.value, frame)
        if base is UNKNOWN or base is SUPER:
            return base
        try:
            return getattr(base, node.attr, UNKNOWN)
        except Exception:
            return UNKNOWN
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        base = resolve(node.value, frame)
        try:
            return UNKNOWN if base is UNKNOWN else base[node.slice.value]
        except Exception:
            return UNKNOWN
    if isinstance(node, ast.Call):
        return _call(node, frame)
    return UNKNOWN


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _name(name: str, frame: Frame) -> Any:
    function, instance, reader = frame
    if name in reader.imports:
        module, attribute, level = reader.imports[name]
        package = function.__globals__.get("__package__") or ""
        parts = package.split(".")
        base = parts[: len(parts) - level + 1] if level else []
        found = sys.modules.get(".".join([*base, *([module] if module else [])]))
        return getattr(found, attribute, UNKNOWN)
    arguments = reader.function.args
    own = [*arguments.posonlyargs, *arguments.args][:1]
    if instance is not None and own and own[0].arg == name:
        return instance
    if name in reader.aliases and name not in reader.globals:
        return UNKNOWN
    cells = closure(function)
    if name in cells:
        return cells[name]
    return function.__globals__.get(name, UNKNOWN)


def _call(node: ast.Call, frame: Frame) -> Any:
    function = resolve(node.func, frame)
    info = getattr(function, "cache_info", None)
    if info is not None and not node.args and not node.keywords:
        try:
            return function() if info().currsize else UNKNOWN
        except Exception:
            return UNKNOWN
    for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
        # Wrapper(self.app)(scope, receive, send): what the wrapper was given
        if isinstance(argument, (ast.Name, ast.Attribute)):
            value = resolve(argument, frame)
            if value is not UNKNOWN and value is not SUPER and is_application(value):
                return value
    return UNKNOWN
