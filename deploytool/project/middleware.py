"""The middleware of a project: what ``settings.MIDDLEWARE`` really holds once loaded.

Each entry is imported as Django's handler does it, and none of the project's is
instantiated: their constructors may connect, start threads or raise ``MiddlewareNotUsed``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Literal, TypeGuard

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.utils.deprecation import MiddlewareMixin
from django.utils.module_loading import import_string

from deploytool.handlers.chain import is_plain
from deploytool.project.definitions import (
    class_attribute,
    dotted,
    is_project_class,
    is_stdlib,
    location_of,
)
from deploytool.project.event_loop import event_loop_hooks
from deploytool.project.facts import Failure, Location, Middleware
from deploytool.project.settings_source import SettingsSource
from deploytool.project.source import failure, is_installed

if TYPE_CHECKING:
    from collections.abc import Iterable

HOOKS = (
    "process_request",
    "process_view",
    "process_exception",
    "process_template_response",
    "process_response",
)
_CALLS = ("__call__", "__acall__")


def inspect_middleware(base_dir: str) -> tuple[Middleware, ...]:
    """Every entry of ``settings.MIDDLEWARE``, in order.

    An entry that cannot be imported carries its error, placed at the project's own frame
    or else at the line of the settings that names it.
    """
    entries: object = settings.MIDDLEWARE
    if isinstance(entries, str) or not _is_iterable(entries):
        # Django would walk the letters of a string, or raise a bare TypeError.
        error = Failure("TypeError", f"settings.MIDDLEWARE is {entries!r}, not a list")
        return (Middleware(path=str(entries), setting="settings.MIDDLEWARE", error=error),)
    paths = list(entries)
    source = SettingsSource(base_dir)
    return tuple(
        _middleware(path, f"settings.MIDDLEWARE[{index}]", source, base_dir)
        for index, path in enumerate(paths)
    )


def _is_iterable(value: object) -> TypeGuard[Iterable[object]]:
    return hasattr(value, "__iter__")


def _middleware(entry: object, setting: str, source: SettingsSource, base_dir: str) -> Middleware:
    if not isinstance(entry, str):
        path = dotted(entry) if callable(entry) else repr(entry)
        message = f"{setting} is {entry!r}, not the dotted path of a middleware"
        return Middleware(path, setting, error=Failure("TypeError", message))
    set_at = source.line_of(entry)
    try:
        factory: object = import_string(entry)
        if not callable(factory):
            raise TypeError(f"{entry} is a {type(factory).__name__}, which is not callable")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # project code may raise anything, SystemExit too
        return Middleware(entry, setting, set_at, error=_failure(error, set_at, base_dir))
    described = Middleware(
        path=entry,
        setting=setting,
        set_at=set_at,
        location=location_of(factory, base_dir),
        style=_style(factory),
        sync_capable=_flag(factory, "sync_capable", default=True),
        async_capable=_flag(factory, "async_capable", default=False),
        known=_known(factory),
    )
    if isinstance(factory, type):
        bases = tuple(dotted(base) for base in factory.__mro__ if base is not object)
        hooks = _hooks(factory)
        return replace(
            described,
            hooks=hooks,
            bases=bases,
            async_hooks=tuple(hook for hook in hooks if _is_async(factory, hook)),
            plain=is_plain(factory),
            event_loop_hooks=event_loop_hooks(factory),
        )
    return described


def _failure(error: BaseException, set_at: Location | None, base_dir: str) -> Failure:
    found = failure(error, base_dir)
    # A misspelt path fails in Django's frames alone: the line to change is the setting's.
    return found if found.location else replace(found, location=set_at)


def _flag(factory: object, name: str, *, default: bool) -> bool:
    """A capability as ``BaseHandler.load_middleware`` reads it: from the factory itself."""
    return bool(getattr(factory, name, default))


def _style(factory: object) -> Literal["mixin", "class", "function"]:
    if not isinstance(factory, type):
        return "function"
    if issubclass(factory, MiddlewareMixin) and not _own_calls(factory):
        return "mixin"
    return "class"


def _own_calls(cls: type) -> tuple[str, ...]:
    """Those of ``__call__`` and ``__acall__`` that are not MiddlewareMixin's."""
    return tuple(
        name
        for name in _CALLS
        if (method := class_attribute(cls, name)) is not None
        and method is not MiddlewareMixin.__dict__[name]
    )


def _hooks(cls: type) -> tuple[str, ...]:
    present = tuple(name for name in HOOKS if class_attribute(cls, name) is not None)
    return present + _own_calls(cls)


def _is_async(cls: type, hook: str) -> bool:
    """The question that ``BaseHandler.adapt_method_mode`` asks of the bound method."""
    return bool(iscoroutinefunction(getattr(cls, hook, None)))


def _known(factory: object) -> str | None:
    """The first class of the MRO (or the function itself) that a distribution brings."""
    if isinstance(factory, type):
        for base in factory.__mro__:
            if (
                base is not MiddlewareMixin
                and not is_stdlib(base.__module__)
                and not is_project_class(base)
                and any(class_attribute(base, name) is not None for name in (*HOOKS, *_CALLS))
            ):
                return dotted(base)
        return None
    while isinstance(factory, partial):
        factory = factory.func
    if isinstance(factory, FunctionType) and is_installed(factory.__code__.co_filename):
        return dotted(factory)
    return None
