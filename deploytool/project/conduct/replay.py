"""Loading the middleware as Django's handler does, one by one, so that each is judged alone.

Django's own ``load_middleware()`` makes every one of them, with what is inside of it in
place of a view: so that what a tool has put around it is there as well, and one that fails
or conducts itself badly does not hide the others.
"""

from __future__ import annotations

import traceback
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


def replay(paths: list[Any], interface: str, done: Callable[[list[Any]], None]) -> None:
    """Make every middleware of ``paths`` and describe it, the innermost first as Django does.

    ``done`` is called with all descriptions so far, after each.
    """
    found: list[Any] = []
    handler_is_async = interface == "asgi"
    for index in reversed(range(len(paths))):
        done([*found, {"index": index, "path": str(paths[index]), "status": "hangs"}])
        one, handler_is_async = _one(paths[index], interface, handler_is_async)
        found.append({"index": index, "path": str(paths[index]), **one})
        done(found)


def _one(path: Any, interface: str, handler_is_async: bool) -> tuple[dict[str, Any], bool]:
    try:
        factory = import_string(path)
        can_sync = bool(getattr(factory, "sync_capable", True))
        can_async = bool(getattr(factory, "async_capable", False))
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return {"status": "unimportable", "error": described(error)}, handler_is_async
    if not can_sync and not can_async:
        return {"status": "incapable"}, handler_is_async
    # BaseHandler.load_middleware() (django/core/handlers/base.py)
    mode = can_async if handler_is_async or not can_sync else False
    handler = _Handler()
    before = base.settings, base.MiddlewareNotUsed
    base.settings = _Settings(path)
    # Where it is not the exception that is raised, it comes through, with its message.
    base.MiddlewareNotUsed = _Never
    try:
        handler.load_middleware(is_async=mode)
        instance = handler._middleware_chain.__wrapped__
    except MiddlewareNotUsed as unused:
        return {"status": "unused", "reason": str(unused)}, handler_is_async
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return {"status": "error", "mode": mode, "error": described(error)}, mode
    finally:
        base.settings, base.MiddlewareNotUsed = before
    one = {"status": "made", "mode": mode, "marked": _is_marked(instance)}
    try:
        one.update(describe(instance, factory, handler.given, is_async=mode, interface=interface))
    except Exception as error:  # an object that cannot be looked at: nothing is known of it
        one["unread"] = described(error)
    return one, mode


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
