"""The plan as a person reads it: the answer, why, with which options, what was passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploytool.launch import shell_line
from deploytool.plan.hops import count_hops
from deploytool.servers import server_named
from deploytool.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.plan import Decision, Plan
    from deploytool.plan.hops import Hops
    from deploytool.project import Project

# Shown above the table of options, in words.
_ANSWER = ("interface", "server")


def report(project: Project, plan: Plan, verbosity: int = 1) -> str:
    """``plan`` in a page; with ``verbosity`` 2 or more also the options that do not apply."""
    return "\n".join(_lines(project, plan, verbosity))


def _lines(project: Project, plan: Plan, verbosity: int) -> Iterator[str]:
    yield from _answer(plan)
    for problem in plan.problems:
        yield f"Problem: {problem}"
    for note in plan.notes:
        yield f"Note: {note}"
    yield ""
    shown = [
        decision
        for decision in plan.decisions
        if decision.name not in _ANSWER and (decision.value is not None or verbosity > 1)
    ]
    names = max(len(decision.name) for decision in shown)
    values = min(24, max(len(_shown(decision)) for decision in shown))
    yield f"  {'application':{names}}  {plan.application or 'none'}"
    for decision in shown:
        source = "" if decision.source in {"default", "detected"} else f"{decision.source}: "
        yield (
            f"  {decision.name:{names}}  {_shown(decision):{values}}  {source}{decision.reason}"
        ).rstrip()
    if plan.argv:
        yield ""
        yield "Run it with manage.py runserver_gateway, or by hand:"
        yield f"  {shell_line(plan)}"
    if plan.rejected:
        yield ""
        yield "Passed over:"
        width = max(len(rejection.server) for rejection in plan.rejected)
        for rejection in plan.rejected:
            yield f"  {rejection.server:{width}}  {rejection.reason}"
    yield ""
    hops = count_hops(project, plan.interface)
    if hops.ordinary and hops.django:
        yield f"Hops: {hops_line(hops)}"
    yield f"Seen: {_seen(project)}"


def _answer(plan: Plan) -> Iterator[str]:
    server = f"{server_title(plan)} " if plan.server else "no server"
    interface = plan.decision("interface")
    yield f"{plan.interface.upper()} ({interface.strength}), {server.strip()}, {plan.mode}."
    yield f"{plan.interface.upper()}: {interface.reason}"
    for place in interface.evidence:
        yield f"    {place}"
    if plan.server:
        yield f"{server_named(plan.server).title}: {plan.decision('server').reason}"


def server_title(plan: Plan) -> str:
    """The server's name as it is written, with the version that is installed."""
    if plan.server is None:
        return "no server"
    return " ".join(filter(None, [server_named(plan.server).title, plan.server_version]))


def _shown(decision: Decision) -> str:
    if isinstance(decision.value, bool):
        return "yes" if decision.value else "no"
    return "-" if decision.value is None else str(decision.value)


def _seen(project: Project) -> str:
    views = project.views.views
    asynchronous = sum(view.mode == "async" for view in views)
    streaming = sum(view.streaming is not None for view in views)
    machine = project.machine
    return (
        f"{counted(len(views), 'route')} ({asynchronous} async, {streaming} streaming), "
        f"{counted(len(project.entrypoints.asgi.websocket_routes), 'WebSocket route')}, "
        f"{len(project.middleware)} middleware; Django {machine.django}, Python {machine.python}, "
        f"{machine.cpus:g} CPU{'' if machine.cpus == 1 else 's'}"
        + (f", {machine.memory / 2**30:.1f} GiB." if machine.memory else ".")
    )


def hops_line(hops: Hops) -> str:
    """What a request costs with the handler that serves it now, and with the other one."""
    if hops.django is None or hops.ordinary is None:
        return ""
    now, other, whose = hops.django, hops.ordinary, "deploytool's"
    if hops.handler == "deploytool":
        now, other, whose = hops.ordinary, hops.django, "Django's"
    return (
        f"{now.async_view} for an async view, {now.sync_view} for a sync one; with {whose} "
        f"handler {other.async_view} and {other.sync_view} (--hops lists them)."
    )
