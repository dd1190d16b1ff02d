"""Which interface a callable has, told from how it can be called.

WSGI calls ``application(environ, start_response)`` (PEP 3333); ASGI 3 awaits
``application(scope, receive, send)``; ASGI 2 calls ``application(scope)`` and awaits
what that returns with ``(receive, send)`` (the ASGI specification, "Legacy Applications").
"""

from __future__ import annotations

import functools
import inspect
from typing import Any, Literal, NamedTuple

CallableInterface = Literal["wsgi", "asgi", "asgi2", "factory"]

UNBOUNDED = 99
_WSGI_FIRST = {"environ", "env"}
_WSGI = _WSGI_FIRST | {"start_response"}
_ASGI = {"scope", "receive", "send"}


class Arguments(NamedTuple):
    """The positional arguments of a call: how few, how many, what they are called."""

    required: int
    most: int
    names: tuple[str, ...]
    is_async: bool

    def accepts(self, count: int) -> bool:
        """Whether the call works with ``count`` positional arguments."""
        return self.required <= count <= self.most


def evaluated(app: Any) -> Any:
    """What a lazy object of Django's stands for, built as the first request would build it.

    Only for a subclass that can be called: ``SimpleLazyObject`` itself cannot.
    """
    for _ in range(10):
        if not descends(app, "django.utils.functional.LazyObject") or not callable(app):
            break
        if not callable(app.__dict__["_wrapped"]):
            app._setup()
        app = app.__dict__["_wrapped"]
    return app


def called(app: Any) -> Any:
    """The function or bound method that runs when ``app`` is called.

    Python looks ``__call__`` up on the class, where a slot of that name makes it an
    attribute of the instance (the middleware of Sentry does that).
    """
    if isinstance(app, (type, functools.partial)) or inspect.isroutine(app):
        return app
    for cls in type(app).__mro__:
        if "__call__" in vars(cls):
            found = vars(cls)["__call__"]
            bind = getattr(type(found), "__get__", None)
            try:
                return found if bind is None else bind(found, app, type(app))
            except Exception:
                return None
    return None


def function_of(app: Any) -> Any:
    """The Python function that runs when ``app`` is called, or None."""
    target = called(app)
    while isinstance(target, functools.partial):
        target = called(target.func)
    target = getattr(target, "__func__", target)
    return target if inspect.isfunction(target) else None


def arguments(app: Any) -> Arguments | None:
    """How ``app`` can be called, None where that cannot be told."""
    target = called(app)
    if target is None:
        return None
    found = _arguments(target, follow=False)
    if found and found.most == UNBOUNDED and not found.names and hasattr(target, "__wrapped__"):
        # ``*args`` of a wrapper made with functools.wraps: what it wraps tells more. Not
        # otherwise: a Channels consumer's application has its *class* as __wrapped__.
        # Asked of ``target`` itself: where it is a bound method, what it wraps is not.
        inner = _arguments(target, follow=True)
        is_async = found.is_async or inspect.iscoroutinefunction(inspect.unwrap(target))
        return inner and inner._replace(is_async=is_async)
    return found


def _arguments(target: Any, *, follow: bool) -> Arguments | None:
    try:
        parameters = inspect.signature(target, follow_wrapped=follow).parameters.values()
    except (TypeError, ValueError):
        return None
    except Exception:
        return None
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    unbounded = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return Arguments(
        sum(p.default is p.empty for p in positional),
        UNBOUNDED if unbounded else len(positional),
        tuple(p.name for p in positional),
        inspect.iscoroutinefunction(target),
    )


def interface_of(app: Any) -> CallableInterface | None:
    """The interface of ``app`` by its own signature, None where that does not tell."""
    if isinstance(app, type):
        return _class_interface(app)
    # asgiref's mark; True itself, because some objects have something for every name.
    if getattr(app, "_asgi_double_callable", False) is True:
        return "asgi2"
    found = arguments(app)
    return None if found is None else _interface(found)


