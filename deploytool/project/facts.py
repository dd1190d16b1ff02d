"""What is known of a project: plain, frozen data, each fact with its evidence.

Nothing here inspects anything; the modules beside this one fill these classes, and
everything downstream (plan, checks, generated files) only reads them. All of it is
made of dataclasses, tuples, strings and numbers, so that it serialises to JSON as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from deploytool.conf import Conf

Interface = Literal["wsgi", "asgi"]


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file that a person can open.

    ``path`` is relative to the project's base directory when the file lies in it and
    absolute otherwise; ``line`` counts from 1, None where only the file is known.
    """

    path: str
    line: int | None = None

    def __str__(self) -> str:
        return self.path if self.line is None else f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Failure:
    """An import or an inspection that raised: what, and where in the user's own code.

    ``type`` is the exception's class name (``TimeoutError`` for one that did not end in
    time); ``location`` is the innermost frame that belongs to the project and ``trail``
    every such frame, outermost first.
    """

    type: str
    message: str
    location: Location | None = None
    trail: tuple[Location, ...] = ()

    def __str__(self) -> str:
        # Where the project's code went in, and where it came to an end.
        ends = dict.fromkeys(map(str, (*self.trail[:1], *filter(None, [self.location]))))
        where = f" ({' → '.join(ends)})" if ends else ""
        return f"{self.type}: {self.message}{where}"


@dataclass(frozen=True, slots=True)
class WebSocketRoute:
    """One WebSocket route that an ASGI application answers.

    ``route`` is the pattern with the prefixes of its includes; ``consumer`` the dotted
    path of what answers it; ``location`` where the route is written, or the consumer's
    class where that cannot be found; ``wrappers`` the dotted classes around it, outermost
    first (origin validator, session, authentication). ``instantiated`` is False for a
    Channels consumer class that was routed without ``.as_asgi()``.
    """

    route: str
    consumer: str
    location: Location | None = None
    wrappers: tuple[str, ...] = ()
    instantiated: bool = True


@dataclass(frozen=True, slots=True)
class Mount:
    """Another application that the entry point mounts beside Django's handler."""

    path: str
    application: str
    interface: Interface | None = None


@dataclass(frozen=True, slots=True)
class Background:
    """Something that runs by itself in the process that has imported an entry point.

    ``kind`` is ``thread`` (the project's own code, in a thread of its own), ``timer`` (its
    code, once a time is over), ``scheduler`` (a library that calls it by time) or
    ``process``. ``runs`` is the dotted name of what runs and ``location`` where that is
    written; ``started_at`` is the line of the project's that started it. ``repeats`` is True
    where it does something over and over, or will at a time; ``waiting`` where it waits,
    without a limit, for what this process gives it.
    """

    kind: Literal["thread", "timer", "scheduler", "process"]
    runs: str
    location: Location | None = None
    started_at: Location | None = None
    repeats: bool = True
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class EarlyConnection:
    """A database that was connected to while an entry point was imported.

    ``location`` is the project's line that led to it, None where it is another's: ``module``
    then names that. ``answered`` says whether the database did; ``kept`` whether the
    connection, or its pool, was open when the import had ended.
    """

    alias: str
    location: Location | None
    module: str
    answered: bool
    kept: bool


@dataclass(frozen=True, slots=True)
class UnmatchedRoute:
    """A route of a Channels URLRouter that no path can match.

    ``route`` is the pattern with the prefixes of its includes, ``literal`` without.
    ``above`` is the route that takes its paths before it, None where the pattern begins with
    a slash, which a URLRouter takes off.
    """

    route: str
    literal: str
    above: str | None


@dataclass(frozen=True, slots=True)
class Started:
    """What a process is like that has imported an entry point: what only the checks ask.

    ``debug`` is DEBUG there, None where the settings were not loaded. ``same_secret`` says
    whether SECRET_KEY is there what it is in the inspecting process, None where there is
    none or where the settings are of another module. ``problem`` is why the pieces of the
    application do not fit together, and ``handler_interface`` what Django's handler at the
    end of the chain is. ``static_handler`` is the wrapper that answers for static files as
    ``runserver`` does; ``as_classes`` are the HTTP consumers that are routed without
    ``.as_asgi()``; ``unmatched`` the routes that are never taken.
    """

    debug: bool | None = None
    same_secret: bool | None = None
    background: tuple[Background, ...] = ()
    connections: tuple[EarlyConnection, ...] = ()
    problem: str | None = None
    handler_interface: Interface | None = None
    static_handler: str | None = None
    as_classes: tuple[str, ...] = ()
    unmatched: tuple[UnmatchedRoute, ...] = ()


