"""The entry points: whether a server can import them, call them, and get an answer."""

from __future__ import annotations

import difflib
from collections import Counter
from typing import TYPE_CHECKING

from deploytool.checks.inference import infer
from deploytool.checks.rule import Finding, rule
from deploytool.project.stack.applications import Application
from deploytool.servers import server_named
from deploytool.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case
    from deploytool.checks.rule import Letter
    from deploytool.project.facts import EntryPoint, Failure, Location

# Routers stand on the way once for each level of routes, and are no wrappers.
_ROUTERS = ("channels.routing.", "starlette.", "fastapi.")


def _each(case: Case) -> Iterator[tuple[EntryPoint, bool]]:
    """Both entry points, each with whether the plan serves it."""
    for entry in (case.project.entrypoints.wsgi, case.project.entrypoints.asgi):
        yield entry, entry is case.entry


def _level(served: bool) -> Letter:
    return "E" if served else "W"


def _server(case: Case) -> str:
    return server_named(case.plan.server).title if case.plan.server else "A server"


def _consequence(case: Case, served: bool, fails: str) -> str:
    """What follows; ``fails`` is what a server does with the entry point."""
    if served:
        return f"{_server(case)} {fails}."
    return f"The plan serves {case.plan.interface.upper()}; a server that is given it {fails}."


def _named_by(case: Case, entry: EntryPoint) -> Location | str | None:
    """The line of the setting that names ``entry``, None where none does."""
    source, _, name = entry.source.partition(".")
    return case.set_at(name) if source == "settings" else None


def _in_entry(entry: EntryPoint, error: Failure) -> Location | None:
    """The line of the entry point's own file that led to ``error``, else its innermost place."""
    file = entry.location.path if entry.location else None
    own = [place for place in error.trail if place.path == file]
    return (own[0] if own else None) or error.location or entry.location


@rule(10, "EWI")
def missing(case: Case) -> Iterator[Finding]:
    """There is no entry point.

    The interface that is planned has no `wsgi.py` or `asgi.py`, or `WSGI_APPLICATION` or
    `ASGI_APPLICATION` names a module that does not exist. A warning where the plan serves the
    other interface: `manage.py runserver` and Daphne read these settings.

    ## Why is this bad?
    A server has nothing to import. Servers do not read the settings, so that development and
    production can fail apart from each other.

    ## Example
    ```python
    WSGI_APPLICATION = "mysite.wsgj.application"
    ```

    ## Use instead
    ```python
    WSGI_APPLICATION = "mysite.wsgi.application"
    ```
    `manage.py deployfiles wsgi` or `manage.py deployfiles asgi` writes the file.

    ## Source
    Django's documentation, "How to deploy with WSGI", "How to deploy with ASGI" and the
    settings `WSGI_APPLICATION` and `ASGI_APPLICATION` (the latter is Channels' and Daphne's).
    """
    for entry, served in _each(case):
        kind = entry.interface.upper()
        if entry.status != "missing" or not (served or entry.application):
            continue
        write = f"manage.py deployfiles {entry.interface} writes {entry.interface}.py."
        if entry.application is None:
            yield Finding(
                f"There is no {kind} entry point: nothing that a server could be started with.",
                write,
            )
            continue
        module = entry.application.partition(":")[0]
        message = f"{entry.source} names {entry.application}, and there is no module {module!r}."
        if served:
            message += " No server starts."
        else:
            # Daphne's runserver takes the place of Django's, and reads the other setting.
            daphne = any(app.partition(".")[0] == "daphne" for app in case.project.installed_apps)
            read = daphne == (entry.interface == "asgi")
            reader = "manage.py runserver does not start" if read else "nothing here reads it"
            message += f" The plan serves {case.plan.interface.upper()}; {reader}."
        level: Letter = "E" if served else "W" if read else "I"
        yield Finding(
            message,
            f"Name the module that is there, or remove the setting; {write}",
            _named_by(case, entry),
            level,
        )


def _imported(entry: EntryPoint) -> bool:
    """Whether the module of ``entry`` could be imported, whatever the application is."""
    return entry.started is not None


