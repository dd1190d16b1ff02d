"""What the project talks to: databases, caches, sessions, channel layers, static files, tasks.

Read from the loaded settings, never from the file that sets them. Classes are recognised
by their ancestors, so that a subclass counts as what it is. Nothing here connects to
anything, and no user, password or host ends up in a fact.
"""

from __future__ import annotations

import inspect
import os
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.db import connections
from django.urls import URLPattern, get_resolver
from django.utils.module_loading import import_string

from deploytool.project.facts import (
    Cache,
    ChannelLayer,
    Database,
    Services,
    StaticFiles,
)
from deploytool.project.tasks import inspect_tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploytool.project.facts import EntryPoints

# Each process that uses one of these has data of its own.
_PER_PROCESS_CACHES = {
    "django.core.cache.backends.locmem.LocMemCache",
    "django.core.cache.backends.dummy.DummyCache",
}
_PER_PROCESS_LAYERS = {"channels.layers.InMemoryChannelLayer"}

_CACHED_SESSIONS = {
    "django.contrib.sessions.backends.cache.SessionStore",
    "django.contrib.sessions.backends.cached_db.SessionStore",
}

# Packages whose classes serve static files, as middleware or around an entry point,
# and the classes of other packages that do.
_STATIC_PACKAGES = {"whitenoise", "servestatic"}
_STATIC_CLASSES = {
    "dj_static.Cling",
    "dj_static.MediaCling",
    "django.contrib.staticfiles.handlers.ASGIStaticFilesHandler",
    "django.contrib.staticfiles.handlers.StaticFilesHandler",
    "starlette.staticfiles.StaticFiles",
}
_STATIC_VIEW = "django.views.static.serve"


def inspect_services(entrypoints: EntryPoints) -> Services:
    """The services that the loaded settings name.

    ``entrypoints`` tells which applications are wrapped around Django's handler: some of
    them serve static files. Raises nothing for a backend that cannot be imported: its fact
    then rests on its dotted path alone.
    """
    engine, cache = _sessions()
    return Services(
        databases=tuple(_databases()),
        caches=tuple(
            Cache(alias, backend, bool(_PER_PROCESS_CACHES & set(ancestors(backend))))
            for alias, backend in _backends("CACHES")
        ),
        session_engine=engine,
        session_cache=cache,
        channel_layers=tuple(
            ChannelLayer(alias, backend, bool(_PER_PROCESS_LAYERS & set(ancestors(backend))))
            for alias, backend in _backends("CHANNEL_LAYERS")
        ),
        static=_static(entrypoints),
        tasks=inspect_tasks(entrypoints),
    )


def ancestors(path: str) -> tuple[str, ...]:
    """The dotted paths of the class ``path`` and its ancestors, nearest first.

    Only ``path`` itself where it cannot be imported or is not a class.
    """
    try:
        with warnings.catch_warnings():
            # What it warns of when it is imported, the server's log shows.
            warnings.simplefilter("ignore")
            found = import_string(path)
    except (Exception, SystemExit):  # whatever the user's module raises, the setting is still known
        return (path,)
    if not inspect.isclass(found):
        return (path,)
    return tuple(f"{cls.__module__}.{cls.__qualname__}" for cls in found.__mro__[:-1])


def entries(setting: str) -> dict[str, dict[str, Any]]:
    """The entries of a setting such as CACHES: alias to options, malformed ones left out."""
    value = getattr(settings, setting, None)
    if not isinstance(value, dict):
        return {}
    return {str(alias): entry for alias, entry in value.items() if isinstance(entry, dict)}


def _backends(setting: str) -> Iterator[tuple[str, str]]:
    for alias, entry in entries(setting).items():
        backend = entry.get("BACKEND")
        if inspect.isclass(backend):  # tolerated by some backends' loaders
            backend = f"{backend.__module__}.{backend.__qualname__}"
        if isinstance(backend, str):
            yield alias, backend


def _databases() -> Iterator[Database]:
    for alias, entry in entries("DATABASES").items():
        options = entry.get("OPTIONS")
        yield Database(
            alias=alias,
            # Django's own default for an entry without an engine.
            engine=str(entry.get("ENGINE") or "django.db.backends.dummy"),
            conn_max_age=_seconds(entry.get("CONN_MAX_AGE", 0)),
            conn_health_checks=bool(entry.get("CONN_HEALTH_CHECKS", False)),
            pool=isinstance(options, dict) and bool(options.get("pool")),
            atomic_requests=bool(entry.get("ATOMIC_REQUESTS", False)),
            in_memory=_in_memory(alias, str(entry.get("NAME") or "")),
        )


def _seconds(value: object) -> float | None:
    """A number of seconds; settings read from the environment may hold it as text."""
    if value is None:
        return None
    if isinstance(value, (int, float, str)):
        with suppress(ValueError):
            return float(value)
    return 0


