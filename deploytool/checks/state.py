"""State that processes have to share: channel layers, sessions, and what is counted in caches."""

from __future__ import annotations

import inspect
import os
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from django.core.cache import caches
from django.core.cache.backends.db import BaseDatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.utils.module_loading import import_string

from deploytool.checks.rule import Finding, rule
from deploytool.plan.interface import websocket_routes
from deploytool.project.services import ancestors, entries
from deploytool.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.core.cache.backends.base import BaseCache

    from deploytool.checks.case import Case
    from deploytool.checks.rule import Letter
    from deploytool.project.facts import Location

Reach = Literal["nothing", "process", "machine", "everything"]

_STORES = "django.contrib.sessions.backends"
_SESSION_MIDDLEWARE = "django.contrib.sessions.middleware.SessionMiddleware"
# Django's default for MAX_ENTRIES (its documentation, "Cache arguments").
_FEW_ENTRIES = 300

_SHARED_CACHE = (
    "Name a cache that all processes share in CACHES: "
    '"django.core.cache.backends.redis.RedisCache", Memcached\'s or DatabaseCache.'
)
_SHARED_LAYER = (
    "Use a layer that all processes share: pip install channels_redis, and "
    '"BACKEND": "channels_redis.core.RedisChannelLayer" with its "hosts" in CHANNEL_LAYERS.'
)


def processes(case: Case) -> str:
    """The processes that answer requests, as a message names them."""
    workers, replicas = case.plan.workers, case.deployment.replicas.value
    if replicas == 1:
        return f"{counted(workers, 'worker')}"
    each = counted(workers, "worker") + " in each of " if workers > 1 else ""
    return f"{each}{replicas} replicas"


def _cache(alias: str) -> BaseCache | None:
    """The cache of ``alias``; none is connected to. None where Django cannot make it."""
    with suppress(Exception, SystemExit):
        return caches[alias]
    return None


def _reach(cache: BaseCache | None) -> Reach:
    """How far what is kept in ``cache`` is seen; ``everything`` where that is not known."""
    if isinstance(cache, DummyCache):
        return "nothing"
    if isinstance(cache, LocMemCache):
        return "process"
    return "machine" if isinstance(cache, FileBasedCache) else "everything"


def _session_store(case: Case) -> tuple[str, ...]:
    """The class that keeps the sessions and its ancestors; empty where there are no sessions."""
    engine = case.project.services.session_engine
    return ancestors(f"{engine}.SessionStore") if engine else ()


def _keeps(case: Case, kind: str) -> bool:
    return f"{_STORES}.{kind}.SessionStore" in _session_store(case)


@rule(400, "EWI")
def channel_layer_of_one_process(case: Case) -> Iterator[Finding]:
    """The channel layer lives in one process, and its messages are for others.

    `CHANNEL_LAYERS` names Channels' in-memory layer (or a subclass of it), and consumers run
    in more than one process, or what sends to them runs in another: a background task, a
    management command, or a view that is served by WSGI.

    ## Why is this bad?
    Nothing fails and nothing is logged: a message reaches the consumers of the process that
    sends it, and nobody else. With three workers about a third of the clients hears it.

    ## Example
    ```python
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    ```

    ## Use instead
    ```python
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": [os.environ["REDIS_URL"]]},
        }
    }
    ```
    Or one worker and one replica, and nothing outside of them that sends.

    ## Source
    Channels' documentation, "Channel Layers", "In-Memory Channel Layer": not for production.
    """
    routes = websocket_routes(case.project)
    if not routes and not case.project.entrypoints.asgi.http_consumers:
        return
    where = case.set_at("CHANNEL_LAYERS")
    for layer in case.project.services.channel_layers:
        if not layer.per_process:
            continue
        named = f"The channel layer {layer.alias!r} lives in the memory of one process"
        uses = [use for use in case.layer_uses if use.alias == layer.alias]
        served = [use for use in uses if use.process == "server"]
        queued = bool(case.project.services.tasks)
        outside = [
            use for use in uses if use.process == "command" or (use.process == "task" and queued)
        ]
        if outside:
            yield Finding(
                f"{named}, and the {outside[0].process} at {outside[0].location} runs in "
                "another: what it sends reaches no consumer.",
                _SHARED_LAYER,
                outside[0].location,
                "W",
            )
        if not case.asgi:
            if served:
                yield Finding(
                    f"{named}. What {served[0].location} sends stays in the process of the "
                    "WSGI server, and consumers run in none of those.",
                    _SHARED_LAYER,
                    where,
                    "W",
                )
        elif case.processes > 1 and served:
            yield Finding(
                f"{named}, and there are {processes(case)}: what {served[0].location} sends "
                "reaches only the clients of its own process.",
                f"{_SHARED_LAYER} Or serve with one process.",
                where,
                "E",
            )
        elif case.processes > 1 or (queued and served and not outside):
            others = processes(case) if case.processes > 1 else "a worker for background tasks"
            yield Finding(
                f"{named}, and there is also {others}: no message would come through."
                if case.processes == 1
                else f"{named}, and there are {others}: no message would reach the others.",
                _SHARED_LAYER,
                where,
                "I",
            )