@rule(11, "EW")
def cannot_be_imported(case: Case) -> Iterator[Finding]:
    """An entry point cannot be imported.

    In a fresh interpreter, as a server imports it, the module raises, ends the process or
    does not come to an end, or it has no attribute of the name that the setting gives. A
    warning where the plan serves the other interface.

    ## Why is this bad?
    No server starts with it. With several workers of Uvicorn the process ends with the status
    0, so that a container is taken for finished rather than failed.

    ## Example
    ```python
    from mysite.wsgj import application
    ```

    ## Use instead
    What the message names mended; `python -c "import mysite.wsgi"` with
    `DJANGO_SETTINGS_MODULE` set is the same test.

    ## Source
    Django's documentation, "How to deploy with WSGI" and "How to deploy with ASGI".
    """
    for entry, served in _each(case):
        error = entry.error
        if entry.status != "error" or error is None or _imported(entry):
            continue
        if error.type == "AppRegistryNotReady":
            continue
        name = entry.application or entry.source
        hint = f"Mend it; then python -c 'import {name.partition(':')[0]}' passes."
        where: Location | str | None = _in_entry(entry, error)
        if error.type in {"AttributeError", "ImproperlyConfigured"} and not error.trail:
            where = _named_by(case, entry) or where
            hint = "Name the application as module.attribute, as it stands in the module."
        elif error.type == "TimeoutError":
            hint = (
                "Let nothing wait while the module is imported. If it only takes long, "
                'settings.DEPLOYTOOL["ENTRYPOINT_TIMEOUT"] gives it more seconds.'
            )
        elif "reentrant" in error.message:
            hint = (
                "What the apps load (AppConfig.ready(), models) must not import the entry "
                "point: that one sets up the apps."
            )
        yield Finding(
            f"{name} cannot be imported: {error}. "
            f"{_consequence(case, served, 'does not start with it')}",
            hint,
            where,
            _level(served),
        )


@rule(12, "EW")
def apps_not_loaded(case: Case) -> Iterator[Finding]:
    """Models are imported before the apps are loaded.

    The entry point imports consumers, routes or models above `get_asgi_application()` or
    `get_wsgi_application()`, which is what loads the apps. A warning where the plan serves
    the other interface.

    ## Why is this bad?
    `AppRegistryNotReady: Apps aren't loaded yet.` No server starts with it. `manage.py
    runserver` does: it has loaded the apps before it imports the entry point.

    ## Example
    ```python
    from chat.routing import websocket_urlpatterns
    from django.core.asgi import get_asgi_application

    application = ProtocolTypeRouter({
        "http": get_asgi_application(),
        "websocket": URLRouter(websocket_urlpatterns),
    })
    ```

    ## Use instead
    ```python
    from django.core.asgi import get_asgi_application

    django_asgi_app = get_asgi_application()

    from chat.routing import websocket_urlpatterns

    application = ProtocolTypeRouter({
        "http": django_asgi_app,
        "websocket": URLRouter(websocket_urlpatterns),
    })
    ```

    ## Source
    Channels' documentation, "Deploying"; Django's documentation, "Applications",
    "Initialization process"; https://github.com/django/channels/issues/1564
    """
    for entry, served in _each(case):
        error = entry.error
        if entry.status != "error" or error is None or error.type != "AppRegistryNotReady":
            continue
        where = _in_entry(entry, error)
        builder = f"get_{entry.interface}_application()"
        line = f"line {where.line}" if where and where.line else "the import"
        yield Finding(
            f"{entry.application} imports what needs the apps before they are loaded: {error}. "
            f"manage.py runserver hides it, as it has loaded them already. "
            f"{_consequence(case, served, 'does not start with it')}",
            f"Call {builder} first, and move {line} below it.",
            where,
            _level(served),
        )


@rule(13, "EW")
def not_an_application(case: Case) -> Iterator[Finding]:
    """What the entry point names is no application of its interface.

    A WSGI application in `asgi.py`, an ASGI application in `wsgi.py`, or something that
    cannot be called at all. A warning where the plan serves the other interface.

    ## Why is this bad?
    Servers start with it and answer 500 to every request: `TypeError:
    WSGIHandler.__call__() takes 3 positional arguments but 4 were given`. A process that runs
    and a port that is open prove nothing.

    ## Example
    ```python
    # asgi.py
    application = get_wsgi_application()
    ```

    ## Use instead
    ```python
    # asgi.py
    application = get_asgi_application()
    ```

    ## Source
    PEP 3333; the ASGI specification, "Applications"; Django's documentation, "How to deploy
    with WSGI" and "How to deploy with ASGI".
    """
    for entry, served in _each(case):
        broken = entry.status == "error" and _imported(entry)
        wrong = entry.status == "wrong-interface" and not _misfit(entry)
        if (broken or wrong) and entry.callable_interface != "factory" and entry.error:
            message = f"{entry.error.message}."
            if broken:
                message += f" {_consequence(case, served, 'fails at every request')}"
            elif not served:
                message += f" The plan serves {case.plan.interface.upper()}, and does not use it."
            yield Finding(
                message,
                f"application = get_{entry.interface}_application()",
                entry.location,
                _level(served),
            )