def _in_memory(alias: str, name: str) -> bool:
    # The name first: loading a backend's driver only to learn its vendor is not free.
    if not (name == ":memory:" or "mode=memory" in name or name.startswith("file::memory:")):
        return False
    try:
        return connections[alias].vendor == "sqlite"
    except (Exception, SystemExit):  # Django's own checks report it
        return False


def _sessions() -> tuple[str | None, str | None]:
    """The session engine in use, and the alias of the cache that it keeps sessions in."""
    used = apps.is_installed("django.contrib.sessions") or any(
        ancestor.rpartition(".")[2] == "SessionMiddleware"
        for path in middleware()
        for ancestor in ancestors(path)
    )
    engine = settings.SESSION_ENGINE
    if not used or not isinstance(engine, str):
        return None, None
    cached = bool(_CACHED_SESSIONS & set(ancestors(f"{engine}.SessionStore")))
    return engine, settings.SESSION_CACHE_ALIAS if cached else None


def middleware() -> tuple[str, ...]:
    """``settings.MIDDLEWARE`` as dotted paths, whatever else it holds left out."""
    value = settings.MIDDLEWARE
    listed = value if isinstance(value, (list, tuple)) else ()
    return tuple(path for path in listed if isinstance(path, str))


def url_setting(name: str) -> object:
    """STATIC_URL or MEDIA_URL with the script name before it; None where Django cannot add it."""
    try:
        return getattr(settings, name, None)
    except Exception:  # LazySettings takes it for a string
        return None


def static_url() -> str | None:
    """``settings.STATIC_URL``; None where it is no text that is a URL."""
    url = url_setting("STATIC_URL")
    try:
        urlsplit(url if isinstance(url, str) else "")
    except ValueError:
        return None
    return url if isinstance(url, str) else None


def _static(entrypoints: EntryPoints) -> StaticFiles:
    root = settings.STATIC_ROOT
    storage = entries("STORAGES").get("staticfiles", {}).get("BACKEND")
    served_by, evidence = next(static_servers(entrypoints), (None, None))
    return StaticFiles(
        app_installed=apps.is_installed("django.contrib.staticfiles"),
        url=static_url(),
        root=os.fspath(root) if isinstance(root, (str, os.PathLike)) and root != "" else None,
        storage=storage if isinstance(storage, str) else None,
        served_by=served_by,
        evidence=evidence,
    )


def static_servers(entrypoints: EntryPoints) -> Iterator[tuple[str, str]]:
    """Everything in the project that would serve STATIC_URL, the outermost last: the name as
    in StaticFiles, and the evidence."""
    for index, path in enumerate(middleware()):
        if name := _static_server(ancestors(path)):
            yield name, f"settings.MIDDLEWARE[{index}]"
    for entry in (entrypoints.wsgi, entrypoints.asgi):
        for wrapper in entry.wrappers:
            if name := _static_server(_ancestors_of_wrapper(wrapper, entry.application)):
                yield name, f"{wrapper} around {entry.application}"
    prefix = urlsplit(static_url() or "").path.strip("/")
    for mount in entrypoints.asgi.mounts:
        if prefix and mount.path.strip("/") == prefix:
            yield mount.application, f"mounted by {entrypoints.asgi.application}"
    if prefix and _static_view(f"{prefix}/file"):
        yield _STATIC_VIEW, f"a route of {settings.ROOT_URLCONF}"


def _static_server(names: tuple[str, ...]) -> str | None:
    for name in names:
        package = name.partition(".")[0]
        if package in _STATIC_PACKAGES:
            return package
    return names[0] if _STATIC_CLASSES & set(names) else None


def _ancestors_of_wrapper(path: str, application: str | None) -> tuple[str, ...]:
    """As `ancestors`, but never imports an entry point into this process.

    An entry point may do anything when it is imported; the classes that it writes itself
    are known by their own names alone.
    """
    module = (application or "").partition(":")[0]
    return (path,) if module and path.startswith(f"{module}.") else ancestors(path)


def _static_view(path: str) -> bool:
    """Whether a route of the URLconf serves the static file ``path`` in production.

    Only the URLconf's own routes are looked at, by their view first: compiling the
    patterns of thousands of included routes would cost more than the answer is worth.
    """
    if settings.DEBUG:
        return False  # the same routes are the development server's, and tell nothing
    try:
        patterns = get_resolver().url_patterns
    except (Exception, SystemExit):  # a URLconf that cannot be imported is a fact about the views
        return False
    return any(
        isinstance(pattern, URLPattern)
        and _name(pattern.callback) == _STATIC_VIEW
        and pattern.resolve(path) is not None
        for pattern in patterns
    )


def _name(view: Callable[..., Any]) -> str:
    inner = inspect.unwrap(view)
    return f"{getattr(inner, '__module__', '')}.{getattr(inner, '__qualname__', '')}"