@rule(401, "E")
def sessions_of_one_process(case: Case) -> Iterator[Finding]:
    """Sessions are kept in the memory of one process, and there are several.

    `SESSION_ENGINE` keeps sessions in a cache, and that cache is local memory. It is what
    `CACHES` holds when it is not set.

    ## Why is this bad?
    Whoever is answered by another process than the one that logged them in is logged out
    there; with several workers that looks like chance. With `cached_db` a process that has
    read a session goes on with what it read: changes are lost, and who logs out in one
    process stays logged in in another.

    ## Example
    ```python
    SESSION_ENGINE = "django.contrib.sessions.backends.cache"  # and no CACHES
    ```

    ## Use instead
    ```python
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": os.environ["REDIS_URL"],
        }
    }
    ```
    Or `SESSION_ENGINE = "django.contrib.sessions.backends.db"`, which is Django's default.

    ## Source
    Django's documentation, "How to use sessions", "Using cached sessions": the local-memory
    cache is not multi-process safe, and so no good choice for production.
    """
    alias = case.project.services.session_cache
    if alias is None or case.processes == 1 or _reach(_cache(alias)) != "process":
        return
    what = (
        "a process that has read a session does not see what another changes in it, nor that "
        "its user has logged out"
        if _keeps(case, "db")
        else "who is answered by another process than before is logged out"
    )
    yield Finding(
        f"Sessions are kept in CACHES[{alias!r}], which is the memory of one process, and there "
        f"are {processes(case)}: {what}.",
        f'{_SHARED_CACHE} Or keep sessions in the database: SESSION_ENGINE = "{_STORES}.db".',
        case.set_at("SESSION_ENGINE"),
    )


@rule(402, "E")
def sessions_of_nothing(case: Case) -> Iterator[Finding]:
    """Sessions are kept in a cache that keeps nothing.

    `SESSION_ENGINE` keeps sessions in a cache only, and that cache is the dummy one.

    ## Why is this bad?
    No session outlives its request: nobody can log in.

    ## Example
    ```python
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    SESSION_ENGINE = "django.contrib.sessions.backends.cache"
    ```

    ## Use instead
    A cache that keeps what it is given, or
    `SESSION_ENGINE = "django.contrib.sessions.backends.db"`.

    ## Source
    Django's documentation, "Django's cache framework", "Dummy caching (for development)".
    """
    alias = case.project.services.session_cache
    if alias is None or _keeps(case, "db") or _reach(_cache(alias)) != "nothing":
        return
    yield Finding(
        f"Sessions are kept in CACHES[{alias!r}], the dummy cache, which keeps nothing: nobody "
        "can log in.",
        f'{_SHARED_CACHE} Or keep sessions in the database: SESSION_ENGINE = "{_STORES}.db".',
        case.set_at("SESSION_ENGINE"),
    )


