"""How often a request visits its thread with deploytool's handler, counted from the facts.

Walks the chain as ``deploytool.handlers.chain`` does: adjacent plain middleware are joined
to a run, which stays in the thread once it is there; a hook that may stay on the event loop
visits no thread unless the run is in one already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploytool.project.facts import Middleware, Project


@dataclass(frozen=True, slots=True)
class Visits:
    """The visits of a request, and those of an asynchronous view by the middleware.

    ``started`` and ``finished`` are the share of the two signals; ``joined`` says which
    middleware are part of a run.
    """

    async_view: int
    sync_view: int
    started: int
    finished: int
    middleware: tuple[int, ...]
    joined: tuple[bool, ...]


def count_visits(project: Project, modes: tuple[bool, ...], *, met: bool) -> Visits:
    """The visits of a request, ordinary where conditions are ``met``.

    ``modes`` says of each middleware whether it is called asynchronously. A request that
    meets no condition is also one whose response has to be closed in a thread.
    """
    walk = _Walk(project, modes, met=met)
    walk.through(is_async=True)
    started, finished = _signals(project, met=met)
    other = _Walk(project, modes, met=met)
    other.through(is_async=False)
    return Visits(
        started + walk.total + finished,
        started + other.total + finished,
        started,
        finished,
        tuple(walk.visits[:-1]),
        tuple(walk.joined[:-1]),
    )


def _signals(project: Project, *, met: bool) -> tuple[int, int]:
    """``request_started`` and ``request_finished``, as Django where not only Django listens."""
    leased = "leased-threads" not in project.conf.asgi_handler_off and project.django_read
    heard = {receiver.signal for receiver in project.receivers}
    asynchronous = any(
        each.signal == "request_finished" and each.mode == "async" for each in project.receivers
    )
    started = not leased or "request_started" in heard
    finished = not leased or not met or "request_finished" in heard
    return int(started), finished + asynchronous


class _Walk:
    """One request's way to its view and back; ``visits`` by middleware, the view's last."""

    def __init__(self, project: Project, modes: tuple[bool, ...], *, met: bool) -> None:
        off = project.conf.asgi_handler_off
        self._middleware = project.middleware
        self._modes = (*modes, True)  # the view is called by a coroutine
        self._met = met
        self._staying = "coalescing" not in off
        self._inline = "event-loop-hooks" not in off
        self.visits = [0] * len(self._modes)
        self.joined = [self._is_joined(index) for index in range(len(self._modes))]
        self._in_thread = False

    @property
    def total(self) -> int:
        """Every visit, and every change of mode that nothing can spare."""
        return sum(self.visits)

    def _is_joined(self, index: int) -> bool:
        """Whether a handler becomes part of a run: plain, and called by asynchronous code."""
        called_async = index == 0 or self._modes[index - 1]
        if not called_async or not self._modes[index] or not (self._staying or self._inline):
            return False
        return index == len(self._middleware) or self._middleware[index].plain

    def through(self, *, is_async: bool) -> None:
        """Go to a view of the given mode and back."""
        self._enter(0, is_async)

    def _enter(self, index: int, view_is_async: bool) -> None:
        if index and self._modes[index] != self._modes[index - 1]:
            # To the one of the two that is not in the handler's mode, which is async.
            self.visits[index if self._modes[index - 1] else index - 1] += 1
        elif index == 0 and not self._modes[0]:
            self.visits[0] += 1
        if self.joined[index]:
            self._in_thread = False
            self._run(index, view_is_async)
        elif index == len(self._middleware):
            self._view_as_django(view_is_async)
        else:
            self._as_django(index, view_is_async)

    def _run(self, index: int, view_is_async: bool) -> None:
        """One layer of a run, and what is inside of it."""
        if index == len(self._middleware):
            self._view(view_is_async)
            return
        self._call(index, "process_request")
        if self.joined[index + 1]:
            self._run(index + 1, view_is_async)
        else:
            self._enter(index + 1, view_is_async)
            self._in_thread = False
        self._call(index, "process_response")

    def _view(self, is_async: bool) -> None:
        last = len(self._middleware)
        for index, middleware in enumerate(self._middleware):
            if "process_view" in middleware.async_hooks:
                self._in_thread = False
            else:
                self._call(index, "process_view")
        if is_async:
            self._in_thread = False
        else:
            self.visits[last] += not self._in_thread
            self._in_thread = True

    def _call(self, index: int, hook: str) -> None:
        """``deploytool.handlers.chain.call()``."""
        middleware = self._middleware[index]
        if hook not in middleware.hooks:
            return
        if self._in_thread or not self._stays(middleware, hook):
            self.visits[index] += not (self._in_thread and self._staying)
            self._in_thread = self._staying

    def _stays(self, middleware: Middleware, hook: str) -> bool:
        """Whether ``hook`` needs no thread."""
        return (
            self._inline
            and self._met
            and any(each.hook == hook and each.ordinary for each in middleware.event_loop_hooks)
        )

    def _as_django(self, index: int, view_is_async: bool) -> None:
        middleware = self._middleware[index]
        around = middleware.style == "mixin" and self._modes[index]
        for hook in ("process_request", "process_response"):
            self.visits[index] += around and hook in middleware.hooks
        self._enter(index + 1, view_is_async)

    def _view_as_django(self, is_async: bool) -> None:
        for index, middleware in enumerate(self._middleware):
            if "process_view" in middleware.hooks and "process_view" not in middleware.async_hooks:
                self.visits[index] += 1
        self.visits[-1] += not is_async
