"""Long-lived threads, leased to a request when it first needs one.

Django's handler starts a thread for each request that runs synchronous code and ends it
with the request, without a limit. Here a pool of at most ``size`` threads serves them
all: a request keeps the thread it got, a burst waits its turn, and the database
connections of a thread outlive the request, as they do under WSGI.

A request keeps its thread for as long as anything of it may be left there: a transaction,
a cursor, the state of a session or of a connection, and until the response is there also
whatever a middleware that is not Django's may have set up. Only a thread that holds nothing
of the kind, and is not used at the moment, goes to another request that waits for one.

A lease stands in for the executor that asgiref would make for the request, in the
registry where it looks for one (``SyncToAsync.context_to_thread_executor``, the same from
asgiref 3.8 to 3.13). Its public way in, ``ThreadSensitiveContext(executor=...)``, is of 3.12
and refuses tasks that outlive the request, which Django's handler lets run.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
import weakref
from collections import deque
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread, current_thread
from typing import TYPE_CHECKING, Any, cast

from asgiref.sync import AsyncToSync, SyncToAsync
from django.utils.deprecation import MiddlewareMixin

from deploytool.handlers import databases
from deploytool.handlers.travel import Journey

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger("deploytool.handlers")

IDLE = 0.1
"""Seconds after which a request that uses its thread no longer may lose it to one that waits.

