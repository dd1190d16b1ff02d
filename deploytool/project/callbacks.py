"""What stands behind the callable of a route: the user's function, class or operations.

Takes off decorators (with and without ``functools.wraps``), ``functools.partial``, bound
methods, ``as_view()`` and the wrappers of Django REST framework and Django Ninja. Both
frameworks are recognised by their classes' names: neither needs to be installed.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cache, partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import Literal

from asgiref.sync import AsyncToSync

from deploytool.project.definitions import (
    cells,
    class_attribute,
    function_node,
    top_package,
)

Kind = Literal["function", "class", "drf", "ninja"]

# Decorators nest a few deep; a chain longer than this is an object that invents attributes.
_DEEPEST = 50


@dataclass(slots=True)
class Callback:
    """A route's callable, taken apart.

    ``subject`` is what the user wrote: a function, a class, or the instance that is
    called. ``layers`` are the functions around it, outermost first; ``operations`` Django
    Ninja's operations on the route, ``actions`` those of a viewset that the route uses.
    """

    subject: object
    kind: Kind
    layers: list[FunctionType] = field(default_factory=list)
    operations: tuple[object, ...] = ()
    actions: frozenset[str] | None = None


# By identity, as callables need not be hashable; they are kept, so that an identity stays theirs.
_UNWRAPPED: dict[int, tuple[object, Callback]] = {}


def unwrap(callback: object, name: str | None = None) -> Callback:
    """What stands behind ``callback``, the callable that a URL pattern holds under ``name``."""
    known = _UNWRAPPED.get(id(callback))
    if known is not None:
        return known[1]
    found = _unwrapped(callback, name)
    if not found.operations:  # which of these counts is a matter of the name
        _UNWRAPPED[id(callback)] = callback, found
    return found


def _unwrapped(callback: object, name: str | None) -> Callback:
    layers: list[FunctionType] = []
    current = callback
    for _ in range(_DEEPEST):
        operations = _operations(current)
        if operations:
            function = unwrap(getattr(_decisive(operations, name), "view_func", None)).subject
            return Callback(function, "ninja", layers, operations)
        cls = _view_class(current)
        if cls is not None:
            return _class_callback(cls, current, layers)
        inner = _inner(current)
        if inner is None:
            break
        if isinstance(current, FunctionType):
            layers.append(current)
        current = inner
    if isinstance(current, FunctionType | MethodType | BuiltinFunctionType):
        return Callback(current, "function", layers)
    return Callback(current, "class", layers)


def _class_callback(cls: type, callback: object, layers: list[FunctionType]) -> Callback:
    # functools.wraps copies view_class outwards: the decorators are between here and as_view().
    while isinstance(callback, FunctionType) and "__wrapped__" in callback.__dict__:
        layers.append(callback)
        callback = callback.__dict__["__wrapped__"]
    is_drf = any(top_package(base.__module__) == "rest_framework" for base in cls.__mro__)
    if not is_drf:
        return Callback(cls, "class", layers)
    if cls.__qualname__ == "WrappedAPIView":  # what @api_view makes of a function
        for method in getattr(cls, "http_method_names", ()):
            function = _inner(cls.__dict__.get(method))
            if function is not None:
                return Callback(unwrap(function).subject, "drf", layers)
    actions = _get(layers[0] if layers else callback, "actions")
    used = frozenset(actions.values()) if isinstance(actions, dict) else None
    return Callback(cls, "drf", layers, actions=used)


def _view_class(callback: object) -> type | None:
    """The class that ``as_view()`` noted on the function it returned (DRF's: ``cls``)."""
    for name in ("view_class", "cls"):
        found = _get(callback, name)
        if isinstance(found, type) and not isinstance(callback, type):
            return found
    return None


def _operations(callback: object) -> tuple[object, ...]:
    """The operations of Django Ninja's PathView, where ``callback`` is the view it made."""
    candidates: list[object] = []
    if isinstance(callback, MethodType):
        candidates.append(callback.__self__)
    elif isinstance(callback, FunctionType):
        candidates.extend(cells(callback).values())
    for candidate in candidates:
        if any(
            base.__name__ == "PathView" and top_package(base.__module__).startswith("ninja")
            for base in type(candidate).__mro__
        ):
            return tuple(getattr(candidate, "operations", ()))
    return ()


def _decisive(operations: tuple[object, ...], name: str | None) -> object:
    """The operation that a route is shown as. Ninja makes a route for each, named after its
    function, though all of a path share one view; else the one that makes it async."""
    for operation in operations:
        function = getattr(operation, "view_func", None)
        if name and name in (getattr(operation, "url_name", None), _get(function, "__name__")):
            return operation
    return next((each for each in operations if getattr(each, "is_async", False)), operations[0])


def _get(value: object, name: str) -> object:
    """``getattr`` that takes an error for an answer: some objects refuse to be looked at."""
    try:
        return getattr(value, name, None)
    except Exception:
        return None


def _inner(callback: object) -> object:
    """What ``callback`` is wrapped around, None where it wraps nothing."""
    if isinstance(callback, type):
        return None
    if isinstance(callback, partial):
        return callback.func
    if isinstance(callback, AsyncToSync):
        return callback.awaitable
    wrapped = _get(callback, "__wrapped__")
    if callable(wrapped):
        return wrapped
    if isinstance(callback, FunctionType):
        return _among(cells(callback), callback, is_method=False)
    return _held(callback)


def _held(callback: object) -> object:
    """What an instance (of a decorator written as a class) holds and hands its calls to."""
    bound = isinstance(callback, MethodType)
    call = callback if bound else class_attribute(type(callback), "__call__")
    function = call.__func__ if isinstance(call, MethodType) else call
    if not isinstance(function, FunctionType):
        return None
    instance = callback.__self__ if isinstance(callback, MethodType) else callback
    return _among(getattr(instance, "__dict__", {}), function, is_method=True)


def _among(variables: dict[str, object], function: FunctionType, *, is_method: bool) -> object:
    """That of ``variables`` which ``function`` hands its request to, if any."""
    candidates = {name: value for name, value in variables.items() if callable(value)}
    # The source is read only where there is something to be found in it.
    name = _handed_on(function.__code__, is_method=is_method) if candidates else ""
    return candidates.get(name)


@cache
def _handed_on(code: CodeType, *, is_method: bool) -> str:
    """The variable (of a method: the attribute of ``self``) that a wrapper hands its request to.

    A decorator without ``functools.wraps`` leaves no other trace than this: it calls
    something that it closes over with its own arguments, and returns what that returned.
    The empty string where the function does nothing of the kind.
    """
    node = function_node(code)
    if node is None:
        return ""
    names = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)]
    own = names.pop(0) if is_method and names else None
    request = names[0] if names else None
    rest = node.args.vararg.arg if node.args.vararg else None
    body = list(ast.walk(node))
    results = [each.value for each in body if isinstance(each, ast.Return) and each.value]
    if isinstance(node, ast.Lambda):
        results.append(node.body)
    returned = {value.id for value in results if isinstance(value, ast.Name)}
    results += [
        each.value
        for each in body
        if isinstance(each, ast.Assign)
        and isinstance(each.targets[0], ast.Name)
        and each.targets[0].id in returned
    ]
    found = ""
    for result in results:
        for call in ast.walk(result):
            if isinstance(call, ast.Call) and (name := _callee(call.func, own, code.co_freevars)):
                first = call.args[0] if call.args else None
                everything = isinstance(first, ast.Starred) or any(
                    isinstance(each, ast.Starred) for each in call.args[1:]
                )
                direct = call is result or (isinstance(result, ast.Await) and call is result.value)
                first = first.value if isinstance(first, ast.Starred) else first
                own_arguments = isinstance(first, ast.Name) and first.id in {request, rest}
                if own_arguments and (direct or everything):
                    found = name
    return found


def _callee(node: ast.expr, own: str | None, free: tuple[str, ...]) -> str:
    if isinstance(node, ast.Call) and node.args:  # sync_to_async(view)(request)
        return _callee(node.args[0], own, free)
    if own is None:
        return node.id if isinstance(node, ast.Name) and node.id in free else ""
    if (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == own
    ):
        return node.attr
    return ""