EntryPointStatus = Literal["ok", "missing", "error", "wrong-interface"]


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """The application that a server of one interface would be given.

    ``interface`` is the role (which of the two entry points this is) and
    ``callable_interface`` what the callable really is: ``wsgi``, ``asgi``, ``asgi2`` (a
    double callable of the ASGI 2 specification), ``factory`` (a function that has to be
    called to get the application), None where it cannot be told.

    ``missing`` is the status where there is no module, also where a setting names one
    (``application`` and ``error`` then say which). ``source`` says how it was found
    (``settings.ASGI_APPLICATION``, ``beside the settings package``, …).
    ``handler`` is the class of Django's handler at the end of the chain, ``wrappers`` the
    classes around it on the way of an HTTP request, outermost first.
    ``protocols`` are the scope types that it answers; ``guessed`` is True where they were
    read from the source text because the callable could not be looked into.
    ``output`` is what the import printed (stdout and stderr, its first 4,000 characters).
    ``settings_module`` is what DJANGO_SETTINGS_MODULE was after the import: another one
    than the project's where the module assigns it rather than ``setdefault()``; None where
    the import did not end. ``started`` is None there too.
    """

    interface: Interface
    application: str | None
    status: EntryPointStatus
    source: str
    location: Location | None = None
    callable_interface: Literal["wsgi", "asgi", "asgi2", "factory"] | None = None
    error: Failure | None = None
    handler: str | None = None
    wrappers: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    guessed: bool = False
    websocket_routes: tuple[WebSocketRoute, ...] = ()
    http_consumers: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    socketio: bool = False
    output: str = ""
    settings_module: str | None = None
    started: Started | None = None


@dataclass(frozen=True, slots=True)
class RoutingModule:
    """A module of Channels routes: ``MODULE.ATTRIBUTE`` is a list of WebSocket routes.

    Found beside the installed apps whether or not an entry point uses it, so that an
    entry point can be written for a project that has none.
    """

    module: str
    attribute: str
    routes: tuple[WebSocketRoute, ...]


@dataclass(frozen=True, slots=True)
class EntryPoints:
    """Both entry points, and the Channels routes that lie ready for one."""

    wsgi: EntryPoint
    asgi: EntryPoint
    routing: tuple[RoutingModule, ...] = ()


@dataclass(frozen=True, slots=True)
class EventLoopHook:
    """A hook that deploytool's handler calls on the event loop, where ``condition`` is met.

    ``ordinary`` says whether an ordinary request meets it with the settings of this project.
    """

    hook: str
    condition: str
    ordinary: bool


