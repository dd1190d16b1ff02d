"""Loading the middleware as Django's handler does, one by one, so that each is judged alone.

Django's own ``load_middleware()`` makes every one of them, with what is inside of it in
place of a view: so that what a tool has put around it is there as well, and one that fails
or conducts itself badly does not hide the others.
"""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.core.handlers import base as djangos_base
from django.core.handlers import exception as djangos_exception
from django.utils.module_loading import import_string

from deploytool.project.conduct.entry import describe

if TYPE_CHECKING:
    from collections.abc import Callable

# Names in Django's modules that its type stubs leave out.
base: Any = djangos_base
exception: Any = djangos_exception

_READING = 4.0
"""Seconds of this process's own time for reading: what is left then stays unread."""

_MESSAGE = 2000  # characters of an exception's message that are kept


class _Settings:
    """The settings as Django's handler reads them, with one middleware."""

    def __init__(self, path: str) -> None:
        self.MIDDLEWARE = [path]

    def __getattr__(self, name: str) -> Any:
        return getattr(settings, name)


class _Handler(djangos_base.BaseHandler):
    """Django's handler with something that is never called where the rest of the chain is."""

    given: Any = None
    _middleware_chain: Any

    def _get_response(self, request: Any) -> Any:
        raise AssertionError("a middleware was called")

    async def _get_response_async(self, request: Any) -> Any:
        raise AssertionError("a middleware was called")

    def adapt_method_mode(self, *args: Any, **kwargs: Any) -> Any:
        adapted = super().adapt_method_mode(*args, **kwargs)
        if self.given is None:  # the first is what the middleware is given
            self.given = adapted
        return adapted


@dataclass(slots=True)
class _Made:
    """A middleware that was made: what of, with what inside, and in which mode."""

    instance: Any
    factory: Any
    handler: Any
    mode: bool


class Replay:
    """The entries of ``paths``, made one after the other and then read.

    ``entries`` are the descriptions so far; ``write`` is called with them whenever one may
    not come to an end, ``start`` before each is made.
    """

    def __init__(
        self,
        paths: list[Any],
        interface: str,
        write: Callable[[list[Any]], None],
        start: Callable[[], None],
    ) -> None:
        self.entries: list[dict[str, Any]] = []
        self._paths = paths
        self._interface = interface
        self._write = write
        self._start = start
        self._made: list[tuple[dict[str, Any], _Made]] = []

    def make(self) -> None:
        """Make every middleware, the innermost first as Django does."""
        handler_is_async = self._interface == "asgi"
        for index in reversed(range(len(self._paths))):
            entry = {"index": index, "path": str(self._paths[index]), "status": "hangs"}
            self.entries.append(entry)
            self._write(self.entries)
            self._start()
            handler_is_async = self._one(entry, self._paths[index], handler_is_async)
        self._write(self.entries)

    def read(self) -> None:
        """Describe what was made, as long as there is time."""
        until = time.process_time() + _READING
        for entry, made in self._made:
            if time.process_time() > until:
                return
            try:
                entry.update(
                    describe(
                        made.instance,
                        made.factory,
                        made.handler,
                        is_async=made.mode,
                        interface=self._interface,
                    )
                )
            except Exception as error:  # an object that cannot be looked at: nothing is known
                entry["unread"] = described(error)

    def _one(self, entry: dict[str, Any], path: Any, handler_is_async: bool) -> bool:
        """Make one; whether what is outside of it is called asynchronously."""
        try:
            factory = import_string(path)
            can_sync = bool(getattr(factory, "sync_capable", True))
            can_async = bool(getattr(factory, "async_capable", False))
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            entry.update(status="unimportable", error=described(error))
            return handler_is_async
        if not can_sync and not can_async:
            entry.update(status="incapable")
            return handler_is_async
        # BaseHandler.load_middleware() (django/core/handlers/base.py)
        mode = can_async if handler_is_async or not can_sync else False
        try:
            instance, handler = _make(path, mode)
        except MiddlewareNotUsed as unused:
            entry.update(status="unused", reason=str(unused))
            return handler_is_async
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            entry.update(status="error", mode=mode, error=described(error))
            return mode
        entry.update(status="made", mode=mode, marked=_is_marked(instance))
        self._made.append((entry, _Made(instance, factory, handler, mode)))
        return mode


def _make(path: str, mode: bool) -> tuple[Any, Any]:
    """What Django's handler makes of ``path``, and what it was given."""
    handler = _Handler()
    before = base.settings, base.MiddlewareNotUsed
    base.settings = _Settings(path)
    # Where it is not the exception that is raised, it comes through, with its message.
    base.MiddlewareNotUsed = _Never
    try:
        handler.load_middleware(is_async=mode)
    finally:
        base.settings, base.MiddlewareNotUsed = before
    return handler._middleware_chain.__wrapped__, handler.given


class _Never(Exception):  # noqa: N818 - it is never raised
    """In the place of an exception that is to come through."""


def _is_marked(instance: Any) -> bool:
    """The question that ``convert_exception_to_response()`` asks."""
    return bool(exception.iscoroutinefunction(instance))


def described(error: BaseException) -> dict[str, Any]:
    """An exception as plain data: class, its bases, message, and the frames it came through."""
    try:
        message = str(error).strip()
    except Exception:
        message = ""
    frames = [(each.filename, each.lineno) for each in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        frames.append((error.filename, error.lineno))
    return {
        "type": type(error).__name__,
        "bases": [each.__name__ for each in type(error).__mro__],
        "message": (message or type(error).__name__)[:_MESSAGE],
        "frames": frames[-200:],
    }
