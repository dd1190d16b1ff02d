"""Which server: the first installed one that serves what the project needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploytool.plan.data import Decision, Options, Problem, Rejection
from deploytool.servers import SERVERS, Needs, Server, server_named

if TYPE_CHECKING:
    from deploytool.project.facts import Project


def decide_server(
    project: Project, options: Options, needs: Needs
) -> tuple[Decision, tuple[Rejection, ...], tuple[Problem, ...]]:
    """The server, those passed over with the reason, and what stands in the way of it."""
    refusals = {server.name: _refusal(server, project, needs) for server in SERVERS}
    name = options.server or project.conf.server
    if name:
        chosen = server_named(name)
        decision = Decision(
            "server",
            name,
            "option" if options.server else "setting",
            "--server asks for it."
            if options.server
            else 'settings.DEPLOYTOOL["SERVER"] asks for it.',
        )
        refusal = refusals[name]
        problems = (Problem(f"{chosen.title} {refusal}.", ""),) if refusal else ()
        return decision, _rejected(refusals, chosen, "another server is asked for"), problems
    usable = fitting(project, needs)
    if not usable:
        decision = Decision("server", None, "detected", "No installed server fits.")
        return decision, _rejected(refusals, None, ""), (_nothing_installed(project, needs),)
    apps = {app.split(".")[0] for app in project.installed_apps}
    named = [server for server in usable if server.name in apps]
    if named:
        chosen = named[0]
        reason = f"{chosen.title} is in INSTALLED_APPS and serves what the project needs."
        decision = Decision(
            "server", chosen.name, "detected", reason, None, ("settings.INSTALLED_APPS",)
        )
        return decision, _rejected(refusals, chosen, f"{chosen.title} is in INSTALLED_APPS"), ()
    chosen = usable[0]
    reason = f"First of the installed servers that fit: {chosen.preference}."
    return (
        Decision("server", chosen.name, "default", reason),
        _rejected(refusals, chosen, f"stands after {chosen.title}"),
        (),
    )


def fitting(project: Project, needs: Needs) -> tuple[Server, ...]:
    """The installed servers that serve ``needs``, in the order of preference."""
    return tuple(server for server in SERVERS if _refusal(server, project, needs) is None)


def _refusal(server: Server, project: Project, needs: Needs) -> str | None:
    """Why ``server`` cannot be used, or None."""
    if needs.interface not in server.interfaces:
        return f"serves {'/'.join(server.interfaces).upper()} only"
    if project.machine.system == "windows" and not server.windows:
        return "does not run on Windows"
    if project.machine.version(server.distribution) is None:
        return f"is not installed: {server.install}"
    return server.refusal(needs, project.machine)


def _rejected(
    refusals: dict[str, str | None], chosen: Server | None, otherwise: str
) -> tuple[Rejection, ...]:
    rejected = []
    for server in SERVERS:
        if server is chosen:
            continue
        reason = refusals[server.name] or f"{otherwise}: {server.preference}"
        rejected.append(Rejection(server.name, reason))
    return tuple(rejected)


def _nothing_installed(project: Project, needs: Needs) -> Problem:
    """The problem of having no server at all, with the line that installs the best one."""
    what = needs.interface.upper()
    candidates = [server for server in SERVERS if needs.interface in server.interfaces]
    for server in candidates:
        refusal = _refusal(server, project, needs) or ""
        if server.install in refusal:
            return Problem(f"No server for {what} is installed.", f"Install one: {server.install}")
    refused = "; ".join(f"{s.title} {_refusal(s, project, needs)}" for s in candidates)
    return Problem(f"No installed server serves {what} here.", f"{refused}.")