Long enough that the pauses of ordinary requests (a query, a call to another service) keep
their thread; short enough that views which wait for minutes do not hold up the others.
"""


class NoThreadAvailableError(BaseException):
    """No thread became free in time: the request is refused, not failed.

    Like CancelledError it is no ``Exception``, so that no view or middleware takes it for
    an error of its own; the handler turns it into a response.
    """


class _Worker(Thread):
    """One thread and the queue of its work."""

    def __init__(self, number: int) -> None:
        # A daemon, as the pool ends it itself: an ordinary thread would be waited for
        # before anything is told that the process exits.
        super().__init__(name=f"request-{number}", daemon=True)
        self.queue: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self.start()

    def run(self) -> None:
        databases.watch()
        while (work := self.queue.get()) is not None:
            work()
            del work  # or an idle thread would keep the last request alive


class ThreadPool:
    """At most ``size`` threads, and the leases that wait for one, first come first served.

    ``timeout``: seconds that a lease waits before its work fails with
    NoThreadAvailableError.
    """

    def __init__(self, size: int, timeout: float) -> None:
        self.size = size
        self.timeout = timeout
        self.lock = Lock()
        self._numbers = itertools.count(1)
        self._workers: list[_Worker] = []
        self._free: list[_Worker] = []
        self._held: dict[Lease, None] = {}
        self._waiting: deque[Lease] = deque()
        weakref.finalize(self, _end, self._workers)

    @property
    def threads(self) -> int:
        """How many threads have been started."""
        return len(self._workers)

    @property
    def waiting(self) -> int:
        """How many requests wait for a thread."""
        return len(self._waiting)

    def lease(self) -> Lease | None:
        """A lease for the current request; None where its thread is somebody else's matter.

        That is so below ``async_to_sync()``, whose thread is the one to use, and where the
        ASGI server's or a wrapper's own context has a thread already.
        """
        context = SyncToAsync.thread_sensitive_context.get(None)
        if (
            context is None
            or context in SyncToAsync.context_to_thread_executor
            or getattr(AsyncToSync.executors, "current", None) is not None
        ):
            return None
        lease = Lease(self)
        SyncToAsync.context_to_thread_executor[context] = lease
        lease.withdraw = lambda: SyncToAsync.context_to_thread_executor.pop(context, None)
        return lease

    # The rest is the lease's side; the lock is held.

    def take(self, lease: Lease) -> _Worker | None:
        """A thread for ``lease``, its former one if that is free; None: it has to wait."""
        worker = self._available(lease)
        if worker is not None:
            self._held[lease] = None
        return worker

    def _available(self, lease: Lease) -> _Worker | None:
        if lease.former in self._free:
            self._free.remove(lease.former)
            return lease.former
        if self._free:
            # The last one used: few threads, few connections, warm caches.
            return self._free.pop()
        if len(self._workers) < self.size:
            worker = _Worker(next(self._numbers))
            self._workers.append(worker)
            return worker
        for holder in self._held:
            if holder.idle:
                return holder.surrender()
        return None

    def forget(self, holder: Lease) -> None:
        """``holder`` has no thread any more."""
        self._held.pop(holder, None)

    def queue_up(self, lease: Lease) -> None:
        """Let ``lease`` wait."""
        self._waiting.append(lease)

    def leave_queue(self, lease: Lease) -> None:
        """``lease`` does not wait any longer."""
        if lease in self._waiting:
            self._waiting.remove(lease)

    def pass_on(self, worker: _Worker) -> None:
        """``worker`` is free: for the one that has waited longest, or for later."""
        if self._waiting:
            lease = self._waiting.popleft()
            self._held[lease] = None
            lease.begin(worker)
        else:
            self._free.append(worker)

    def serve_first(self) -> None:
        """See whether the one that has waited longest can have a thread by now."""
        lease = self._waiting[0]
        worker = self.take(lease)
        if worker is not None:
            self._waiting.popleft()
            lease.begin(worker)

    def is_first(self, lease: Lease) -> bool:
        """Whether ``lease`` has waited longest."""
        return bool(self._waiting) and self._waiting[0] is lease


def _end(workers: list[_Worker]) -> None:
    """Let the threads end once their work is done, and wait for it, as executors do."""
    for worker in workers:
        worker.queue.put(None)
    for worker in workers:
        if worker is not current_thread():
            worker.join()


class Lease(Executor):
    """One request's claim on a thread: the executor of all its synchronous code.

    A thread is taken with the first work that is submitted and given back by ``end()``.
    ``before`` is called in each thread that the request gets, ahead of its work there.
    ``patient`` lifts the limit on waiting, for what has to be done when a request ends.
    """

    def __init__(self, pool: ThreadPool) -> None:
        self.before: Callable[[], object] = _nothing
        self.withdraw: Callable[[], object] = _nothing
        self.patient = False
        self.former: _Worker | None = None
        self._pool = pool
        self._loop = asyncio.get_running_loop()
        self._worker: _Worker | None = None
        self._begun = False
        self._waiting: list[_Work] = []
        self._deadline = 0.0
        self._outstanding = 0
        self._idle_since = 0.0
        # Of the thread that is held.
        self._connections: list[BaseDatabaseWrapper] = []
        # A middleware that is not Django's has been there, and may come again.
        self._in_middleware = False
        self._ended = False
        self._drained: asyncio.Future[None] | None = None

    @property
    def in_use(self) -> bool:
        """Whether synchronous code of the request runs, or waits to run."""
        return self._outstanding > 0

    @property
    def idle(self) -> bool:
        """Whether the thread can be taken away: unused for a while, and nothing left in it."""
        return (
            self._outstanding == 0
            and not self._ended
            and not self._in_middleware
            and time.monotonic() - self._idle_since >= IDLE
            and not databases.any_tied(self._connections)
        )

    def submit(  # type: ignore[override]
        self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> asyncio.Future[Any]:
        """Run ``fn`` in the request's thread; its future fails where none can be had in time.

        The future is the event loop's, not a concurrent one: ``loop.run_in_executor()``,
        through which asgiref submits, passes such a one on as it is
        (``asyncio.wrap_future``), which saves a third of what a visit to a thread costs.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        work = _Work(self, loop, future, partial(fn, *args, **kwargs))
        with self._pool.lock:
            self._outstanding += 1
            if self._worker is None and not self._waiting:
                self._worker = self._pool.take(self)
                self._begun = False
            if self._worker is not None:
                self._worker.queue.put(work)
                return future
            self._waiting.append(work)
            if len(self._waiting) > 1:
                return future
            self._pool.queue_up(self)
        self._deadline = time.monotonic() + self._pool.timeout
        self._loop.call_soon_threadsafe(self._keep_asking)
        return future

    def _keep_asking(self) -> None:
        """While waiting: look for idle threads, and give up when the time is over."""
        refused: list[_Work] = []
        with self._pool.lock:
            if not self._waiting:
                return
            if time.monotonic() >= self._deadline and not self.patient:
                self._pool.leave_queue(self)
                refused, self._waiting = self._waiting, []
                self._outstanding -= len(refused)
            elif self._pool.is_first(self):
                self._pool.serve_first()
        for work in refused:
            work.settle(None, NoThreadAvailableError())
        if not refused and self._waiting:
            self._loop.call_later(IDLE / 2, self._keep_asking)

    def begin(self, worker: _Worker) -> None:
        """``worker`` is this lease's now; the lock is held."""
        self._worker = worker
        self._begun = False
        for work in self._waiting:
            worker.queue.put(work)
        self._waiting.clear()

    def surrender(self) -> _Worker:
        """Give up the thread that is held; the lock is held."""
        worker = self.former = cast("_Worker", self._worker)
        self._worker = None
        self._connections = []
        self._pool.forget(self)
        return worker

    def prepare(self) -> None:
        """In the thread: make it this request's, if it is new to it."""
        if not self._begun:
            self._begun = True
            databases.begin()
            self.before()

    def done(self, *, by_middleware: bool) -> None:
        """In the thread: one piece of work less; see what it leaves in the thread."""
        with self._pool.lock:
            self._connections = databases.of_thread()
            self._in_middleware = self._in_middleware or by_middleware
            self._outstanding -= 1
            self._idle_since = time.monotonic()
            if not self._ended or self._outstanding:
                return
            self._release()
        if self._drained is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any longer
                self._loop.call_soon_threadsafe(_finish, self._drained)

    def let_go(self) -> None:
        """Give the thread back though the request goes on: the middleware are through.

        Not where it is in use, or something of the request is left in it.
        """
        with self._pool.lock:
            self._in_middleware = False
            if (
                self._worker is not None
                and not self._outstanding
                and not databases.any_tied(self._connections)
            ):
                self._release()

    async def end(self) -> None:
        """Give the thread back, once the work that it may still be doing is done."""
        self.withdraw()
        with self._pool.lock:
            self._ended = True
            if self._waiting:
                # Who asked is gone, and the futures are cancelled.
                self._pool.leave_queue(self)
                self._outstanding -= len(self._waiting)
                self._waiting.clear()
            if self._worker is None:
                return
            if not self._outstanding:
                self._release()
                return
            self._drained = self._loop.create_future()
        await self._drained

    def _release(self) -> None:
        """Pass the thread on, to tidy up first if there is anything; the lock is held."""
        holds = databases.any_open(self._connections)
        worker = self.surrender()
        if holds:
            # Ahead of the work of whoever comes next, and nobody waits for it.
            worker.queue.put(_tidy)
        self._pool.pass_on(worker)


