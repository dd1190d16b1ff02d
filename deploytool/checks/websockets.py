"""About WebSockets: who may open one, what their consumers take for granted, who serves them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploytool.checks.rule import Finding, rule
from deploytool.project.stack.applications import Application

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploytool.checks.case import Case
    from deploytool.project.facts import WebSocketRoute

_DENIER = "channels.security.websocket.WebsocketDenier"
_SHOWN = 3


def _routes(case: Case) -> tuple[WebSocketRoute, ...]:
    """The routes that the plan's entry point answers; those that only refuse left out."""
    if not case.asgi:
        return ()
    return tuple(each for each in case.entry.websocket_routes if each.consumer != _DENIER)


def _listed(routes: Iterable[WebSocketRoute]) -> str:
    names = list(dict.fromkeys(f"{route.consumer} (route {route.route!r})" for route in routes))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


@rule(630, "W")
def no_origin_validator(case: Case) -> Iterator[Finding]:
    """WebSockets that know the visitor are open to every site.

    A WebSocket route stands behind Channels' cookie, session or authentication middleware, or
    its consumer reads the Cookie header itself, and nothing on the way looks at the Origin
    header: no OriginValidator or subclass, and no wrapper or consumer of the project's that
    names it.

    ## Why is this bad?
    Browsers let any page open a WebSocket to any site and send that site's cookies along;
    neither the same-origin policy nor Django's CSRF protection covers it. A page that a
    signed-in visitor opens elsewhere can talk to the consumer in the visitor's name
    (cross-site WebSocket hijacking).

    ## Example
    ```python
    "websocket": AuthMiddlewareStack(URLRouter(routes))
    ```

    ## Use instead
    ```python
    "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(routes)))
    ```

    ## Source
    Channels' documentation, "Security", "WebSockets".
    """
    open_to_all = []
    for route in _routes(case):
        wrappers = [case.wrapper(name) for name in route.wrappers]
        consumer = case.consumer(route.consumer)
        knows = consumer.reads_cookies or any(each.gives for each in wrappers)
        unsure = not consumer.readable or any(not each.known for each in wrappers)
        asked = consumer.reads_origin or any(each.origin for each in wrappers)
        if knows and not unsure and not asked:
            open_to_all.append(route)
    if open_to_all:
        yield Finding(
            f"Any site can open a WebSocket to {_listed(open_to_all)} in the name of a signed-in "
            "visitor: browsers send the cookies along, and nothing asks for the Origin.",
            "Put channels.security.websocket.AllowedHostsOriginValidator(...) around it in "
            f"{case.entry.application}.",
            case.entry.location or open_to_all[0].location,
        )


@rule(631, "I")
def no_fallback_route(case: Case) -> Iterator[Finding]:
    """WebSocket paths that nobody routes end in a traceback.

    Channels consumers are routed, and no route matches every path.

    ## Why is this bad?
    URLRouter raises `ValueError: No route found for path` for each handshake on another path:
    the server logs a traceback for every scanner and every old client, among which real errors
    are lost.

    ## Example
    ```python
    URLRouter([path("ws/chat/", ChatConsumer.as_asgi())])
    ```

    ## Use instead
    ```python
    URLRouter(
        [
            path("ws/chat/", ChatConsumer.as_asgi()),
            re_path("", WebsocketDenier.as_asgi()),  # channels.security.websocket
        ]
    )
    ```

    ## Source
    Channels' issues #2195, #2147 and #1543; `URLRouter` in `channels/routing.py`.
    """
    routes = _routes(case)
    every = case.entry.websocket_routes if case.asgi else ()
    if not routes or case.entry.guessed or any(_matches_all(each.route) for each in every):
        return
    if not all(case.is_channels(each.consumer) for each in routes):
        return
    yield Finding(
        "No WebSocket route matches every path: a handshake on another one raises ValueError "
        "(No route found for path), with a traceback in the log.",
        're_path("", WebsocketDenier.as_asgi()) as the last route (channels.security.websocket).',
        routes[-1].location,
    )


