"""Noticing that the client has left, without a task where no time passes.

Django's handler listens in a task group of each request. A task costs more than many a
view: here listening starts when the request first has to wait for something, which is
also the first moment at which Django's listener could have run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, cast

from django.core.exceptions import RequestAborted

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    Listen = Callable[[], Coroutine[Any, Any, None]]


async def while_connected(work: Coroutine[Any, Any, None], listen: Listen, *, lazily: bool) -> None:
    """Run ``work``, cancelled when ``listen()`` raises; RequestAborted is not passed on.

    With ``lazily`` the listening starts when the work is first suspended.

    Raises what either raises, both as an exception group: what Django's handler does
    with an ``asyncio.TaskGroup`` (``ASGIHandler.handle``, Django 6.1).
    """
    listener = _Listener(listen)
    errors: list[Exception] = []
    try:
        if lazily:
            await _Noticing(work, listener.start)
        else:
            listener.start()
            await work
    except asyncio.CancelledError:
        if not listener.take_back():
            raise
    except Exception as error:
        errors.append(error)
    finally:
        listener.stop()
    if listener.error is not None:
        errors.insert(0, listener.error)
    errors = [error for error in errors if not isinstance(error, RequestAborted)]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ExceptionGroup("unhandled errors while a request was answered", errors)


class _Listener:
    """A task that listens, and cancels the task it was made in when it hears something."""

    def __init__(self, listen: Listen) -> None:
        self.error: Exception | None = None
        self._listen = listen
        self._listening: asyncio.Task[None] | None = None
        self._request = cast("asyncio.Task[Any]", asyncio.current_task())
        self._stopped = False
        self._has_cancelled = False

    def start(self) -> None:
        self._listening = asyncio.create_task(self._listen())
        self._listening.add_done_callback(self._heard)

    def _heard(self, listening: asyncio.Task[None]) -> None:
        error = None if listening.cancelled() else listening.exception()
        if error is not None and not self._stopped:
            # What is no Exception has stopped the event loop by itself.
            self.error = error if isinstance(error, Exception) else None
            self._has_cancelled = True
            self._request.cancel()

    def take_back(self) -> bool:
        """Whether the cancellation was the listener's alone; it is as if it had not been."""
        if not self._has_cancelled:
            return False
        self._has_cancelled = False
        return self._request.uncancel() == 0

    def stop(self) -> None:
        self._stopped = True
        # Without effect where the work took the cancellation for itself and ended otherwise.
        self.take_back()
        if self._listening is not None:
            self._listening.cancel()


class _Noticing(Generator[Any, Any, None]):
    """An awaitable that runs ``work``, and calls ``waits`` when it is first suspended."""

    __slots__ = ("_waits", "_work")

    def __init__(self, work: Coroutine[Any, Any, None], waits: Callable[[], None]) -> None:
        self._work = work
        self._waits: Callable[[], None] | None = waits

    def __await__(self) -> Generator[Any, Any, None]:
        return self

    def send(self, value: Any) -> Any:
        yielded = self._work.send(value)
        if self._waits is not None:
            self._waits()
            self._waits = None
        return yielded

    def throw(self, *error: Any) -> Any:
        return self._work.throw(*error)

    def close(self) -> None:
        self._work.close()