@dataclass(frozen=True, slots=True)
class Middleware:
    """One entry of ``settings.MIDDLEWARE``.

    ``style`` is ``mixin`` (uses MiddlewareMixin's own ``__call__``), ``class``,
    ``function`` or None where it could not be imported. ``hooks`` names those of
    ``process_request``, ``process_view``, ``process_exception``,
    ``process_template_response`` and ``process_response`` that it has, and ``__call__``/
    ``__acall__`` where a class writes its own. ``known`` is the best-known ancestor (or
    itself): the first class of its MRO that is Django's own or a distribution's, rather
    than the project's. ``setting`` is the evidence, ``settings.MIDDLEWARE[3]``;
    ``set_at`` the line that names it, as far as the source shows it.
    """

    path: str
    setting: str
    set_at: Location | None = None
    location: Location | None = None
    style: Literal["mixin", "class", "function"] | None = None
    sync_capable: bool = True
    async_capable: bool = False
    hooks: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    known: str | None = None
    error: Failure | None = None
    async_hooks: tuple[str, ...] = ()
    plain: bool = False
    event_loop_hooks: tuple[EventLoopHook, ...] = ()


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who listens to one of the two signals of each request, beside Django itself."""

    signal: Literal["request_started", "request_finished"]
    path: str
    mode: Literal["sync", "async"]


@dataclass(frozen=True, slots=True)
class View:
    """One route of the resolved URLconf and the view behind it.

    ``mode`` is how Django would call it. ``kind`` is ``function``, ``class``, ``drf`` or
    ``ninja``. ``streaming`` is the kind of iterator given to a StreamingHttpResponse (None
    for an ordinary response, ``unknown`` where it streams and the iterator cannot be
    told); ``event_stream`` is True for ``text/event-stream``. Streaming is read from the
    source of the view, which is never executed.
    """

    route: str
    view: str
    mode: Literal["sync", "async"]
    kind: Literal["function", "class", "drf", "ninja"] = "function"
    name: str | None = None
    streaming: Literal["sync", "async", "unknown"] | None = None
    event_stream: bool = False
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Views:
    """Every route, or the reason why the URLconf could not be walked."""

    urlconf: str | None
    views: tuple[View, ...] = ()
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class Database:
    """One entry of ``settings.DATABASES``. Never carries a user, password or host.

    ``conn_max_age`` in seconds, None for connections that are kept for ever; ``pool`` is
    True where ``OPTIONS["pool"]`` asks for one; ``in_memory`` for an SQLite database
    without a file.
    """

    alias: str
    engine: str
    conn_max_age: float | None = 0
    conn_health_checks: bool = False
    pool: bool = False
    atomic_requests: bool = False
    in_memory: bool = False


@dataclass(frozen=True, slots=True)
class Cache:
    """One entry of ``settings.CACHES``; ``per_process`` where each process has its own."""

    alias: str
    backend: str
    per_process: bool = False


@dataclass(frozen=True, slots=True)
class ChannelLayer:
    """One entry of ``settings.CHANNEL_LAYERS``; ``per_process`` where each process has its own."""

    alias: str
    backend: str
    per_process: bool = False


@dataclass(frozen=True, slots=True)
class StaticFiles:
    """Who would serve ``STATIC_URL`` in production.

    ``served_by`` is ``whitenoise``, ``servestatic``, another middleware's or wrapper's
    dotted path, or None for nobody in the project (a proxy has to). ``evidence`` names the
    setting or the wrapper.
    """

    app_installed: bool
    url: str | None
    root: str | None
    storage: str | None
    served_by: str | None = None
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class TaskQueue:
    """A background worker that the project needs beside its web server."""

    name: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Services:
    """What the project talks to, as its loaded settings say."""

    databases: tuple[Database, ...] = ()
    caches: tuple[Cache, ...] = ()
    session_engine: str | None = None
    session_cache: str | None = None
    channel_layers: tuple[ChannelLayer, ...] = ()
    static: StaticFiles = StaticFiles(False, None, None, None)
    tasks: tuple[TaskQueue, ...] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine, as this process really has it.

    ``executable`` is this Python, which servers are started with.
    ``cpus`` is what the affinity mask and the cgroup quota leave (a fraction where the
    quota is one); ``memory`` in bytes, the lowest of physical memory and cgroup limits,
    None where the platform does not say. ``cpus_evidence`` and ``memory_evidence`` name
    the limit that decided. ``shared_memory`` is a writable memory-backed directory for
    heartbeat files, or None. ``installed`` maps distribution names (canonical, lower
    case) to versions, for those that servers ask about.
    """

    system: Literal["linux", "macos", "windows", "other"]
    executable: str
    python: str
    django: str
    cpus: float
    cpus_evidence: str
    memory: int | None
    memory_evidence: str
    container: str | None = None
    shared_memory: str | None = None
    installed: tuple[tuple[str, str], ...] = ()

    def version(self, distribution: str) -> str | None:
        """The installed version of ``distribution``, or None."""
        return dict(self.installed).get(distribution)


@dataclass(frozen=True, slots=True)
class Project:
    """Everything that is known of a project: the answer of ``inspect_project()``.

    ``base_dir`` is the directory that the project's packages are imported from;
    ``import_path`` those entries of ``sys.path`` that a server needs to import the same
    modules. ``conf`` is what ``settings.DEPLOYTOOL`` states and ``environment`` those
    environment variables that say how to serve (``PORT``, ``WEB_CONCURRENCY``, …).
    ``receivers`` listen to the start and end of requests. ``django_read`` is True where this
    Django is one whose source deploytool's handler was written from.
    """

    settings_module: str | None
    base_dir: str
    import_path: tuple[str, ...]
    debug: bool
    allowed_hosts: tuple[str, ...]
    installed_apps: tuple[str, ...]
    entrypoints: EntryPoints
    middleware: tuple[Middleware, ...]
    views: Views
    services: Services
    machine: Machine
    conf: Conf
    environment: tuple[tuple[str, str], ...] = ()
    receivers: tuple[Receiver, ...] = ()
    django_read: bool = True
