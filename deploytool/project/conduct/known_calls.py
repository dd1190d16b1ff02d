"""Functions that are known by what they do, rather than read: builtins, asgiref's, asyncio's."""

from __future__ import annotations

import ast
import inspect
import types
from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction
from django.core.handlers.asgi import ASGIRequest

from deploytool.project.conduct.events import Raised
from deploytool.project.conduct.loading import (
    has_attribute,
    is_instance,
    is_request,
    request_attributes,
)
from deploytool.project.conduct.values import (
    Adapted,
    Awaitable,
    Condition,
    Frame,
    Known,
    Local,
    Many,
    Method,
    OneOf,
    Request,
    Response,
    State,
    ThreadIdentity,
    Unknown,
    Value,
    is_derived,
    one_of,
)
from deploytool.project.definitions import top_package

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deploytool.project.conduct.expressions import Expressions

    Place = tuple[ast.AST, State, Frame]
    Pairs = Sequence[tuple[str, Value]]


def is_coroutine_function(value: Value) -> bool:
    """Whether a call of ``value`` is known to make a coroutine by its mark."""
    if isinstance(value, Known):
        return bool(iscoroutinefunction(value.obj))
    if isinstance(value, Local):
        return value.is_coroutine_function
    return isinstance(value, Adapted) and value.way == "to_async"


def _hasattr(run: Expressions, args: list[Value], keywords: Pairs, place: Place) -> Value:
    name = args[1].obj if len(args) > 1 and isinstance(args[1], Known) else None
    answer = _has(run, args[0], name) if isinstance(name, str) else None
    key = _key(args[0], name)
    if key is not None and key in place[1].attributes:
        answer = True
    return Unknown() if answer is None else Known(answer)


def _has(run: Expressions, value: Value, name: str) -> bool | None:
    if not isinstance(value, Request):
        return has_attribute(value, name)
    if name in ("scope", "environ"):  # of one interface's requests alone
        return (name == "scope") == issubclass(run.request_class, ASGIRequest)
    return True if name in request_attributes() else None


def _key(value: Value, name: object) -> tuple[int, str] | None:
    if not isinstance(name, str):
        return None
    if isinstance(value, Request):
        return (-1, name)
    return (id(value.obj), name) if isinstance(value, Known) else None


def _getattr(run: Expressions, args: list[Value], keywords: Pairs, place: Place) -> Value:
    name = args[1].obj if len(args) > 1 and isinstance(args[1], Known) else None
    if not isinstance(name, str) or not name.isidentifier():
        return Unknown(bool(args) and is_derived(args[0]))
    node, state, frame = place
    made = ast.copy_location(ast.Attribute(ast.Name("_"), name), node)
    if len(args) < 3:
        return run.attribute(args[0], made, state, frame)
    owner, default = args[0], args[2]
    answer = _has(run, owner, name)
    key = _key(owner, name)
    if answer is False and key not in state.attributes:
        return default
    run.catching.append(AttributeError)
    try:
        found = run.attribute(owner, made, state, frame)
    except Raised as raised:
        if not issubclass(raised.kind, AttributeError):
            raise
        return default
    finally:
        run.catching.pop()
    if answer or isinstance(found, OneOf):
        return found
    looked = Condition(f"hasattr({name})")
    return one_of([(found, (looked,)), (default, (looked,))])


def _setattr(run: Expressions, args: list[Value], keywords: Pairs, place: Place) -> Value:
    if len(args) == 3 and isinstance(args[1], Known) and isinstance(args[1].obj, str):
        run.set_attribute(args[0], args[1].obj, args[2], place)
    return Known(None)


def _isinstance(run: Expressions, args: list[Value], keywords: Pairs, place: Place) -> Value:
    classes = args[1] if len(args) > 1 else Unknown()
    if isinstance(classes, Many) and all(isinstance(each, Known) for each in classes.items):
        classes = Known(tuple(each.obj for each in classes.items))  # type: ignore[attr-defined]
    answer = None
    if isinstance(classes, Known) and isinstance(args[0], Request):
        answer = is_request(run.request_class, classes.obj)
    elif isinstance(classes, Known):
        answer = is_instance(args[0], classes.obj)
    return Unknown() if answer is None else Known(answer)


