"""Which interface: ASGI where something needs it, WSGI otherwise.

What counts as a need is what only ASGI can carry: a WebSocket route, another protocol,
another ASGI application mounted beside Django, a Channels HTTP consumer. ``channels`` in
INSTALLED_APPS, a router with nothing but ``http``, an asgi.py that is there (startproject
writes one) or ``async def`` outside of views are none.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deploytool.plan.data import Decision, Options, PlanError
from deploytool.servers import Needs, server_named
from deploytool.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploytool.plan.data import Source, Strength
    from deploytool.project.facts import EntryPoint, Interface, Project, View, WebSocketRoute

# Scope types that are no need of their own: Django answers http, servers send lifespan
# unasked (ASGI specification, Lifespan Protocol), and Channels' own workers read channel.
_ORDINARY = frozenset({"http", "websocket", "lifespan", "channel"})
# Channels' consumer that refuses every connection, used as a route for all other paths.
_DENIER = "channels.security.websocket.WebsocketDenier"
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Need:
    """One reason for an interface, with places a person can open."""

    reason: str
    evidence: tuple[str, ...]


def decide_interface(project: Project, options: Options) -> Decision:
    """The interface of ``project``, with the strength of the need for it.

    Raises PlanError where ``options`` ask for an interface and for a server that does not
    serve it.
    """
    found = _detected(project)
    server, server_source = (
        (options.server, "option") if options.server else (project.conf.server, "setting")
    )
    interface: Interface | None
    for interface, source, name in (
        (options.interface, "option", "--interface"),
        (project.conf.interface, "setting", 'settings.DEPLOYTOOL["INTERFACE"]'),
    ):
        if interface is None:
            continue
        if server and interface not in server_named(server).interfaces:
            title = server_named(server).title
            raise PlanError(
                f"{title} serves {'/'.join(server_named(server).interfaces).upper()} only, and "
                f"{name} asks for {interface.upper()}. Name another server, or only one of them."
            )
        return _stated(found, interface, f"{name} asks for it.", source == "option")
    if server and found.value not in server_named(server).interfaces:
        only = server_named(server)
        reason = f"{only.title} is asked for and serves {only.interfaces[0].upper()} only."
        return _stated(found, only.interfaces[0], reason, server_source == "option")
    return found


def _stated(found: Decision, interface: Interface, reason: str, option: bool) -> Decision:
    source: Source = "option" if option else "setting"
    if found.value == interface:
        return replace(found, source=source, reason=f"{reason} {found.reason}")
    if found.strength == "required":
        reason += f" The project needs {str(found.value).upper()}: {found.reason}"
    return Decision("interface", interface, source, reason, "default", found.evidence)


def _detected(project: Project) -> Decision:
    wsgi, asgi = project.entrypoints.wsgi, project.entrypoints.asgi
    if needs := tuple(_required(project)):
        return _decision("asgi", "required", needs)
    if wsgi.socketio:
        need = Need(
            "Socket.IO runs as a WSGI application here and carries its WebSockets on threads.",
            (str(wsgi.location or wsgi.application),),
        )
        return _decision("wsgi", "required", (need,))
    if needs := tuple(_recommended(project)):
        if asgi.status == "ok" or wsgi.status != "ok":
            return _decision("asgi", "recommended", needs)
        reason = (
            f"{needs[0].reason} ASGI would serve that better, but its entry point is "
            f"{_state(asgi)}; WSGI works."
        )
        if asgi.status == "missing":
            reason += " manage.py deployfiles asgi writes one."
        return Decision("interface", "wsgi", "detected", reason, "default", needs[0].evidence)
    if wsgi.status == "missing" and asgi.status == "ok":
        reason = f"Nothing needs ASGI, but {asgi.application} is the only entry point there is."
        return Decision("interface", "asgi", "detected", reason, "default", (asgi.source,))
    reason = "Nothing in the project needs ASGI, and WSGI costs less per request."
    return Decision("interface", "wsgi", "default", reason, "default")


def _decision(interface: Interface, strength: Strength, needs: tuple[Need, ...]) -> Decision:
    evidence = tuple(dict.fromkeys(place for need in needs for place in need.evidence))
    reason = " ".join(need.reason for need in needs)
    return Decision("interface", interface, "detected", reason, strength, evidence)


def _state(entry: EntryPoint) -> str:
    return {"missing": "missing", "error": "broken", "wrong-interface": "not an ASGI application"}[
        entry.status
    ]


def _required(project: Project) -> Iterable[Need]:
    asgi = project.entrypoints.asgi
    if asgi.status == "wrong-interface":
        asgi = replace(asgi, protocols=(), mounts=(), websocket_routes=(), http_consumers=())
    routes = websocket_routes(project)
    if routes:
        carried = f"{counted(len(routes), 'WebSocket route')}, which WSGI cannot carry."
        yield Need(carried, _places(routes, asgi))
    elif "websocket" in asgi.protocols and not asgi.websocket_routes:
        guess = " (read from its source)" if asgi.guessed else ""
        yield Need(f"{asgi.application} answers WebSocket{guess}.", (_place(asgi),))
    for protocol in asgi.protocols:
        if protocol not in _ORDINARY:
            yield Need(f"{asgi.application} answers the protocol {protocol!r}.", (_place(asgi),))
    for mount in asgi.mounts:
        if mount.interface == "asgi":
            where = mount.path or "/"
            yield Need(
                f"Another ASGI application, {mount.application}, answers at {where}.",
                (_place(asgi),),
            )
    for consumer in asgi.http_consumers:
        yield Need(f"{consumer} is a Channels HTTP consumer.", (_place(asgi),))


def websocket_routes(project: Project) -> tuple[WebSocketRoute, ...]:
    """The WebSocket routes that the project has.

    Those of the ASGI entry point; and, where that one is missing, broken or Django's bare
    handler, those that lie ready in the apps' routing modules. Without the routes that
    refuse every connection.
    """
    asgi = project.entrypoints.asgi
    if asgi.status == "ok" and (asgi.wrappers or asgi.handler is None or asgi.websocket_routes):
        routes = asgi.websocket_routes
    else:
        routes = tuple(route for module in project.entrypoints.routing for route in module.routes)
    return tuple(route for route in routes if route.consumer != _DENIER)


def _recommended(project: Project) -> Iterable[Need]:
    views = project.views.views
    streams = [view for view in views if view.streaming == "async"]
    if streams:
        verb = "streams" if len(streams) == 1 else "stream"
        yield Need(f"{counted(len(streams), 'view')} {verb} from an async iterator.", _at(streams))
    plain = [view for view in views if view.mode == "async" and view.streaming != "async"]
    if plain:
        yield Need(
            f"{counted(len(plain), 'async view')}, for which WSGI starts a loop each time.",
            _at(plain),
        )
    asgi = project.entrypoints.asgi
    if asgi.status == "ok" and "lifespan" in asgi.protocols:
        yield Need(f"{asgi.application} handles lifespan events.", (_place(asgi),))


def _place(entry: EntryPoint) -> str:
    return str(entry.location or entry.application or entry.source)


def _places(routes: tuple[WebSocketRoute, ...], entry: EntryPoint) -> tuple[str, ...]:
    places = []
    for route in routes[:_SHOWN]:
        # A path is absolute outside the project: a distribution's class, nothing to open.
        own = route.location is not None and not os.path.isabs(route.location.path)
        where = route.location if own else _place(entry)
        places.append(f"{where} {route.route or '(every path)'} → {route.consumer}")
    return tuple(places)


def _at(views: list[View]) -> tuple[str, ...]:
    return tuple(f"{view.location or view.view} {view.route or '/'}" for view in views[:_SHOWN])


def needs_of(project: Project, interface: Interface) -> Needs:
    """What a server has to be able to do to serve ``project`` through ``interface``."""
    entry = project.entrypoints.asgi
    if interface == "wsgi":
        return Needs("wsgi", http2=bool(project.conf.http2))
    return Needs(
        "asgi",
        websocket="websocket" in entry.protocols or bool(websocket_routes(project)),
        http2=bool(project.conf.http2),
        double_callable=entry.callable_interface == "asgi2",
    )
