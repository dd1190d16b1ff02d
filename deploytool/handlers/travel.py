"""A coroutine that continues in the request's thread where it asks to, and comes back.

Django's handler awaits ``sync_to_async(hook)(...)`` for each synchronous hook: to the
thread and back, every time. Here the coroutine that calls the hooks moves itself: after
``await IN_THREAD`` its next lines run in the request's thread, and so do all that follow,
until it ends or says ``await ON_LOOP`` because it has to await something. Neighbouring
synchronous calls thus share one visit without being written any differently.

Between two visits nothing but these two wishes may be awaited in the thread.
"""

from __future__ import annotations

import asyncio
import sys
from contextvars import Context, copy_context
from functools import partial
from types import coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from asgiref.sync import AsyncToSync, SyncToAsync, _restore_context

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from concurrent.futures import Executor

T = TypeVar("T")


class Wish:
    """An awaitable that tells the journey where its coroutine wants to go on."""

    __slots__ = ()

    def __await__(self) -> Generator[Wish, None, None]:
        """Hand the wish to the journey."""
        yield self


IN_THREAD = Wish()
ON_LOOP = Wish()
# What comes back from the thread with a coroutine that has ended there. No None: that is
# what ``asyncio.sleep(0)`` hands to its task.
_ENDED = Wish()


class Journey(Generic[T]):
    """One coroutine on its way: where it is, and whether somebody still waits for it.

    ``staying`` says whether a coroutine in the thread stays there when it asks for the
    thread again (coalescing); without it every such wish is a visit of its own. ``lease``
    is the executor of the request, if its futures are the event loop's own.
    ``by_middleware`` is for the traveller to say that it called a hook of a middleware that
    is not Django's.
    """

    __slots__ = (
        "_abandoned",
        "_coroutine",
        "_error",
        "_lease",
        "_result",
        "_visited",
        "by_middleware",
        "in_thread",
        "staying",
    )

    def __init__(self, *, staying: bool, lease: Executor | None = None) -> None:
        self.by_middleware = False
        self.in_thread = False
        self.staying = staying
        self._abandoned = False
        self._lease = lease
        self._visited: Wish
        self._error: BaseException | None = None
        self._result: T
        self._coroutine: Coroutine[Any, Any, T]

    @coroutine
    def run(self, travelling: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
        """Run ``travelling`` to its end and return its result; awaited on the event loop.

        Raises what the coroutine raises; CancelledError also while its thread is still
        at work, in which case the thread stops before the next synchronous call.
        """
        self._coroutine = travelling
        value: Any = None
        error: BaseException | None = None
        while True:
            try:
                wish = travelling.send(value) if error is None else travelling.throw(error)
                while wish is IN_THREAD:
                    wish = yield from self._visit()
            except StopIteration as end:
                result: T = end.value
                return result
            if wish is _ENDED:
                return self._result
            value = error = None
            if wish is ON_LOOP:
                continue
            try:
                value = yield wish
            except BaseException as thrown:  # cancellation, and the closing of a generator
                error = thrown

    def _visit(self) -> Generator[Any, Any, Wish]:
        """Go to the thread; what the coroutine wants when it comes back."""
        try:
            wish: Wish
            if self._lease is not None and executor_of_request() is self._lease:
                wish = yield from self._visit_leased(self._lease)
            else:
                wish = yield from _visit_thread(self).__await__()
        except BaseException:
            # Cancelled, refused, or the coroutine's own error: nobody asks for more. Where
            # the thread is still at work, only it may touch the coroutine.
            self._abandoned = True
            raise
        else:
            return wish

    def _visit_leased(self, lease: Executor) -> Generator[Any, Any, Wish]:
        """``SyncToAsync.__call__()`` (asgiref 3.13), for an executor whose futures are the loop's.

        What protects and converts the futures of others costs as much as the visit itself:
        ``asyncio.shield()`` alone is two more futures and one more turn of the loop.
        """
        loop = asyncio.get_running_loop()
        context = copy_context()
        # async_to_sync() in the thread puts in the task that it runs on this loop.
        tasks: list[asyncio.Task[Any]] = []
        future: Any = lease.submit(
            _visit_thread.thread_handler,
            loop,
            sys.exc_info(),
            tasks,
            partial(_run_in, context),
            partial(Journey.proceed, self),
        )
        try:
            wish: Wish = yield from future
        except asyncio.CancelledError:
            if not (tasks and (yield from _withstands(tasks[0]).__await__())):
                raise
            # What is submitted now has its turn when the visit is over.
            end: Any = lease.submit(_nothing)
            yield from end
            if self._error is not None:
                raise self._error  # noqa: B904 (with the cancellation as its context, as ever)
            return self._visited
        else:
            return wish
        finally:
            self._error = None  # or it would keep itself alive, through its traceback
            _restore_context(context)

    def proceed(self) -> Wish:
        """In the thread: continue until the coroutine wants the loop or has ended."""
        self.in_thread = True
        try:
            while not self._abandoned:
                wish: Wish = self._coroutine.send(None)
                if wish is not IN_THREAD or not self.staying:
                    self._visited = wish
                    return wish
            self._coroutine.close()
        except StopIteration as end:
            self._result = end.value
        except BaseException as error:
            self._error = error
            raise
        finally:
            self.in_thread = False
        self._visited = _ENDED
        return _ENDED


def executor_of_request() -> Executor | None:
    """Where asgiref would run synchronous code, if that is one of the request's own."""
    context = SyncToAsync.thread_sensitive_context.get(None)
    if context is None or getattr(AsyncToSync.executors, "current", None) is not None:
        return None
    return SyncToAsync.context_to_thread_executor.get(context)


def _run_in(context: Context, function: Callable[[], Any]) -> Any:
    """In the thread: call ``function`` in ``context``, as asgiref does."""
    return context.run(_run_restored, context, function)


def _run_restored(context: Context, function: Callable[[], Any]) -> Any:
    _restore_context(context)  # an asgiref.Local is the thread's that may see it
    return function()


async def _withstands(task: asyncio.Task[Any]) -> bool:
    """Cancel what ``async_to_sync()`` runs for the thread; whether it goes on regardless."""
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return False
    return True


def _nothing() -> None:
    """What is done where nothing was asked for."""


# Made once: wrapping a function costs more than calling it through the wrapper.
_visit_thread = SyncToAsync(Journey.proceed, thread_sensitive=True)