class _Work:
    """A function to be run in a request's thread, and the future of its result."""

    __slots__ = ("_function", "_future", "_lease", "_loop")

    def __init__(
        self,
        lease: Lease,
        loop: asyncio.AbstractEventLoop,
        future: asyncio.Future[Any],
        function: Callable[[], Any],
    ) -> None:
        self._lease = lease
        self._loop = loop
        self._future = future
        self._function = function

    def __call__(self) -> None:
        """In the thread: run the function, unless nobody waits for it any longer."""
        result: Any = None
        error: BaseException | None = None
        if not self._future.cancelled():
            try:
                self._lease.prepare()
                result = self._function()
            except BaseException as raised:  # whatever it is, it belongs to the caller
                error = raised
        # First: what the caller does next may depend on the state of the lease.
        self._lease.done(by_middleware=_by_middleware(self._function))
        with suppress(RuntimeError):  # the loop is closed: nobody waits any longer
            self._loop.call_soon_threadsafe(self.settle, result, error)

    def settle(self, result: Any, error: BaseException | None) -> None:
        """On the event loop: tell who waits what came of it."""
        if self._future.done():
            return
        if isinstance(error, StopIteration):
            # A future cannot carry it; concurrent.futures' way out is the same.
            error = RuntimeError("a synchronous function raised StopIteration")
        if error is None:
            self._future.set_result(result)
        else:
            self._future.set_exception(error)


def _by_middleware(work: Any) -> bool:
    """Whether a hook of a middleware that is not Django's has run in ``work``.

    ``work`` is what asgiref submits: ``SyncToAsync.thread_handler`` with the function that
    was given to ``sync_to_async()``, and its arguments, bound in the last place. What looks
    otherwise is taken for such a hook.
    """
    try:
        called = work.args[-1]
        function = called.func
    except (AttributeError, IndexError):
        return True
    if function is Journey.proceed:
        by_middleware: bool = called.args[0].by_middleware
        return by_middleware
    owner = type(getattr(function, "__self__", None))
    return issubclass(owner, MiddlewareMixin) and not owner.__module__.startswith("django.")


def _tidy() -> None:
    """In a thread: close the connections that are not to be kept for another request."""
    try:
        databases.tidy()
    except Exception:
        logger.exception("The database connections of a request could not be tidied")


def _nothing() -> None:
    """What is done where nothing was asked for."""


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