def _interface(found: Arguments) -> CallableInterface | None:
    first = found.names[:1]
    names = set(found.names)
    if found.most == 0 or (
        found.required == 0 and found.most != UNBOUNDED and not names & (_WSGI | _ASGI)
    ):
        return "factory"
    if found.accepts(2) and ("start_response" in names or set(first) & _WSGI_FIRST):
        return None if found.is_async else "wsgi"
    if first == ("scope",) or names >= {"receive", "send"} or found.is_async:
        if found.accepts(3):
            return "asgi"
        return "asgi2" if found.accepts(1) and not found.is_async else None
    if found.most == UNBOUNDED:
        return None
    if found.accepts(2):
        return "wsgi"
    if found.accepts(3):
        return "asgi"
    return "asgi2" if found.accepts(1) else None


def makes(app: Any) -> bool:
    """Whether ``app`` makes an application, and cannot be called as an ASGI one itself."""
    if interface_of(app) != "factory":
        return False
    if isinstance(app, type):
        return True
    found = arguments(app)
    return found is not None and not found.accepts(3)


def _class_interface(cls: type) -> CallableInterface | None:
    """What a class is as an application, its instances being made by the call."""
    made = _arguments(cls, follow=False)
    instance_call = _class_call(cls)
    if made is not None and not _takes_anything(made):
        if (
            made.accepts(1)
            and instance_call
            and set(instance_call.names[1:]) == {"receive", "send"}
        ):
            return "asgi2"
        if made.accepts(2) and hasattr(cls, "__iter__") and set(made.names) & _WSGI:
            return "wsgi"
        if made.accepts(3) and hasattr(cls, "__await__"):
            return "asgi"
    if instance_call is not None:
        return "factory"
    return None


def _takes_anything(found: Arguments) -> bool:
    return found.most == UNBOUNDED and not found.names


def _class_call(cls: type) -> Arguments | None:
    for base in cls.__mro__:
        if "__call__" in vars(base):
            return _arguments(vars(base)["__call__"], follow=False)
    return None


def is_application(value: Any) -> bool:
    """Whether ``value``, met inside another callable, is surely an application itself.

    Stricter than :func:`interface_of`: a middleware holds many callables, and only those
    that name their arguments as the specifications do (or are coroutines of exactly three)
    are taken for what it wraps.
    """
    if isinstance(value, type) or not callable(value):
        return False
    found = arguments(value)
    if found is None:
        return False
    names = set(found.names)
    first = found.names[:1]
    if (
        found.accepts(2)
        and not found.is_async
        and names & _WSGI
        and ("start_response" in names or set(first) & _WSGI_FIRST)
    ):
        return True
    if found.accepts(3):
        if first == ("scope",) or names >= {"receive", "send"}:
            return True
        return found.is_async and found.required == 3
    return False


def arity(interface: CallableInterface | None) -> int | None:
    """With how many arguments an application of ``interface`` is called."""
    return {"wsgi": 2, "asgi": 3, "asgi2": 1}.get(interface or "")


def dotted(value: Any) -> str:
    """The dotted name of a class or function, of the class for an instance."""
    while isinstance(value, functools.partial):
        value = value.func
    if inspect.ismethod(value):
        owner = value.__self__ if isinstance(value.__self__, type) else type(value.__self__)
        return f"{owner.__module__}.{owner.__qualname__}.{value.__name__}"
    named = value if isinstance(value, type) or inspect.isroutine(value) else type(value)
    module = getattr(named, "__module__", None)
    name = getattr(named, "__qualname__", None) or getattr(named, "__name__", "?")
    return f"{module}.{name}" if module else str(name)


def descends(app: Any, *names: str) -> bool:
    """Whether a class of ``app`` (or of the class ``app``) has one of these names.

    A name with dots is compared with the class's module too; one without is not, so that
    copies of a class within a project are recognised.
    """
    cls = app if isinstance(app, type) else type(app)
    return any(
        base.__name__ in names or f"{base.__module__}.{base.__qualname__}" in names
        for base in cls.__mro__
    )