def _callable(run: Expressions, args: list[Value], keywords: Pairs, place: Place) -> Value:
    if args and isinstance(args[0], Known):
        return Known(callable(args[0].obj))
    return Known(True) if args and isinstance(args[0], Local | Adapted | Method) else Unknown()


def _iscoroutinefunction(
    run: Expressions, args: list[Value], keywords: Pairs, place: Place
) -> Value:
    if not args or isinstance(args[0], Unknown | OneOf | Method):
        return Unknown()
    return Known(is_coroutine_function(args[0]))


def _isawaitable(run: Expressions, args: list[Value], keywords: Pairs, place: Place) -> Value:
    if args and isinstance(args[0], Awaitable):
        return Known(True)
    if args and isinstance(args[0], Response | Request):
        return Known(False)
    if args and isinstance(args[0], Known):
        return Known(inspect.isawaitable(args[0].obj))
    return Unknown()


def _same(run: Expressions, args: list[Value], keywords: Pairs, place: Place) -> Value:
    return args[0] if args else Unknown()


def _wraps(run: Expressions, args: list[Value], keywords: Pairs, place: Place) -> Value:
    return Adapted("same", Unknown())


def _sync_to_async(run: Expressions, args: list[Value], keywords: Pairs, place: Place) -> Value:
    if args and is_coroutine_function(args[0]):
        raise Raised(TypeError, run.event("to-thread", place))
    return Adapted("to_async", args[0] if args else None)


def _async_to_sync(run: Expressions, args: list[Value], keywords: Pairs, place: Place) -> Value:
    return Adapted("to_sync", args[0] if args else None)


def _to_thread(run: Expressions, args: list[Value], keywords: Pairs, place: Place) -> Value:
    if not args:
        return Unknown()
    return run.to_async(args[0], args[1:], keywords, place)


def _asyncio_run(run: Expressions, args: list[Value], keywords: Pairs, place: Place) -> Value:
    return run.awaited(args[0], place) if args else Unknown()


def _thread_identity(run: Expressions, args: list[Value], keywords: Pairs, place: Place) -> Value:
    return ThreadIdentity()


def _list_like(run: Expressions, args: list[Value], keywords: Pairs, place: Place) -> Value:
    items = [run.iterated(each, place, is_async=False) for each in args]
    return Unknown(any(map(is_derived, items)))


_BY_NAME: dict[str, Callable[[Expressions, list[Value], Any, Any], Value]] = {
    "hasattr": _hasattr,
    "getattr": _getattr,
    "setattr": _setattr,
    "isinstance": _isinstance,
    "callable": _callable,
    "iscoroutinefunction": _iscoroutinefunction,
    "iscoroutine": _isawaitable,
    "isawaitable": _isawaitable,
    "markcoroutinefunction": _same,
    "wait_for": _same,
    "shield": _same,
    "ensure_future": _same,
    "create_task": _same,
    "wraps": _wraps,
    "sync_to_async": _sync_to_async,
    "async_to_sync": _async_to_sync,
    "to_thread": _to_thread,
    "run": _asyncio_run,
    "get_ident": _thread_identity,
    "current_thread": _thread_identity,
    "sorted": _list_like,
    "sum": _list_like,
    "any": _list_like,
    "all": _list_like,
}
_LIBRARIES = frozenset(
    {"builtins", "inspect", "asyncio", "asgiref", "functools", "threading", "_thread"}
)


def known_call(obj: Any) -> Callable[[Expressions, list[Value], Any, Any], Value] | None:
    """What a call of ``obj`` gives, where it is one of the functions above."""
    if not isinstance(obj, types.FunctionType | types.BuiltinFunctionType):
        return None
    found = _BY_NAME.get(obj.__name__)
    module = getattr(obj, "__module__", None)
    # A function of the project's may have the same name.
    return found if isinstance(module, str) and top_package(module) in _LIBRARIES else None