@rule(14, "EW")
def factory_not_called(case: Case) -> Iterator[Finding]:
    """The entry point names what makes the application, and not the application.

    `application = get_asgi_application` without the parentheses, or a class in place of an
    object of it. A warning where the plan serves the other interface, and with Uvicorn, which
    guesses what is meant and warns.

    ## Why is this bad?
    Other servers call it for each request, with arguments that it does not take, and answer
    500: `TypeError: get_asgi_application() takes 0 positional arguments but 3 were given`.

    ## Example
    ```python
    application = get_asgi_application
    ```

    ## Use instead
    ```python
    application = get_asgi_application()
    ```

    ## Source
    The ASGI specification, "Applications"; Uvicorn's documentation, "Application factories".
    """
    for entry, served in _each(case):
        if entry.callable_interface != "factory" or not entry.error:
            continue
        guessed = served and case.plan.server == "uvicorn"
        consequence = _consequence(case, served, "answers 500 to every request")
        if guessed:
            consequence = (
                "Uvicorn guesses that it is to be called, and warns; with any other server, "
                "every request is answered 500."
            )
        yield Finding(
            f"{entry.error.message}. {consequence}",
            "Call it where the application is assigned.",
            entry.location,
            _level(served and not guessed),
        )


def _misfit(entry: EntryPoint) -> str | None:
    """Why the pieces of a wrapped application do not fit together."""
    return entry.started.problem if entry.started else None


@rule(15, "EW")
def wrapper_does_not_fit(case: Case) -> Iterator[Finding]:
    """A wrapper of one interface stands around an application of the other.

    A WSGI wrapper (WhiteNoise, Sentry's or OpenTelemetry's for WSGI) around Django's ASGI
    application, an ASGI wrapper around its WSGI application, a router that is given one where
    it calls the other, or Socket.IO with a server of the other kind. Also what no application
    is in the place of one: `get_asgi_application` without the parentheses in a router, a list
    of routes without a `URLRouter` in a middleware of Channels; and Channels' origin validator
    around HTTP. A warning where the plan serves the other interface.

    ## Why is this bad?
    It imports and starts; every request that comes to that place fails: `TypeError:
    WhiteNoise.__call__() takes 3 positional arguments but 4 were given`.

    ## Example
    ```python
    application = WhiteNoise(get_asgi_application())
    ```

    ## Use instead
    ```python
    application = get_asgi_application()
    ```
    and `"whitenoise.middleware.WhiteNoiseMiddleware"` in `MIDDLEWARE`, which works on both
    interfaces.

    ## Source
    PEP 3333; the ASGI specification, "Applications"; Django's documentation, "How to deploy
    with ASGI", "Applying ASGI middleware"; https://github.com/evansd/whitenoise/issues/531
    """
    for entry, served in _each(case):
        problem = _misfit(entry)
        if entry.status != "wrong-interface" or problem is None:
            continue
        yield Finding(
            f"{entry.application} cannot answer: {problem}. "
            f"{_consequence(case, served, 'starts with it, and fails at every such request')}",
            _unwrapping(entry, problem),
            entry.location,
            _level(served),
        )


def _unwrapping(entry: EntryPoint, problem: str) -> str:
    builder = f"get_{entry.interface}_application()"
    if "whitenoise" in problem.lower():
        return (
            f"Write application = {builder}, and put WhiteNoise into MIDDLEWARE, where it works "
            "on both interfaces."
        )
    if "sentry_sdk" in problem:
        return (
            f"Write application = {builder}: sentry_sdk.init() instruments Django's handlers "
            "of both interfaces by itself."
        )
    if "was not called" in problem:
        return "Call it, where the router is made."
    if "list of routes" in problem:
        return "Put URLRouter(...) around the list."
    if "no WebSocket" in problem:
        return 'Put it around what is routed for "websocket", and not around the whole router.'
    if entry.socketio and "needs a" in problem:
        return "Make the Socket.IO server of the kind that the message names."
    return f"Give it {builder}, or take a wrapper that is made for {entry.interface.upper()}."