@rule(403, "W")
def sessions_are_culled(case: Case) -> Iterator[Finding]:
    """The cache that keeps the sessions throws them out from its 300th entry on.

    Sessions are kept in a cache only, and that cache is one of those that count their
    entries (local memory, files, database) with Django's default of 300.

    ## Why is this bad?
    From then on a third of all entries is thrown away again and again, sessions of people
    who are logged in among them.

    ## Example
    ```python
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "cache",
        }
    }
    SESSION_ENGINE = "django.contrib.sessions.backends.cache"
    ```

    ## Use instead
    `SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"`, which has them in the
    database as well; or `"OPTIONS": {"MAX_ENTRIES": ...}`, more than there will be sessions.

    ## Source
    Django's documentation, "Cache arguments", `MAX_ENTRIES` and `CULL_FREQUENCY`.
    """
    alias = case.project.services.session_cache
    if alias is None or _keeps(case, "db"):
        return
    cache = _cache(alias)
    if not isinstance(cache, BaseDatabaseCache | FileBasedCache | LocMemCache):
        return
    limit = getattr(cache, "_max_entries", None)
    if isinstance(limit, int) and limit <= _FEW_ENTRIES:
        yield Finding(
            f"Sessions are kept in CACHES[{alias!r}] and nowhere else, and it holds {limit} "
            "entries: with more, part of them is thrown away, and their users are logged out.",
            f'SESSION_ENGINE = "{_STORES}.cached_db" keeps them in the database too; or set '
            f'"MAX_ENTRIES" in the OPTIONS of CACHES[{alias!r}].',
            case.set_at("CACHES"),
        )


@rule(404, "E")
def sessions_cannot_be_kept(case: Case) -> Iterator[Finding]:
    """The session engine cannot be used.

    `SESSION_ENGINE` cannot be imported, its cache is not in `CACHES` or cannot be made, or
    its table belongs to an app that is not installed.

    ## Why is this bad?
    `SessionMiddleware` stands in `MIDDLEWARE`: every request fails, or every one that uses
    its session. `manage.py check` does not look at it.

    ## Example
    ```python
    SESSION_ENGINE = "django.contrib.sessions.backends.cache"
    SESSION_CACHE_ALIAS = "sessions"  # and CACHES has "default" only
    ```

    ## Use instead
    An alias that `CACHES` has; `"django.contrib.sessions"` in `INSTALLED_APPS`, unless
    sessions are kept without a table.

    ## Source
    Django's documentation, "How to use sessions", "Configuring the session engine";
    `django/contrib/sessions/middleware.py`.
    """
    engine = case.project.services.session_engine
    if engine is None or not any(
        _SESSION_MIDDLEWARE in {entry.path, entry.known, *entry.bases}
        for entry in case.project.middleware
    ):
        return
    if problem := _engine_problem(case, engine):
        yield Finding(
            f"The session engine {engine} cannot be used: {problem}.",
            "Mend SESSION_ENGINE or what it needs: a cache named by SESSION_CACHE_ALIAS, or "
            '"django.contrib.sessions" in INSTALLED_APPS.',
            case.set_at("SESSION_ENGINE"),
        )


def _engine_problem(case: Case, engine: str) -> str | None:
    try:
        store = import_module(engine).SessionStore
        if alias := case.project.services.session_cache:
            caches[alias]
        # The database's store and those that derive from it: their model may not be installed.
        if _keeps(case, "db"):
            store.get_model_class()
    except (Exception, SystemExit) as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(".")
    return None


