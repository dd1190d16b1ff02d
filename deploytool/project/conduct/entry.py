"""One middleware, made and not called: what it is, and what a call of it would do."""

from __future__ import annotations

import ast
import inspect
import types
from copy import copy
from typing import TYPE_CHECKING, Any

from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.utils.deprecation import MiddlewareMixin

from deploytool.project.conduct.events import Exhausted, Raised
from deploytool.project.conduct.interpreting import Interpreter
from deploytool.project.conduct.loading import ABSENT, static
from deploytool.project.conduct.noticing import INSIDE
from deploytool.project.conduct.values import (
    Awaitable,
    Frame,
    Known,
    Many,
    Request,
    Response,
    State,
    Stream,
    Unknown,
    Value,
    options,
)
from deploytool.project.definitions import class_attribute
from deploytool.project.scopes import functions_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.project.conduct.values import Condition, Kind

KINDS: tuple[Kind, ...] = ("plain", "sync", "async")
AROUND_CALL = ("process_request", "process_response")
_HOOKS: dict[str, list[Value]] = {
    "process_request": [Request()],
    "process_response": [Request(), Response()],
    "process_view": [Request(), Unknown(), Many(()), Unknown()],
    "process_template_response": [Request(), Response()],
    "process_exception": [Request(), Unknown()],
}
"""The hooks of a middleware with what they are called with."""


def describe(
    instance: Any, made_of: Any, handler: Any, *, is_async: bool, interface: str
) -> dict[str, Any]:
    """What ``instance``, which the factory ``made_of`` gave for ``handler``, is and does.

    ``is_async`` is the mode that Django calls it in, when it serves ``interface``.
    """
    problem = call_problem(instance)
    found: dict[str, Any] = {
        "call_problem": problem,
        "mixin": isinstance(instance, MiddlewareMixin),
        "own_call": _own_call(instance),
        "call_at": _place_of(_call_function(instance)),
        "init_at": _place_of(_method(instance, "__init__")),
        "coroutine": inspect.iscoroutinefunction(_call_function(instance)),
        "is_function": not isinstance(made_of, type),
        "results": [],
        "hooks": {},
        "events": {},
    }
    if problem is not None:
        return found
    # Django's own were read by people, and know of streams.
    djangos = type(instance).__module__.startswith("django.")
    for kind in KINDS[:1] if djangos else KINDS:
        results, events, hooks = _read(
            instance, made_of, handler, is_async=is_async, interface=interface, kind=kind
        )
        found["events"][kind] = events
        if kind == "plain":
            found["results"], found["hooks"] = results, hooks
    return found


def call_problem(instance: Any) -> str | None:
    """Why ``instance`` cannot be called with a request: ``asgi``, ``wsgi``, or its signature."""
    try:
        signature = inspect.signature(instance, follow_wrapped=False)
    except (TypeError, ValueError):
        return None if callable(instance) else "not callable"
    try:
        signature.bind(object())
    except TypeError:
        names = list(signature.parameters)
        if "scope" in names or names[1:3] == ["receive", "send"]:
            return "asgi"
        if "start_response" in names or "environ" in names:
            return "wsgi"
        return str(signature)
    return None


def _hook_problem(hook: Any, given: int) -> str | None:
    """The signature of a hook that cannot be called with so many positional arguments."""
    try:
        signature = inspect.signature(hook)
    except (TypeError, ValueError):
        return None
    try:
        signature.bind(*range(given))
    except TypeError:
        return str(signature)
    return None


def _own_call(instance: Any) -> bool:
    """Whether the class, a subclass of the mixin, has a call of its own."""
    return class_attribute(type(instance), "__call__") is not MiddlewareMixin.__dict__["__call__"]


def _call_function(instance: Any) -> types.FunctionType | None:
    function = instance if isinstance(instance, types.FunctionType) else None
    found = function or static(type(instance), "__call__")
    return next(functions_of(found), None) if found is not ABSENT else None


def _method(instance: Any, name: str) -> types.FunctionType | None:
    found = static(type(instance), name)
    return next(functions_of(found), None) if found is not ABSENT else None


def _place_of(function: types.FunctionType | None) -> tuple[str, int] | None:
    if function is None:
        return None
    return function.__code__.co_filename, function.__code__.co_firstlineno


def _read(
    instance: Any, made_of: Any, handler: Any, *, is_async: bool, interface: str, kind: Kind
) -> tuple[list[Any], list[Any], dict[str, Any]]:
    """What a call gives, what is noticed on the way, and what each hook gives by itself."""
    reader = _reader(instance, made_of, handler, is_async=is_async, interface=interface, kind=kind)
    results = _called(reader, Known(instance), [Request()], State(), on_loop=is_async)
    hooks: dict[str, Any] = {}
    for name, given in _HOOKS.items():
        if not hasattr(instance, name):
            continue
        hook = getattr(instance, name)
        marked = inspect.iscoroutinefunction(hook)
        # The call has read these two where it reaches them; the others stand for themselves.
        own = reader if name not in AROUND_CALL else copy(reader)
        if own is not reader:
            own.events = {}
        state = State()
        if name != "process_request":
            state.attributes[INSIDE] = Known(True)
        answer = _called(own, Known(hook), given, state, on_loop=marked and is_async)
        hooks[name] = {"at": _place_of(_method(instance, name)), "marked": marked}
        hooks[name]["problem"] = _hook_problem(hook, len(given))
        hooks[name]["results"] = answer
    return results, [event.as_dict() for event in reader.events], hooks


def _reader(
    instance: Any, made_of: Any, handler: Any, *, is_async: bool, interface: str, kind: Kind
) -> Interpreter:
    reader = Interpreter(handler, is_async=is_async, kind=kind)
    reader.subjects = [instance, *_wrapped(instance, made_of)]
    reader.request_class = ASGIRequest if interface == "asgi" else WSGIRequest
    return reader


def _wrapped(instance: Any, made_of: Any) -> Iterator[Any]:
    """What a tool has put its own object around: an instance of the class that was asked for."""
    if isinstance(made_of, type) and not isinstance(instance, made_of):
        own = getattr(instance, "__dict__", {})
        yield from (each for each in own.values() if isinstance(each, made_of))


def _called(
    reader: Interpreter, function: Value, args: list[Value], state: State, *, on_loop: bool
) -> list[dict[str, Any]]:
    frame = Frame("", 0, {}, on_loop, is_coroutine=False)
    place = (ast.Name("request"), state, frame)
    try:
        value = reader.call(function, args, [], place)
    except Raised as raised:
        reader.maybe_raises(raised)
        return [{"kind": "raises", "conditions": []}]
    except (Exhausted, RecursionError):
        return [{"kind": "unknown", "conditions": []}]
    return list(_results(value))


def _results(value: Value, prefix: str = "") -> Iterator[dict[str, Any]]:
    for each, conditions in options(value):
        if isinstance(each, Awaitable) and prefix.count(">") < 3:
            for inner in _results(each.value, f"{prefix}coroutine>"):
                inner["conditions"] = [*map(_condition, conditions), *inner["conditions"]]
                yield inner
        else:
            yield {
                "kind": prefix + _kind(each),
                "conditions": [_condition(condition) for condition in conditions],
            }


def _kind(value: Value) -> str:
    if isinstance(value, Response):
        return "own-response" if value.own else "response"
    if isinstance(value, Known) and value.obj is None:
        return "none"
    return "generator" if isinstance(value, Stream) else "unknown"


def _condition(condition: Condition) -> dict[str, str]:
    return {"text": condition.text, "about": condition.about}
