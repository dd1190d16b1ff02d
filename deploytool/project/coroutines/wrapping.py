"""Sync code around an async view that takes its coroutine for a response."""

from __future__ import annotations

import ast
from types import FunctionType
from typing import TYPE_CHECKING, Literal

from asgiref.sync import iscoroutinefunction
from django.views import View

from deploytool.project.coroutines.facts import Route
from deploytool.project.coroutines.frames import own_nodes
from deploytool.project.definitions import (
    cells,
    dotted,
    function_node,
    is_a,
    is_own,
    location_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.project.callbacks import Callback

# Names in a wrapper that asks what it has got, or that runs a coroutine itself.
_ASKS = frozenset(
    [
        "iscoroutinefunction",
        "iscoroutine",
        "isawaitable",
        "async_to_sync",
        "AsyncToSync",
        "run",
        "run_until_complete",
        "markcoroutinefunction",
        "ensure_future",
        "create_task",
    ]
)


def hides_coroutine(callback: object) -> bool:
    """Whether the callable of a route may be a sync wrapper; a cheap question."""
    if not is_a(callback, FunctionType):
        return False
    attributes = callback.__dict__
    if "view_class" in attributes or "cls" in attributes:
        return False
    return callback.__closure__ is not None or "__wrapped__" in attributes or is_lambda(callback)


def is_lambda(function: FunctionType) -> bool:
    """Whether it is one of the project's lambdas, which may return a coroutine."""
    return function.__name__ == "<lambda>" and is_own(function.__code__.co_filename)


def wrapped(route: str, callback: object, taken: Callback, base_dir: str) -> Route | None:
    """What goes wrong around the async view behind ``callback``, if anything."""
    if iscoroutinefunction(callback):
        if is_a(taken.subject, type) and issubclass(taken.subject, View):
            return _async_class(route, taken.subject, base_dir)
        return None
    subject = taken.subject
    if not is_a(subject, FunctionType) or taken.operations or not is_a(callback, FunctionType):
        return None
    layer: FunctionType = callback
    for _ in range(len(taken.layers) + 1):
        inner = [
            (name, value)
            for name, value in cells(layer).items()
            if is_a(value, FunctionType) and (value in taken.layers or value is subject)
        ]
        for name, value in inner:
            if iscoroutinefunction(value):
                problem = _calls_it(layer, name)
                if problem is None:
                    return None
                return Route(
                    route,
                    dotted(subject),
                    problem,
                    _name_of(layer),
                    location_of(subject, base_dir),
                )
        following = [value for _, value in inner if not iscoroutinefunction(value)]
        if not following:
            return None
        layer = following[0]
    return None


def _name_of(function: FunctionType) -> str:
    """The dotted path of a decorator, of which ``function`` is the wrapper; functools.wraps()
    gives that the name of the view."""
    made_in = function.__code__.co_qualname.partition(".<locals>")[0]
    return f"{function.__globals__.get('__name__', '')}.{made_in}"


def _calls_it(layer: FunctionType, name: str) -> Literal["unawaited", "touched"] | None:
    """What a sync wrapper does with the coroutine that its variable ``name`` gives."""
    code = layer.__code__
    if not _ASKS.isdisjoint((*code.co_names, *code.co_freevars)):
        return None
    node = function_node(code)
    if node is None:
        return None
    body = list(own_nodes(node.body))
    if isinstance(node, ast.Lambda):
        return "unawaited" if _is_call_of(node.body, name) else None
    if any(isinstance(each, ast.Return) and _is_call_of(each.value, name) for each in body):
        return "unawaited"
    kept = {
        target.id
        for each in body
        if isinstance(each, ast.Assign) and _is_call_of(each.value, name)
        for target in each.targets
        if isinstance(target, ast.Name)
    }
    touched = any(
        isinstance(each, ast.Attribute | ast.Subscript)
        and isinstance(each.value, ast.Name)
        and each.value.id in kept
        for each in body
    )
    if touched:
        return "touched"
    returned = any(
        isinstance(each, ast.Return) and isinstance(each.value, ast.Name) and each.value.id in kept
        for each in body
    )
    return "unawaited" if returned else None


def _is_call_of(node: ast.expr | None, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def _async_class(route: str, cls: type, base_dir: str) -> Route | None:
    """An async class whose ``dispatch()`` answers by itself as a sync one does."""
    for base in cls.__mro__:
        function = base.__dict__.get("dispatch")
        if function is None:
            continue
        if iscoroutinefunction(function):
            return None
        # Looked up by its name: to import it is an error where django.contrib.auth is no app.
        mixins = (each.__module__ for each in base.__mro__ if each.__name__ == "AccessMixin")
        if base.__module__.startswith("django.") and "django.contrib.auth.mixins" in mixins:
            return Route(
                route, dotted(cls), "access", base.__qualname__, location_of(cls, base_dir)
            )
        for decorator in _method_decorators(function):
            problem = _decorator_problem(decorator)
            if problem:
                return Route(
                    route, dotted(cls), "touched", _name_of(decorator), location_of(cls, base_dir)
                )
        if base is View:
            return None
    return None


def _method_decorators(function: object) -> Iterator[FunctionType]:
    """What ``method_decorator()`` was given for a method."""
    if not is_a(function, FunctionType):
        return
    if function.__code__.co_filename.replace("\\", "/").endswith("django/utils/decorators.py"):
        given = cells(function).get("decorators")
        for each in given if isinstance(given, list | tuple) else ():
            if is_a(each, FunctionType):
                yield each


def _decorator_problem(decorator: FunctionType) -> bool:
    """Whether the sync wrapper of a decorator looks at the response, or at the user."""
    node = function_node(decorator.__code__)
    arguments = node.args.args if node is not None else []
    if node is None or not arguments:
        return False
    name = arguments[0].arg
    for wrapper in ast.walk(node):
        if isinstance(wrapper, ast.FunctionDef) and wrapper is not node:
            body = list(own_nodes(wrapper.body))
            assigned = any(
                isinstance(each, ast.Assign) and _is_call_of(each.value, name) for each in body
            )
            asks_user = any(
                isinstance(each, ast.Attribute) and each.attr == "user" for each in body
            )
            calls = any(isinstance(each, ast.Call) and _is_call_of(each, name) for each in body)
            if calls and (assigned or asks_user):
                return True
    return False