@rule(16, "EI")
def no_http(case: Case) -> Iterator[Finding]:
    """The ASGI application answers no HTTP request.

    A router such as Channels' `ProtocolTypeRouter` has no `"http"`, and the project has a
    URLconf. Advice where a deployment file starts a WSGI server beside it.

    ## Why is this bad?
    `ValueError: No application configured for scope type 'http'.` Every page is answered 500.
    Channels 2 added Django's application by itself, Channels 3 and later do not.

    ## Example
    ```python
    application = ProtocolTypeRouter({
        "websocket": URLRouter(websocket_urlpatterns),
    })
    ```

    ## Use instead
    ```python
    application = ProtocolTypeRouter({
        "http": get_asgi_application(),
        "websocket": URLRouter(websocket_urlpatterns),
    })
    ```

    ## Source
    Channels' documentation, "Routing", `ProtocolTypeRouter`, and the release notes of
    Channels 3.0; https://github.com/django/channels/issues/2125
    """
    entry = case.entry
    views = case.project.views.views
    if not case.asgi or entry.status != "ok" or not entry.protocols or entry.guessed or not views:
        return
    if "http" in entry.protocols:
        return
    routes = counted(len(views), "route")
    message = (
        f"{entry.application} answers {', '.join(entry.protocols)} and no HTTP request: "
        f"{_server(case)} answers 500 to what the {routes} of {case.project.views.urlconf} are "
        "for"
    )
    beside = _wsgi_beside(case)
    if beside:
        message += f", unless the proxy sends those to the WSGI server that {beside} starts"
    yield Finding(
        f"{message}.",
        'Add "http": get_asgi_application() to its router.',
        entry.location,
        "I" if beside else "E",
    )


def _wsgi_beside(case: Case) -> Location | None:
    """Where a deployment file starts a WSGI server for the same project.

    Two servers behind one proxy, one for pages and one for WebSockets, are sound.
    """
    files = infer(case.project)
    for _, launch in files.served:
        named = Application.of(launch.application)
        if named and files.applications.interface(named) == "wsgi":
            return launch.place
    return None


@rule(28, "E")
def unknown_protocol(case: Case) -> Iterator[Finding]:
    """A protocol that no server sends is routed, in the place of WebSockets.

    A router such as Channels' `ProtocolTypeRouter` has a key that is nearly `"websocket"`,
    `"websockets"` or `"ws"`, and not that one.

    ## Why is this bad?
    The type of a connection is `websocket` and nothing else. `ValueError: No application
    configured for scope type 'websocket'`: no client can connect, and all else works.

    ## Example
    ```python
    application = ProtocolTypeRouter({
        "http": get_asgi_application(),
        "websockets": URLRouter(websocket_urlpatterns),
    })
    ```

    ## Use instead
    ```python
    application = ProtocolTypeRouter({
        "http": get_asgi_application(),
        "websocket": URLRouter(websocket_urlpatterns),
    })
    ```

    ## Source
    The ASGI specification, "HTTP & WebSocket ASGI Message Format"; Channels' documentation,
    "Routing", `ProtocolTypeRouter`.
    """
    entry = case.entry
    if not case.asgi or entry.status != "ok" or "websocket" in entry.protocols:
        return
    for name in entry.protocols:
        near = difflib.get_close_matches(name.lower().replace("_", ""), ["websocket"], cutoff=0.8)
        if near or name.lower() in {"ws", "wss"}:
            yield Finding(
                f"{entry.application} routes {name!r}, and the type of a WebSocket connection is "
                "'websocket': no client can connect.",
                f'Write "websocket" in the place of {name!r}.',
                entry.location,
            )


