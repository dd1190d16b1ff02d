"""The whole plan, from the decisions: what ``make_plan()`` does."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from deploytool.handlers.options import ASKED_THREADS, PLANNED_THREADS
from deploytool.plan.context import Context
from deploytool.plan.data import Decision, Options, Plan, Problem
from deploytool.plan.interface import decide_interface, needs_of, websocket_routes
from deploytool.plan.options import decide_options
from deploytool.plan.server import decide_server, fitting
from deploytool.servers import SERVERS, server_named

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploytool.project.facts import EntryPoint, EntryPoints, Interface, Project


def make_plan(project: Project, options: Options | None = None) -> Plan:
    """Decide how ``project`` should be served.

    Raises PlanError for options that contradict each other or that the server does not
    have, such as ``--interface wsgi --server daphne`` or ``--workers 2`` with Daphne.
    """
    options = options or Options()
    interface_decision = _served(project, decide_interface(project, options))
    interface: Interface = "asgi" if interface_decision.value == "asgi" else "wsgi"
    needs = needs_of(project, interface)
    server_decision, rejected, server_problems = decide_server(project, options, needs)
    server = (
        server_named(str(server_decision.value))
        if server_decision.value
        # Without a server the options are those of the one to install.
        else next(server for server in SERVERS if interface in server.interfaces)
    )
    entry = _entry(project, interface)
    decided = decide_options(Context(project, options, interface, server, needs))
    values: dict[str, Any] = {decision.name: decision.value for decision in decided}
    plan = Plan(
        mode="development" if project.debug else "production",
        interface=interface,
        server=server.name if server_decision.value else None,
        server_version=project.machine.version(server.distribution),
        application=entry.application if entry.status != "missing" else None,
        http2=bool(project.conf.http2),
        certfile=project.conf.certfile,
        keyfile=project.conf.keyfile,
        watch=project.import_path,
        decisions=(interface_decision, server_decision, *decided),
        rejected=rejected,
        problems=(*entry_problems(entry), *server_problems, *request_problems(project)),
        notes=tuple(_notes(project, interface)),
        **values,
    )
    if plan.server is None or plan.application is None:
        return plan
    return replace(plan, argv=_argv(plan, options, project), env=_env(plan, project))


def _served(project: Project, found: Decision) -> Decision:
    """``found``, or the other interface where only that has a server and nothing needs this one."""
    if found.source in {"option", "setting"} or found.strength == "required":
        return found
    interface: Interface = "asgi" if found.value == "asgi" else "wsgi"
    other: Interface = "wsgi" if interface == "asgi" else "asgi"
    servers = fitting(project, needs_of(project, other))
    if (
        fitting(project, needs_of(project, interface))
        or not servers
        or _entry(project, other).status != "ok"
    ):
        return found
    reason = (
        f"{found.reason} But no server for {interface.upper()} is installed, "
        f"and {servers[0].title} serves {other.upper()}."
    )
    return Decision("interface", other, "detected", reason, "default", found.evidence)


def _entry(project: Project, interface: Interface) -> EntryPoint:
    return project.entrypoints.asgi if interface == "asgi" else project.entrypoints.wsgi


def _argv(plan: Plan, options: Options, project: Project) -> tuple[str, ...]:
    """The command line: this Python, the server's module, its options, the application."""
    server = server_named(str(plan.server))
    application = str(plan.application)
    modules = [server.module]
    if plan.mode == "development":
        application = f"deploytool.development.{plan.interface}:application"
    if plan.reload and not server.reloads:
        modules.insert(0, "deploytool.development.reloading")
    # What the user passed through comes after our options, where it wins over them.
    return (
        project.machine.executable,
        "-m",
        *modules,
        *server.options(plan),
        *options.extra,
        application,
    )


def _env(plan: Plan, project: Project) -> dict[str, str]:
    env = {"PYTHONPATH": os.pathsep.join(project.import_path)}
    if project.settings_module:
        env["DJANGO_SETTINGS_MODULE"] = project.settings_module
    if configuration := dict(project.environment).get("DJANGO_CONFIGURATION"):
        env["DJANGO_CONFIGURATION"] = configuration
    if plan.mode == "development":
        env["DEPLOYTOOL_APPLICATION"] = str(plan.application)
    threads = plan.decision("asgi_threads")
    if threads.value is not None and threads.source != "setting":
        # The handler reads the setting itself, which stands between the two variables.
        name = ASKED_THREADS if threads.source == "option" else PLANNED_THREADS
        env[name] = str(threads.value)
    return env


