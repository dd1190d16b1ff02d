"""The only reader of ``settings.DEPLOYTOOL``: validated, typed, documented.

Every key is optional. What is set here stands above the environment and above what is
detected, and below a command-line option; the plan says which of them decided.
"""

from __future__ import annotations

import difflib
import types
import typing
from dataclasses import dataclass, fields
from typing import Any, Literal

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from deploytool.handlers.options import DEFAULT_THREAD_TIMEOUT, Optimisation
from deploytool.servers import SERVERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    """``settings.DEPLOYTOOL`` with its keys in lower case; None where a key is not set."""

    interface: Literal["wsgi", "asgi"] | None = None
    """``"wsgi"`` or ``"asgi"``, instead of what the project is found to need."""
    server: str | None = None
    """The name of a server, instead of the first installed one that fits."""
    bind: str | None = None
    """``"127.0.0.1:8000"``, ``"[::1]:8000"``, ``"8000"`` or ``"unix:/run/site.sock"``."""
    workers: int | None = None
    """Number of server processes, at least 1."""
    threads: int | None = None
    """Threads of each process, for servers that have them; at least 1."""
    keepalive: int | None = None
    """Seconds that an idle connection is kept open for its next request."""
    timeout: int | None = None
    """Seconds after which a worker that gives no sign of life is replaced."""
    graceful_timeout: int | None = None
    """Seconds that requests in flight are given to end when the server stops."""
    max_requests: int | None = None
    """Requests after which a worker is replaced; 0 for never."""
    forwarded_allow_ips: str | None = None
    """Addresses of the proxies whose ``X-Forwarded-*`` headers are trusted, with commas."""
    lifespan: Literal["auto", "on", "off"] | None = None
    """Whether the server sends ASGI lifespan events."""
    websocket: str | None = None
    """The WebSocket implementation, for servers that have several."""
    worker_tmp_dir: str | None = None
    """Directory of the workers' heartbeat files."""
    control_socket: str | None = None
    """Path of the server's control socket; without it the socket is switched off."""
    access_log: bool | None = None
    """Whether each request is logged to standard output."""
    reload: bool | None = None
    """Whether the server restarts when the code changes."""
    http2: bool | None = None
    """Whether HTTP/2 has to be served; needs ``CERTFILE`` and ``KEYFILE``."""
    certfile: str | None = None
    """Path of the TLS certificate (PEM, with its chain)."""
    keyfile: str | None = None
    """Path of the TLS certificate's private key (PEM)."""
    entrypoint_timeout: float = 10.0
    """Seconds that importing an entry point may take when it is inspected."""
    asgi_handler: Literal["django", "deploytool"] | None = None
    """Whose handler ``deployfiles asgi`` writes into ``asgi.py``; Django's without it."""
    asgi_threads: int | None = None
    """The most threads that deploytool's handler uses in a process, at least 1."""
    asgi_thread_timeout: float = DEFAULT_THREAD_TIMEOUT
    """Seconds that a request waits for one of these threads before it is answered 503."""
    asgi_handler_off: tuple[Optimisation, ...] = ()
    """Optimisations of deploytool's handler that are not to be used, by their names."""
    replicas: int | None = None
    """Copies of the whole server that run at once, for ``deploycheck``."""
    proxy: str | None = None
    """The address that the reverse proxy connects from; ``""`` where there is none."""
    tls: Literal["proxy", "server", "none"] | None = None
    """Who ends TLS; ``"none"`` for a site on plain HTTP."""
    container: bool | None = None
    """Whether the server runs in a container."""
    mount: str | None = None
    """The path that the site is mounted at, ``"/"`` for a site of its own."""
    stop_grace: int | None = None
    """Seconds between the signal to stop and the kill."""
    static: Literal["application", "server", "proxy", "elsewhere"] | None = None
    """Who serves static files: a middleware or route of the application, the server by an
    option of its own, the proxy, or another host."""


_HINTS = typing.get_type_hints(Conf)
_MINIMUM = {
    "workers": 1,
    "threads": 1,
    "keepalive": 0,
    "timeout": 0,
    "graceful_timeout": 0,
    "max_requests": 0,
    "entrypoint_timeout": 0.1,
    "asgi_threads": 1,
    "replicas": 1,
    "stop_grace": 0,
    "asgi_thread_timeout": 0.1,
}
_TYPE_NAMES = {str: "a string", int: "a whole number", float: "a number", bool: "True or False"}


def read_conf() -> Conf:
    """Read and validate ``settings.DEPLOYTOOL``.

    Raises ImproperlyConfigured for a value that is not a dictionary, an unknown key (with
    the nearest valid one) or a value of the wrong type.
    """
    stated = getattr(settings, "DEPLOYTOOL", {})
    if not isinstance(stated, dict):
        raise ImproperlyConfigured(
            f"settings.DEPLOYTOOL has to be a dictionary, not {type(stated).__name__}."
        )
    return Conf(**{_field(key): _value(key, value) for key, value in stated.items()})


def _field(key: object) -> str:
    names = [field.name.upper() for field in fields(Conf)]
    if key in names:
        return str(key).lower()
    near = difflib.get_close_matches(str(key).upper(), names, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]!r}?" if near else f"Valid keys: {', '.join(sorted(names))}."
    raise ImproperlyConfigured(f"settings.DEPLOYTOOL has an unknown key {key!r}. {hint}")


def _value(key: str, value: Any) -> Any:
    """``value`` when it is of the type that Conf states for ``key``."""
    name = key.lower()
    if name == "asgi_handler_off":
        return _names(key, value, typing.get_args(Optimisation))
    kinds = list(typing.get_args(_HINTS[name]) or [_HINTS[name]])
    choices = [c for kind in kinds for c in typing.get_args(kind)]
    if name == "server":
        choices = [server.name for server in SERVERS]
    if choices:
        _choice(key, value, choices)
        return value
    kind = next(kind for kind in kinds if kind is not types.NoneType)
    accepted = (int, float) if kind is float else (kind,)
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise ImproperlyConfigured(
            f"settings.DEPLOYTOOL[{key!r}] has to be {_TYPE_NAMES[kind]}, not {value!r}."
        )
    if name in _MINIMUM and value < _MINIMUM[name]:
        raise ImproperlyConfigured(
            f"settings.DEPLOYTOOL[{key!r}] has to be at least {_MINIMUM[name]}, not {value!r}."
        )
    return value


def _names(key: str, value: object, choices: tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise ImproperlyConfigured(
            f"settings.DEPLOYTOOL[{key!r}] has to be a list of names, not {value!r}."
        )
    for name in value:
        _choice(key, name, list(choices))
    return tuple(value)


def _choice(key: str, value: object, choices: list[str]) -> None:
    if value in choices:
        return
    near = difflib.get_close_matches(str(value).lower(), choices, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ImproperlyConfigured(
        f"settings.DEPLOYTOOL[{key!r}] has to be one of "
        f"{', '.join(map(repr, choices))}, not {value!r}.{hint}"
    )