@rule(17, "E")
def consumer_class_routed(case: Case) -> Iterator[Finding]:
    """A consumer is routed as a class, without `.as_asgi()`.

    A route of an ASGI application names a Channels consumer class, or its `as_asgi` without
    calling it.

    ## Why is this bad?
    Each connection to it fails: `TypeError: object ChatConsumer can't be used in 'await'
    expression`. The server starts, and other routes work.

    ## Example
    ```python
    path("ws/chat/", ChatConsumer)
    ```

    ## Use instead
    ```python
    path("ws/chat/", ChatConsumer.as_asgi())
    ```

    ## Source
    Channels' documentation, "Consumers", "as_asgi".
    """
    entry = case.entry
    if not case.asgi or entry.status != "ok":
        return
    for route in entry.websocket_routes:
        if not route.instantiated:
            name = route.consumer.rpartition(".")[2]
            yield Finding(
                f"The route {route.route or '(every path)'} names {route.consumer} without "
                ".as_asgi(): every connection to it fails.",
                f"Write {name}.as_asgi().",
                route.location,
            )
    for consumer in entry.started.as_classes if entry.started else ():
        yield Finding(
            f"{consumer} answers HTTP requests and is routed without .as_asgi(): every request "
            "to it is answered 500.",
            f"Write {consumer.rpartition('.')[2]}.as_asgi().",
            entry.location,
        )


@rule(18, "EW")
def lifespan(case: Case) -> Iterator[Finding]:
    """Lifespan events are on where they are refused, or off where they are needed.

    `settings.DEPLOYTOOL["LIFESPAN"]` is `"on"` and nothing in the application answers the
    `lifespan` scope; or the application answers it and the server is told not to send it,
    or is one that never does.

    ## Why is this bad?
    Django raises `ValueError: Django can only handle ASGI/HTTP connections, not lifespan.` A
    server that insists does not start. The other way round, what the application does at its
    start and end (opening pools, ending tasks) is not done.

    ## Example
    ```python
    DEPLOYTOOL = {"LIFESPAN": "on"}
    ```

    ## Use instead
    The setting left out: `"on"` is planned for an application that answers lifespan events,
    `"off"` for Django's.

    ## Source
    The ASGI specification, "Lifespan Protocol"; Django's ticket 31508; Uvicorn's and
    Gunicorn's settings `--lifespan` and `--asgi-lifespan`.
    """
    entry, plan = case.entry, case.plan
    if not case.asgi or entry.status != "ok" or plan.server is None:
        return
    answered = "lifespan" in entry.protocols
    known = bool(entry.handler or entry.wrappers) and not entry.guessed
    if plan.lifespan == "on" and not answered and known:
        yield Finding(
            f'LIFESPAN is "on", and {entry.application} does not answer lifespan events: '
            f"{_server(case)} refuses to start.",
            'Leave settings.DEPLOYTOOL["LIFESPAN"] out.',
            case.set_at("DEPLOYTOOL"),
        )
    elif answered and not entry.guessed and plan.lifespan in {None, "off"}:
        why = 'LIFESPAN is "off"' if plan.lifespan else f"{_server(case)} sends none"
        yield Finding(
            f"{entry.application} answers lifespan events, and {why}: what it does at its start "
            "and end is not done, and what rests on it fails.",
            'Leave settings.DEPLOYTOOL["LIFESPAN"] out.'
            if plan.lifespan
            else "Serve it with Uvicorn, or with Gunicorn's asgi worker.",
            case.set_at("DEPLOYTOOL") if plan.lifespan else entry.location,
            "W",
        )


@rule(21, "IW")
def adapted(case: Case) -> Iterator[Finding]:
    """Django's application of one interface is served through an adapter on the other.

    Such as `WsgiToAsgi(get_wsgi_application())` in `asgi.py`. A warning where views are
    asynchronous or stream.

    ## Why is this bad?
    It works, as the interface that is inside: each request takes a thread, async views run in
    an event loop that is thrown away with them, and nothing is sent of an async stream before
    it has ended. All of ASGI's cost and none of its use.

    ## Example
    ```python
    application = WsgiToAsgi(get_wsgi_application())
    ```

    ## Use instead
    ```python
    application = get_asgi_application()
    ```

    ## Source
    asgiref's documentation, "WSGI-to-ASGI adapter"; Django's documentation, "How to deploy
    with ASGI".
    """
    entry = case.entry
    inner = entry.started.handler_interface if entry.started else None
    if entry.status != "ok" or inner is None or inner == entry.interface:
        return
    builder = f"get_{entry.interface}_application()"
    by = f" by {entry.wrappers[-1]}" if entry.wrappers else ""
    message = (
        f"{entry.application} is Django's {inner.upper()} application, adapted{by} to "
        f"{entry.interface.upper()}."
    )
    asynchronous = [view for view in case.project.views.views if view.mode == "async"]
    streams = [view for view in case.project.views.views if view.streaming == "async"]
    level: Letter = "I"
    if entry.interface == "wsgi":
        message += " Each request goes to an event loop and back, and WSGI has no use for it."
    else:
        message += " Each request takes a thread, as under WSGI."
        if asynchronous:
            level = "W"
            message += (
                f" {counted(len(asynchronous), 'async view')}, {asynchronous[0].view} first, "
                "run in an event loop that is made for each request."
            )
        if streams:
            level = "W"
            message += (
                f" The async stream of {streams[0].view} is sent once it has ended; one without "
                "an end never answers."
            )
    yield Finding(message, f"Write application = {builder}.", entry.location, level)