def entry_problems(entry: EntryPoint) -> Iterable[Problem]:
    """Why no server can be given ``entry``."""
    write = f"manage.py deployfiles {entry.interface} writes one."
    if entry.status == "missing":
        named = f" {entry.source} names {entry.application}." if entry.application else ""
        yield Problem(f"There is no {entry.interface.upper()} entry point.{named}", write)
    elif entry.status == "error":
        hint = "Mend it first."
        if entry.error and entry.error.type == "AppRegistryNotReady":
            hint = (
                f"Import models, consumers and what imports them after "
                f"get_{entry.interface}_application(), which loads the apps."
            )
        yield Problem(f"{entry.application} cannot be imported: {entry.error}.", hint)
    elif entry.status == "wrong-interface":
        message = entry.error.message if entry.error else f"{entry.application} does not fit"
        yield Problem(f"{message}.", "")


def request_problems(project: Project) -> Iterable[Problem]:
    """Why no request would be answered, whatever the server."""
    if not project.debug and not project.allowed_hosts:
        yield Problem(
            "ALLOWED_HOSTS is empty while DEBUG is off: every request would be answered 400.",
            "Name the hosts of the site in settings.ALLOWED_HOSTS.",
        )
    if project.views.error:
        yield Problem(f"The URLconf cannot be loaded: {project.views.error}.", "Mend it first.")
    conf = project.conf
    if conf.http2 and not (conf.certfile and conf.keyfile):
        yield Problem(
            'settings.DEPLOYTOOL["HTTP2"] is on, and browsers speak HTTP/2 over TLS only.',
            'Name settings.DEPLOYTOOL["CERTFILE"] and ["KEYFILE"].',
        )


def _notes(project: Project, interface: Interface) -> Iterable[str]:
    entrypoints = project.entrypoints
    routes = websocket_routes(project)
    if interface == "wsgi" and routes:
        yield f"WSGI does not serve the WebSocket routes, {routes[0].location} first."
    if entrypoints.asgi.status == "ok":
        yield from _asgi_notes(entrypoints, interface)
    entry = _entry(project, interface)
    if project.settings_module and entry.settings_module not in {None, project.settings_module}:
        yield (
            f"{entry.application} assigns DJANGO_SETTINGS_MODULE: served, the project has "
            f"{entry.settings_module}, and this plan is made with {project.settings_module}. "
            "os.environ.setdefault() leaves the choice to who starts the server."
        )
    other = entrypoints.wsgi if interface == "asgi" else entrypoints.asgi
    if other.status == "missing" and other.application:
        yield f"{other.source} names {other.application}, which does not exist."
    if other.status == "error":
        yield f"{other.application} cannot be imported: {other.error}. This plan does not use it."
    if other.status == "wrong-interface" and other.error:
        yield f"{other.error.message}. This plan does not use it."


def _asgi_notes(entrypoints: EntryPoints, interface: Interface) -> Iterable[str]:
    """What a sound ASGI entry point leaves out, and what in it fails when it is reached."""
    asgi = entrypoints.asgi
    served = {route.consumer for route in asgi.websocket_routes}
    ready = [route for module in entrypoints.routing for route in module.routes]
    left = [route for route in ready if route.consumer not in served]
    # With WSGI, routes of a bare handler have made ASGI a need already.
    if left and not asgi.guessed:
        yield (
            f"{left[0].location} defines a WebSocket route that {asgi.application} "
            "does not serve; manage.py deployfiles asgi --diff shows an entry point that does."
        )
    if interface == "wsgi":
        return
    for route in asgi.websocket_routes:
        if not route.instantiated:
            yield (
                f"{route.location} routes {route.consumer} without .as_asgi(): "
                "every connection to it fails."
            )
    if asgi.protocols and "http" not in asgi.protocols and not asgi.guessed:
        yield (
            f"{asgi.application} answers no HTTP request, {', '.join(asgi.protocols)} only: "
            'add "http": get_asgi_application() to its router.'
        )
