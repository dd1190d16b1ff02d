"""Attributes, truth and types of values, asked of live objects without running anything."""

from __future__ import annotations

import ast
import inspect
import threading
import types
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from asgiref.local import Local as AsgirefLocal
from django.conf import LazySettings
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import functional

from deploytool.project.conduct.values import (
    Adapted,
    Awaitable,
    Headers,
    Known,
    Local,
    Many,
    Method,
    OneOf,
    Request,
    RequestPart,
    Response,
    Stream,
    Super,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ABSENT = object()
_ABSTRACT = frozenset({"collections.abc", "typing", "types"})
_SIMPLE = (bool, int, float, complex, str, bytes, tuple, list, dict, set, frozenset, type(None))


@cache
def request_attributes() -> frozenset[str]:
    """What a request has before any middleware has seen it."""
    own = {"environ", "scope", "META", "path", "path_info", "method", "resolver_match", "urlconf"}
    classes = (HttpRequest, WSGIRequest, ASGIRequest)
    found = {name for cls in classes for name in dir(cls)} | set(vars(HttpRequest()))
    return frozenset(found | own | {"content_type", "content_params", "body", "_body"})


async def _no_chunks() -> Any:
    """The content of a response that is never sent."""
    yield b""


@cache
def model(kind: str) -> StreamingHttpResponse:
    """A response that streams, to be asked what it is."""
    return StreamingHttpResponse(_no_chunks() if kind == "async" else iter(()))


def static(obj: Any, name: str) -> Any:
    """What ``obj`` has under ``name``, unbound, ABSENT if nothing; no descriptor is run."""
    try:
        return inspect.getattr_static(obj, name)
    except Exception:  # AttributeError, or whatever an odd metaclass raises
        return ABSENT


def is_thread_local(obj: Any) -> bool:
    """Whether what ``obj`` keeps belongs to the thread that it was put there in."""
    if isinstance(obj, AsgirefLocal):
        return bool(getattr(obj, "_thread_critical", False))
    return issubclass(type(obj), threading.local)


def load(obj: Any, name: str) -> Value | Callable[..., Any] | None:
    """``obj.name`` for a live object.

    A Value; or the function behind a property, to be read with ``obj`` as its argument; or
    None where there is no such attribute.
    """
    if isinstance(obj, types.ModuleType):
        return Known(vars(obj)[name]) if name in vars(obj) else None
    if type(obj) is LazySettings:
        # A setting may be anything, but to ask for one runs Django's code alone.
        found = getattr(obj, name, ABSENT)
        return None if found is ABSENT else Known(found)
    found = static(obj, name)
    if found is ABSENT:
        return None
    if isinstance(obj, type):
        return _bound_to_class(obj, found)
    own = _instance_dict(obj)
    if name in own:
        return Known(own[name])
    return _bound(obj, found)


def _instance_dict(obj: Any) -> dict[str, Any]:
    try:
        found = object.__getattribute__(obj, "__dict__")
    except AttributeError:
        return {}
    return found if isinstance(found, dict) else {}


def _bound(obj: Any, found: Any) -> Value | Callable[..., Any]:
    if isinstance(found, types.FunctionType):
        return Known(types.MethodType(found, obj))
    if isinstance(found, staticmethod):
        return Known(found.__func__)
    if isinstance(found, classmethod):
        return Known(types.MethodType(found.__func__, type(obj)))
    if isinstance(found, property) and isinstance(found.fget, types.FunctionType):
        return found.fget
    if isinstance(found, cached_property | functional.cached_property):
        function = getattr(found, "real_func", None) or getattr(found, "func", None)
        return function if isinstance(function, types.FunctionType) else Unknown()
    if hasattr(type(found), "__get__"):
        return Unknown()  # a descriptor of its own kind
    return Known(found)


def _bound_to_class(cls: type, found: Any) -> Value:
    if isinstance(found, staticmethod):
        return Known(found.__func__)
    if isinstance(found, classmethod):
        return Known(types.MethodType(found.__func__, cls))
    if isinstance(found, types.FunctionType) or not hasattr(type(found), "__get__"):
        return Known(found)
    return Unknown()


def after(value: Super, name: str) -> Value | Callable[..., Any] | None:
    """``super().name``: what the classes after one have under ``name``, bound."""
    owner = value.owner
    mro = (owner if isinstance(owner, type) else type(owner)).__mro__
    start = mro.index(value.after) + 1 if value.after in mro else 0
    for base in mro[start:]:
        if name in base.__dict__:
            found = base.__dict__[name]
            return (
                _bound_to_class(owner, found) if isinstance(owner, type) else _bound(owner, found)
            )
    return None


def truth(value: Value) -> bool | None:
    """Whether ``value`` is true, None where that cannot be told."""
    if isinstance(value, Known):
        return _truth_of(value.obj)
    if isinstance(value, Many):
        return bool(value.items)
    if isinstance(value, OneOf):
        answers = {truth(each) for each, _ in value.options}
        return answers.pop() if len(answers) == 1 else None
    if isinstance(value, Unknown):
        return value.truth
    if isinstance(value, Request | Response | Awaitable | Stream | Local | Adapted | Method):
        return True
    return None


def _truth_of(obj: Any) -> bool | None:
    if isinstance(obj, _SIMPLE) and type(obj) in _SIMPLE:
        return bool(obj)
    if isinstance(obj, type | types.FunctionType | types.MethodType | types.ModuleType):
        return True
    if static(type(obj), "__bool__") is ABSENT and static(type(obj), "__len__") is ABSENT:
        return True
    return None


def is_instance(value: Value, classes: Any) -> bool | None:
    """``isinstance(value, classes)``, None where that cannot be told."""
    if isinstance(value, OneOf):
        answers = {is_instance(each, classes) for each, _ in value.options}
        return answers.pop() if len(answers) == 1 else None
    try:
        return _is_instance(value, classes)
    except TypeError:  # not a class
        return None


def _is_instance(value: Value, classes: Any) -> bool | None:
    if isinstance(value, Known):
        return issubclass(type(value.obj), classes)
    if isinstance(value, Awaitable):
        return issubclass(types.CoroutineType, classes)
    if isinstance(value, Stream):
        made = types.AsyncGeneratorType if value.kind == "async" else types.GeneratorType
        if issubclass(made, classes):
            return True
        return False if _all(classes, lambda cls: cls.__module__ in _ABSTRACT) else None
    return _is_response(value.kind, classes) if isinstance(value, Response) else None


def _is_response(kind: str, classes: Any) -> bool | None:
    if kind != "plain":
        return isinstance(model(kind), classes)
    if _all(classes, lambda cls: issubclass(cls, StreamingHttpResponse)):
        return False
    if issubclass(HttpResponseBase, classes):
        return True
    return None if _any(classes, lambda cls: issubclass(cls, HttpResponseBase)) else False


def _flat(classes: Any) -> list[Any]:
    return (
        [each for part in classes for each in _flat(part)] if type(classes) is tuple else [classes]
    )


def _all(classes: Any, test: Callable[[type], bool]) -> bool:
    return all(isinstance(each, type) and test(each) for each in _flat(classes))


def _any(classes: Any, test: Callable[[type], bool]) -> bool:
    return any(not isinstance(each, type) or test(each) for each in _flat(classes))


def is_request(cls: type[HttpRequest], classes: Any) -> bool | None:
    """``isinstance(request, classes)`` for a request of the class ``cls``."""
    try:
        if issubclass(cls, classes):
            return True
    except TypeError:
        return None
    # A framework's own request may look like anything.
    return False if _all(classes, lambda each: issubclass(each, HttpRequest)) else None


def has_attribute(value: Value, name: str) -> bool | None:
    """``hasattr(value, name)``, None where that cannot be told."""
    if isinstance(value, Known):
        if static(value.obj, name) is not ABSENT:
            return True
        # What answers by itself (__getattr__) may have anything.
        return None if static(type(value.obj), "__getattr__") is not ABSENT else False
    if isinstance(value, Response):
        if value.kind != "plain":
            return hasattr(model(value.kind), name)
        if hasattr(HttpResponse, name):
            return True
        return False if name in ("streaming_content", "is_async") else None
    if isinstance(value, Awaitable):
        return hasattr(types.CoroutineType, name)
    return None


_OPERATORS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: lambda left, right: left == right,
    ast.NotEq: lambda left, right: left != right,
    ast.Lt: lambda left, right: left < right,
    ast.LtE: lambda left, right: left <= right,
    ast.Gt: lambda left, right: left > right,
    ast.GtE: lambda left, right: left >= right,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}


def compare(left: Value, operator: ast.cmpop, right: Value) -> bool | None:
    """``left operator right``, None where that cannot be told."""
    if isinstance(operator, ast.Is | ast.IsNot):
        same = _is_same(left, right)
        return same if same is None or isinstance(operator, ast.Is) else not same
    if not isinstance(left, Known) or not isinstance(right, Known):
        return None
    if type(left.obj) not in _SIMPLE or type(right.obj) not in _SIMPLE:
        return None
    try:
        return bool(_OPERATORS[type(operator)](left.obj, right.obj))
    except Exception:
        return None


def _is_same(left: Value, right: Value) -> bool | None:
    if isinstance(left, Known) and isinstance(right, Known):
        return left.obj is right.obj
    sides = (left, right)
    if any(isinstance(each, OneOf | Unknown | RequestPart) for each in sides):
        return None
    if any(isinstance(each, Known) for each in sides):
        other = next(each for each in sides if not isinstance(each, Known))
        made = Request | Response | Awaitable | Stream | Local | Many | Headers
        return False if isinstance(other, made) else None
    return None if type(left) is type(right) else False