@rule(405, "WI")
def sessions_of_one_machine(case: Case) -> Iterator[Finding]:
    """Sessions are kept in files, and the server runs in several replicas or in a container.

    The session engine, or the cache that it uses, keeps them in a directory of the machine
    that the server runs on.

    ## Why is this bad?
    Replicas on other machines, or in containers of their own, do not see the files: whoever
    is answered by another replica is logged out. In a container they are gone with it, so
    that each release logs everybody out. Both are right where the directory is a volume that
    all replicas share.

    ## Example
    ```python
    SESSION_ENGINE = "django.contrib.sessions.backends.file"
    ```

    ## Use instead
    `SESSION_ENGINE = "django.contrib.sessions.backends.db"`, or a cache that all share.

    ## Source
    Django's documentation, "Using file-based sessions" and "Filesystem caching".
    """
    alias = case.project.services.session_cache
    cached = alias is not None and _reach(_cache(alias)) == "machine" and not _keeps(case, "db")
    if not cached and not _keeps(case, "file"):
        return
    where = case.set_at("SESSION_ENGINE")
    what = f"Sessions are kept in files (CACHES[{alias!r}])" if cached else "Sessions are files"
    replicas = case.deployment.replicas.value
    hint = f'Keep them in the database, SESSION_ENGINE = "{_STORES}.db", or in a shared cache.'
    if replicas > 1:
        yield Finding(
            f"{what}, and there are {replicas} replicas: unless these share the directory, who is "
            "answered by another replica than before is logged out.",
            hint,
            where,
            "W",
        )
    elif case.deployment.container.value:
        yield Finding(
            f"{what}, and the server runs in a container: unless their directory is a volume, "
            "each release logs everybody out.",
            hint,
            where,
            "I",
        )


@rule(406, "WI")
def counted_by_each_process(case: Case) -> Iterator[Finding]:
    """What all processes have to count together is kept in a cache that each has for itself.

    A rate limit (a throttle of Django REST framework or Django Ninja that a view uses), a
    lock (`if cache.add(...)`) or a counter (`cache.incr(...)`, or a number that is read and
    written back) is kept in local memory while there are several processes, in files while
    there are several replicas, or in the dummy cache. At the level INFO: what is deleted
    from such a cache so that nobody sees it any more stays in the other processes.

    ## Why is this bad?
    With four workers a limit of ten a minute is one of forty, a lock is given to four at
    once, and a counter shows one of four numbers.

    ## Example
    ```python
    # CACHES is not set: local memory
    if cache.add("invoices-running", True, timeout=600):
        send_invoices()
    ```

    ## Use instead
    A cache that all processes share, such as Redis; in `CACHES` beside the local one if that
    is wanted, and `caches["shared"].add(...)`.

    ## Source
    Django's documentation, "Local-memory caching": each process has its own private cache
    instance. Django REST framework's documentation, "Throttling", "Setting up the cache".
    """
    for throttle in case.throttles:
        reach = _reach(_cache(throttle.alias))
        what = f"The rate limit {throttle.name} (route {throttle.route!r}) counts"
        location = throttle.location
        own = location is not None and not os.path.isabs(location.path)
        yield from _apart(case, throttle.alias, reach, what, location if own else None, "limit")
    for use in case.cache_uses:
        reach = _reach(_cache(use.alias))
        what = f"{use.call} at {use.location} keeps a {use.kind}"
        if use.kind == "invalidation":
            if reach == "process" and case.processes > 1:
                yield Finding(
                    f"{use.call} at {use.location} takes something out of CACHES[{use.alias!r}], "
                    "which is the memory of one process: with "
                    f"{processes(case)} the others keep it until it expires.",
                    _SHARED_CACHE,
                    use.location,
                    "I",
                )
        else:
            yield from _apart(case, use.alias, reach, what, use.location, use.kind)


_APART = {
    "limit": "so many times as much is let through",
    "lock": "each of them can have it at once",
    "counter": "each of them counts by itself",
}
_NOTHING = {
    "limit": "it is never reached",
    "lock": "everybody gets it",
    "counter": "it counts nothing",
}


def _apart(
    case: Case, alias: str, reach: Reach, what: str, location: Location | None, kind: str
) -> Iterator[Finding]:
    where = location or case.set_at("CACHES")
    level: Letter = "W"
    if reach == "nothing":
        text = (
            f"{what} in CACHES[{alias!r}], the dummy cache, which keeps nothing: {_NOTHING[kind]}."
        )
    elif reach == "process" and case.processes > 1:
        text = (
            f"{what} in CACHES[{alias!r}], which is the memory of one process, and there are "
            f"{processes(case)}: {_APART[kind]}."
        )
    elif reach == "machine" and case.deployment.replicas.value > 1:
        text = (
            f"{what} in CACHES[{alias!r}], in files, and there are "
            f"{case.deployment.replicas.value} replicas: unless these share the directory, "
            f"{_APART[kind]}."
        )
    else:
        return
    yield Finding(text, _SHARED_CACHE, where, level, rests_on="CACHES")


