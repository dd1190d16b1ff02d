"""A coroutine that continues in the request's thread where it asks to, and comes back.

Django's handler awaits ``sync_to_async(hook)(...)`` for each synchronous hook: to the
thread and back, every time. Here the coroutine that calls the hooks moves itself: after
``await IN_THREAD`` its next lines run in the request's thread, and so do all that follow,
until it ends or says ``await ON_LOOP`` because it has to await something. Neighbouring
synchronous calls thus share one visit without being written any differently.

Between two visits nothing but these two wishes may be awaited in the thread.
"""

from __future__ import annotations

from types import coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from asgiref.sync import SyncToAsync

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

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
    thread again (coalescing); without it every such wish is a visit of its own.
    ``by_middleware`` is for the traveller to say that it called a hook of a middleware that
    is not Django's.
    """

    __slots__ = ("_abandoned", "_coroutine", "_result", "by_middleware", "in_thread", "staying")

    def __init__(self, *, staying: bool) -> None:
        self.by_middleware = False
        self.in_thread = False
        self.staying = staying
        self._abandoned = False
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
            wish: Wish = yield from _visit_thread(self).__await__()
        except BaseException:
            # Cancelled, refused, or the coroutine's own error: nobody asks for more. Where
            # the thread is still at work, only it may touch the coroutine.
            self._abandoned = True
            raise
        else:
            return wish

    def proceed(self) -> Wish:
        """In the thread: continue until the coroutine wants the loop or has ended."""
        self.in_thread = True
        try:
            while not self._abandoned:
                wish: Wish = self._coroutine.send(None)
                if wish is not IN_THREAD or not self.staying:
                    return wish
            self._coroutine.close()
        except StopIteration as end:
            self._result = end.value
        finally:
            self.in_thread = False
        return _ENDED


# Made once: wrapping a function costs more than calling it through the wrapper.
_visit_thread = SyncToAsync(Journey.proceed, thread_sensitive=True)