def _wrappers(names: tuple[str, ...]) -> list[str]:
    return [name for name in names if "<locals>" not in name and not name.startswith(_ROUTERS)]


@rule(22, "I")
def wrapped_twice(case: Case) -> Iterator[Finding]:
    """The same wrapper stands twice on the way of a request.

    Twice around the application of the entry point, or once there and once, as a class of
    `MIDDLEWARE` that builds on it, in the settings.

    ## Why is this bad?
    What it does is done twice: two spans a request, static files listed twice at the start,
    headers set again.

    ## Example
    ```python
    # wsgi.py
    application = WhiteNoise(get_wsgi_application(), root=STATIC_ROOT)

    # settings.py
    MIDDLEWARE = [..., "whitenoise.middleware.WhiteNoiseMiddleware", ...]
    ```

    ## Use instead
    One of them; WhiteNoise's documentation recommends the middleware.

    ## Source
    WhiteNoise's documentation, "Using WhiteNoise with Django".
    """
    entry = case.entry
    if entry.status != "ok":
        return
    wrappers = _wrappers(entry.wrappers)
    for name, times in Counter(wrappers).items():
        if times > 1:
            yield Finding(
                f"{name} stands {times} times around {entry.application}: what it does to a "
                "request is done each time.",
                "Take all but one away.",
                entry.location,
            )
    for route in entry.websocket_routes:
        twice = [name for name, n in Counter(_wrappers(route.wrappers)).items() if n > 1]
        if twice:
            yield Finding(
                f"{twice[0]} stands more than once around the WebSocket route {route.route!r}: "
                "what it does to a connection is done each time.",
                "Take all but one away.",
                entry.location,
            )
            break
    for middleware in case.project.middleware:
        for name in {middleware.path, *middleware.bases} & set(wrappers):
            yield Finding(
                f"{name} stands around {entry.application}, and {middleware.setting}, "
                f"{middleware.path}, is one too: what they do is done twice.",
                f"Keep the one in MIDDLEWARE, and write application = "
                f"get_{entry.interface}_application().",
                entry.location,
            )


@rule(23, "W")
def static_handler(case: Case) -> Iterator[Finding]:
    """The development server's handler of static files is in the entry point.

    `StaticFilesHandler` or `ASGIStaticFilesHandler`, or a subclass, wraps the application.

    ## Why is this bad?
    It looks each file up through the finders and reads it for each request, and serves what
    is in the apps' directories whether or not it was collected: Django's documentation calls
    it grossly inefficient and probably insecure.

    ## Example
    ```python
    application = ASGIStaticFilesHandler(get_asgi_application())
    ```

    ## Use instead
    ```python
    application = get_asgi_application()
    ```
    and a proxy, or WhiteNoise in `MIDDLEWARE`, for `STATIC_ROOT`.

    ## Source
    Django's documentation, "The staticfiles app", "Static file development view", and "How to
    deploy static files".
    """
    entry = case.entry
    handler = entry.started.static_handler if entry.started else None
    if entry.status == "ok" and handler:
        yield Finding(
            f"{entry.application} answers for STATIC_URL with {handler}: under load, and where "
            "an app has files that are not meant to be served, this is slow and unsafe.",
            f"Write application = get_{entry.interface}_application(), and serve STATIC_ROOT by "
            "a proxy or by WhiteNoise in MIDDLEWARE.",
            entry.location,
        )