@rule(407, "EW")
def channel_layer_cannot_be_made(case: Case) -> Iterator[Finding]:
    """A channel layer cannot be made as its settings say.

    The `BACKEND` of an entry of `CHANNEL_LAYERS` is missing or cannot be imported, or its
    `CONFIG` has what that backend does not take.

    ## Why is this bad?
    Every consumer asks for its layer when a client connects: every WebSocket connection
    fails. So does code that calls `get_channel_layer()`. No check of Channels looks at it.

    ## Example
    ```python
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"host": "redis://redis:6379"},
        }
    }
    ```

    ## Use instead
    `"CONFIG": {"hosts": ["redis://redis:6379"]}`, and channels_redis among the requirements.

    ## Source
    Channels' documentation, "Channel Layers"; `channels/layers.py`.
    """
    routes = websocket_routes(case.project)
    for alias, entry in entries("CHANNEL_LAYERS").items():
        problem = _layer_problem(entry)
        used = [use for use in case.layer_uses if use.alias == alias] if problem else []
        connecting = case.asgi and bool(routes) and (alias == "default" or bool(used))
        if problem is None or not (connecting or used):
            continue
        follows = (
            "every WebSocket connection fails"
            if connecting
            else f"{used[0].location} fails when it is reached"
        )
        yield Finding(
            f"The channel layer {alias!r} cannot be made: {problem}; {follows}.",
            "Mend the entry in CHANNEL_LAYERS, or install the package that its BACKEND is of.",
            case.set_at("CHANNEL_LAYERS"),
            "E" if connecting else "W",
        )


def _layer_problem(entry: dict[str, Any]) -> str | None:
    """Why ``ChannelLayerManager.make_backend()`` would fail; the layer itself is not made."""
    if "ROUTING" in entry:
        return "it has ROUTING, which Channels 2 did away with"
    backend, config = entry.get("BACKEND"), entry.get("CONFIG", {})
    if not isinstance(backend, str):
        return "it has no BACKEND"
    try:
        cls = import_string(backend)
    except (Exception, SystemExit) as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(".")
    if not isinstance(config, dict):
        return f"its CONFIG is {config!r}, which is no dictionary"
    with suppress(ValueError):  # a class without a signature
        try:
            inspect.signature(cls).bind(**config)
        except TypeError as error:
            return f"its CONFIG does not fit {backend}: {error}"
    return None


@rule(408, "E")
def channel_layer_missing(case: Case) -> Iterator[Finding]:
    """A consumer uses a channel layer, and there is none.

    A consumer calls `self.channel_layer.group_add()` or `group_send()`, or lists `groups`,
    and `CHANNEL_LAYERS` has no entry for it.

    ## Why is this bad?
    `self.channel_layer` is then None: `'NoneType' object has no attribute 'group_add'`, and
    with `groups` `InvalidChannelLayerError: BACKEND is unconfigured or doesn't support
    groups`, for every client that connects.

    ## Example
    A consumer that joins a group, and settings without `CHANNEL_LAYERS`.

    ## Use instead
    ```python
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": [os.environ["REDIS_URL"]]},
        }
    }
    ```

    ## Source
    Channels' documentation, "Channel Layers"; `get_channel_layer()` in `channels/layers.py`.
    """
    if not case.asgi:
        return
    configured = entries("CHANNEL_LAYERS")
    modules = {route.consumer.rpartition(".")[0] for route in websocket_routes(case.project)}
    for use in case.layer_uses:
        module = use.location.path.removesuffix(".py").replace("/", ".")
        routed = any(module == each or module.endswith(f".{each}") for each in modules)
        if use.attribute and routed and use.alias not in configured:
            yield Finding(
                f"The consumer at {use.location} uses the channel layer {use.alias!r}, and "
                "CHANNEL_LAYERS has none of that name: every connection to it fails.",
                f'Add "{use.alias}" to CHANNEL_LAYERS. {_SHARED_LAYER}',
                use.location,
            )
            return
