"""Each middleware in order, its mode, and the thread hops that it costs.

For ``deployplan --hops`` and ``deploycheck``. A middleware is *adapted* where Django switches
between synchronous and asynchronous code between it and what stands beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploytool.plan.hops import HandlerHops, count_hops

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.plan import Plan
    from deploytool.plan.hops import Hops, MiddlewareHops
    from deploytool.project import Project
    from deploytool.project.facts import Middleware

    # A name, how it is called, numbers, and what there is to say.
    Row = tuple[str, str, tuple[str, ...], str]

_STYLES = {"mixin": "mixin", "class": "own call", "function": "function"}
_NONE = HandlerHops(0, 0, 0, 0)


def report(project: Project, plan: Plan) -> str:
    """The hops of a request to ``project`` as ``plan`` serves it."""
    return "\n".join(_lines(project, count_hops(project, plan.interface)))


def _lines(project: Project, hops: Hops) -> Iterator[str]:
    if hops.django is None:
        yield f"The hops cannot be counted. {hops.error}"
        return
    both = hops.ordinary is not None
    if both:
        serving = "deploytool's" if hops.handler == "deploytool" else "Django's"
        yield "Hops of a request between the event loop and a thread, with Django's handler and"
        yield f"with deploytool's: of an ordinary request, and the most. {serving} serves now."
    else:
        yield "A WSGI request stays in its thread. What is asynchronous hops, to an event loop."
    yield ""
    rows = [(*_HEADER, "") if both else ("", "", ("hops",), ""), *_rows(project, hops, both=both)]
    names, ways = (max(len(row[column]) for row in rows) for column in (0, 1))
    widths = [max(map(len, column)) for column in zip(*(row[2] for row in rows), strict=True)]
    for name, way, numbers, said in rows:
        shown = "  ".join(f"{text:>{width}}" for text, width in zip(numbers, widths, strict=True))
        yield f"  {name:{names}}  {way:{ways}}  {shown}  {said}".rstrip()
    if any(each.style != "mixin" for each in hops.middleware):
        yield ""
        yield "What a middleware does in a call of its own is not counted."


_HEADER = ("", "", ("Django", "ordinary", "most"))


def _rows(project: Project, hops: Hops, *, both: bool) -> Iterator[Row]:
    totals = [total or _NONE for total in (hops.django, hops.ordinary, hops.most)]
    totals = totals if both else totals[:1]
    if both:
        yield "request_started", "", tuple(str(each.started) for each in totals), ""
    for middleware, each in zip(project.middleware, hops.middleware, strict=True):
        counts = (each.django, each.ordinary, each.most) if both else (each.django,)
        said = _handled(project, middleware, each) if both else ""
        way = f"{each.mode}, {_STYLES[each.style]}{', adapted' if each.adapting else ''}"
        yield each.path, way, tuple(map(str, counts)), said
    if both:
        yield "request_finished", "", tuple(str(each.finished) for each in totals), ""
    yield "in all, an async view", "", tuple(str(each.async_view) for each in totals), ""
    yield "in all, a sync view", "", tuple(str(each.sync_view) for each in totals), ""


def _handled(project: Project, middleware: Middleware, hops: MiddlewareHops) -> str:
    """What deploytool's handler does with one middleware."""
    if hops.handling == "django":
        return "as Django does"
    inline = "event-loop-hooks" not in project.conf.asgi_handler_off
    rules = {each.hook: each.condition for each in middleware.event_loop_hooks if inline}
    called = [hook for hook in middleware.hooks if hook in _ORDINARY]
    conditions = dict.fromkeys(rules[hook] for hook in called if hook in rules)
    there = [hook for hook in called if hook not in rules and hook not in middleware.async_hooks]
    said = []
    if conditions:
        stated = "; ".join(each for each in conditions if each != "always")
        said.append("on the event loop" + (f": {stated}" if stated else ""))
    if there:
        said.append(f"{', '.join(there)} in the thread, with its neighbours")
    return "; ".join(said)


_ORDINARY = ("process_request", "process_view", "process_response")
