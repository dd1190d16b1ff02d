"""How many thread hops a request makes, counted from the facts about the middleware.

A hop is one switch from the event loop to a thread and back, or one from a thread to an
event loop. Under WSGI a request has no event loop, and only what is asynchronous hops.

The chain is the one that ``BaseHandler.load_middleware()`` builds
(django/core/handlers/base.py): it goes from the view outwards and keeps the mode of what it
has, synchronous or asynchronous, where the middleware is capable of it. The hooks are called
by ``MiddlewareMixin.__call__`` and ``__acall__`` (django/utils/deprecation.py). What
deploytool's handler makes of the chain is counted by ``deploytool.plan.visits``.

Counted is a request that no middleware answers itself, to a view that returns an
``HttpResponse`` and hops nowhere itself; what a middleware does in a call of its own is its
own matter. It is ordinary where it meets every condition of ``Middleware.event_loop_hooks``
that the settings allow for, see ``deploytool.project.event_loop``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from deploytool.plan.handler import serves_ours
from deploytool.plan.visits import Visits, count_visits

if TYPE_CHECKING:
    from deploytool.project.facts import Interface, Middleware, Project

Mode = Literal["sync", "async"]

_AROUND_CALL = ("process_request", "process_response")


@dataclass(frozen=True, slots=True)
class HandlerHops:
    """The hops of a request to an asynchronous and to a synchronous view.

    ``started`` and ``finished`` are the share of the two signals in each.
    """

    async_view: int
    sync_view: int
    started: int
    finished: int


@dataclass(frozen=True, slots=True)
class MiddlewareHops:
    """What one middleware costs.

    ``mode`` is how it is called. ``django`` counts the hops under Django's handler,
    ``adapting`` of which fit it between its neighbours; ``ordinary`` and ``most`` under
    deploytool's, for an asynchronous view: a visit to the thread that several middleware
    share is counted at the first of them. ``handling`` says what that handler does with it:
    ``joined`` with its neighbours, or ``django`` for as Django does.
    """

    path: str
    setting: str
    mode: Mode
    style: Literal["mixin", "class", "function"]
    adapting: int
    django: int
    ordinary: int | None
    most: int | None
    handling: Literal["joined", "django"]


@dataclass(frozen=True, slots=True)
class Hops:
    """The hops of a request through the middleware of a project.

    ``handler`` is the one that serves it now. ``django`` counts under Django's handler,
    ``ordinary`` and ``most`` under deploytool's, None for WSGI; ``most`` is what the
    ordinary request turns into when it meets no condition and has to be closed in a thread.
    Where the chain cannot be loaded, ``error`` says why and the rest is empty.
    """

    interface: Interface
    handler: Literal["django", "deploytool"]
    django: HandlerHops | None = None
    ordinary: HandlerHops | None = None
    most: HandlerHops | None = None
    middleware: tuple[MiddlewareHops, ...] = ()
    error: str | None = None


def count_hops(project: Project, interface: Interface) -> Hops:
    """The hops of a request to ``project``, served through ``interface``."""
    handler: Literal["django", "deploytool"] = (
        "deploytool" if serves_ours(project, interface) else "django"
    )
    for middleware in project.middleware:
        if problem := _problem(middleware):
            return Hops(interface, handler, error=f"{middleware.setting}: {problem}")
    is_async = interface == "asgi"
    modes = chain_modes(project.middleware, is_async=is_async)
    adapting = adaptations(modes, is_async=is_async)
    costs = [
        fitting + hook_hops(middleware, mode, is_async=is_async)
        for middleware, mode, fitting in zip(project.middleware, modes, adapting, strict=True)
    ]
    started, finished = _signals(project, is_async=is_async)
    total = started + sum(costs) + finished
    ordinary = most = None
    if is_async:
        ordinary, most = (count_visits(project, modes, met=met) for met in (True, False))
    return Hops(
        interface,
        handler,
        HandlerHops(total + (not is_async), total + is_async, started, finished),
        _total(ordinary),
        _total(most),
        tuple(
            MiddlewareHops(
                middleware.path,
                middleware.setting,
                "async" if modes[index] else "sync",
                middleware.style or "function",
                adapting[index],
                costs[index],
                _share(ordinary, index),
                _share(most, index),
                _handling(ordinary, index),
            )
            for index, middleware in enumerate(project.middleware)
        ),
    )


def _total(visits: Visits | None) -> HandlerHops | None:
    if visits is None:
        return None
    return HandlerHops(visits.async_view, visits.sync_view, visits.started, visits.finished)


def _share(visits: Visits | None, index: int) -> int | None:
    return visits.middleware[index] if visits else None


def _handling(visits: Visits | None, index: int) -> Literal["joined", "django"]:
    return "joined" if visits and visits.joined[index] else "django"


def _problem(middleware: Middleware) -> str | None:
    """Why Django's handler could not load ``middleware``."""
    if middleware.error:
        return str(middleware.error)
    if not middleware.sync_capable and not middleware.async_capable:
        return f"{middleware.path} is neither sync_capable nor async_capable."
    return None


def chain_modes(middleware: tuple[Middleware, ...], *, is_async: bool) -> tuple[bool, ...]:
    """Whether each middleware is called asynchronously, as ``load_middleware()`` decides."""
    modes: list[bool] = []
    handler_is_async = is_async
    for each in reversed(middleware):
        if not handler_is_async and each.sync_capable:
            handler_is_async = False
        else:
            handler_is_async = each.async_capable
        modes.insert(0, handler_is_async)
    return tuple(modes)


def adaptations(modes: tuple[bool, ...], *, is_async: bool) -> tuple[int, ...]:
    """How many changes of mode each middleware causes.

    Between two that differ, it is the one that is not in the handler's mode. The handler's
    own calls are on both ends.
    """
    causes = [0] * len(modes)
    ends = (is_async, *modes, is_async)
    for index, (outer, inner) in enumerate(pairwise(ends)):
        if outer != inner:
            # ends[index] is middleware index - 1, and ends[index + 1] the next one.
            causes[index - 1 if outer != is_async else index] += 1
    return tuple(causes)


def hook_hops(middleware: Middleware, mode: bool, *, is_async: bool) -> int:
    """The hops for the hooks of one middleware under Django's handler."""
    hops = 0
    if middleware.style == "mixin" and mode:
        hops += sum(hook in middleware.hooks for hook in _AROUND_CALL)
    if "process_view" in middleware.hooks:
        hops += ("process_view" in middleware.async_hooks) != is_async
    return hops


def _signals(project: Project, *, is_async: bool) -> tuple[int, int]:
    """What ``request_started`` and ``request_finished`` cost under Django's handler.

    Both have receivers of Django's own, which an ASGI request calls in a thread. Those
    that are asynchronous are called from there for ``request_finished``, which
    ``HttpResponse.close()`` sends (django/dispatch/dispatcher.py).
    """
    asynchronous = {each.signal for each in project.receivers if each.mode == "async"}
    finished = int("request_finished" in asynchronous)
    if is_async:
        return 1, 1 + finished
    return int("request_started" in asynchronous), finished