def _matches_all(route: str) -> bool:
    """Whether the pattern of a route may match any path."""
    if re.match(r"\^?<path:\w+>$", route):
        return True
    return re.sub(r"[\^$()?]|P<\w+>", "", route) in {"", ".*", ".+"}


@rule(632, "E")
def missing_from_scope(case: Case) -> Iterator[Finding]:
    """A consumer takes from its scope what nothing puts there.

    A consumer reads `scope["user"]`, `scope["session"]` or `scope["cookies"]`, and around its
    route is neither Channels' middleware that adds it nor another wrapper that may.

    ## Why is this bad?
    `KeyError`: the connection is refused, or closed in the middle.

    ## Example
    ```python
    "websocket": URLRouter(routes)  # and self.scope["user"] in the consumer
    ```

    ## Use instead
    ```python
    "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(routes)))
    ```

    ## Source
    Channels' documentation, "Authentication" and "Sessions".
    """
    for route in _routes(case):
        wrappers = [case.wrapper(name) for name in route.wrappers]
        if case.entry.guessed or any(not each.known for each in wrappers):
            continue
        given = {key for each in wrappers for key in (*each.gives, *each.mentions)}
        for key, location in case.consumer(route.consumer).keys:
            if key not in given:
                yield Finding(
                    f'{route.consumer} reads scope["{key}"], and nothing around the route '
                    f"{route.route!r} puts it there: KeyError.",
                    "Put AuthMiddlewareStack(...) (channels.auth) around the routes in "
                    f"{case.entry.application}."
                    if key == "user"
                    else "Put SessionMiddlewareStack(...) (channels.sessions) around the routes in "
                    f"{case.entry.application}.",
                    location or route.location,
                )


@rule(633, "I")
def plain_sync_to_async(case: Case) -> Iterator[Finding]:
    """A consumer asks the database through plain `sync_to_async()`.

    A consumer hands a method of a QuerySet or a row, or a function of the project's that asks
    the database, to asgiref's `sync_to_async()`.

    ## Why is this bad?
    Django closes connections that are too old or broken when a request ends. A WebSocket has no
    requests: the connection stays open after the call until the consumer gets its next message,
    and a handler that goes on for long keeps one that the database has closed.
    `database_sync_to_async()` does the same, and closes such connections before and after.

    ## Example
    ```python
    await sync_to_async(save_message)(text)
    ```

    ## Use instead
    ```python
    await database_sync_to_async(save_message)(text)
    ```

    ## Source
    Channels' documentation, "Accessing the database in Channels Consumers".
    """
    seen = set()
    for route in _routes(case):
        for handed in case.consumer(route.consumer).handed:
            if handed not in seen and case.is_channels(route.consumer):
                seen.add(handed)
                yield Finding(
                    f"{handed.code} asks the database in {route.consumer}, and leaves the "
                    "connection open until the next message, even one that is too old or broken.",
                    "database_sync_to_async() (channels.db) in the place of sync_to_async().",
                    handed.location,
                )


@rule(634, "E")
def websocket_on_wsgi(case: Case) -> Iterator[Finding]:
    """WebSocket routes are not served.

    The project has WebSocket routes, and the plan serves WSGI; no deployment file starts an
    ASGI server beside it.

    ## Why is this bad?
    WSGI has no WebSockets. The handshake is an ordinary request to Django, which answers 404.

    ## Example
    `DEPLOYTOOL = {"INTERFACE": "wsgi"}` in a project with Channels consumers.

    ## Use instead
    Serve ASGI, for everything or by a second server for the WebSocket paths alone.

    ## Source
    PEP 3333; Channels' documentation, "Deploying".
    """
    if case.asgi:
        return
    entrypoints = case.project.entrypoints
    routes = tuple(r for r in entrypoints.asgi.websocket_routes if r.consumer != _DENIER)
    if routes and not entrypoints.wsgi.socketio and not _asgi_beside(case):
        yield Finding(
            f"The plan serves WSGI, which has no WebSockets: nobody answers {_listed(routes)}; a "
            "handshake gets 404.",
            "Serve ASGI (--interface asgi), or a second server with "
            f"{entrypoints.asgi.application} for these paths.",
            routes[0].location,
        )


def _asgi_beside(case: Case) -> bool:
    """Whether a deployment file starts an ASGI server for the same project, for these paths."""
    files = case.files
    applications = (Application.of(launch.application) for _, launch in files.served)
    return any(
        named is not None and files.applications.interface(named) == "asgi"
        for named in applications
    )


@rule(635, "E")
def channels_middleware_order(case: Case) -> Iterator[Finding]:
    """Channels' middleware lacks what it stands on.

    `AuthMiddleware` without `SessionMiddleware` around it, or that without
    `CookieMiddleware`; also in the wrong order.

    ## Why is this bad?
    `ValueError: AuthMiddleware cannot find session in scope. SessionMiddleware must be above
    it.` No client can connect.

    ## Example
    ```python
    "websocket": AuthMiddleware(URLRouter(routes))
    ```

    ## Use instead
    ```python
    "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(routes)))
    ```

    ## Source
    Channels' documentation, "Authentication" and "Sessions"; `channels/auth.py` and
    `channels/sessions.py`.
    """
    seen: set[tuple[str, ...]] = set()
    for route in _routes(case):
        if case.entry.guessed or route.wrappers in seen:
            continue
        seen.add(route.wrappers)
        given: set[str] = set()
        for wrapper in map(case.wrapper, route.wrappers):
            needed = wrapper.needs - given
            if needed:
                key = min(needed)
                yield Finding(
                    f"{wrapper.name} around the route {route.route!r} wants the {key} of the "
                    "connection, and nothing around it puts that into the scope: no client can "
                    "connect.",
                    f"Put {_STACKS[key]}(...) around it, in {case.entry.application}.",
                    case.entry.location or route.location,
                )
                break
            given |= wrapper.gives | wrapper.mentions
            if not wrapper.known:
                break


_STACKS = {
    "cookies": "channels.sessions.CookieMiddleware",
    "session": "channels.sessions.SessionMiddlewareStack",
}


@rule(636, "E")
def route_never_taken(case: Case) -> Iterator[Finding]:
    """A WebSocket route is never taken.

    Its pattern begins with a slash, which Channels' `URLRouter` takes off the path first; or
    a route above it matches every path that it matches.

    ## Why is this bad?
    `ValueError: No route found for path 'ws/chat/'`, or the consumer of the other route
    answers. Django warns of such a slash in a URLconf (urls.W002), and nobody does here.

    ## Example
    ```python
    URLRouter([
        re_path("", WebsocketDenier.as_asgi()),
        path("/ws/chat/", ChatConsumer.as_asgi()),
    ])
    ```

    ## Use instead
    ```python
    URLRouter([
        path("ws/chat/", ChatConsumer.as_asgi()),
        re_path("", WebsocketDenier.as_asgi()),
    ])
    ```

    ## Source
    Channels' documentation, "Routing", `URLRouter`, and its `__call__()` in
    `channels/routing.py`.
    """
    entry = case.entry
    if not case.asgi or entry.status != "ok" or entry.started is None:
        return
    places = {route.route: route.location for route in reversed(entry.websocket_routes)}
    for found in entry.started.unmatched:
        if found.route not in places:
            continue
        if found.above is None:
            yield Finding(
                f"The WebSocket route {found.literal!r} begins with a slash, which URLRouter takes "
                "off the path before it looks: no path matches.",
                "Take the slash away.",
                places[found.route],
            )
        else:
            yield Finding(
                f"The WebSocket route {found.route!r} is never taken: {found.above!r}, above it, "
                "matches its paths.",
                "Move it up, or let the other end with $.",
                places[found.route],
            )
