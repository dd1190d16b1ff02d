"""What a launched server would do: its interface, where it listens, workers, trust and times.

Defaults are those of the servers' documentation, as given in ``options.py``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploytool.project.facts import Interface, Location
    from deploytool.project.stack.facts import Environment, Launch, Option

_GUNICORN_WSGI = frozenset(
    {"sync", "gthread", "gevent", "gevent_wsgi", "gevent_pywsgi", "eventlet", "tornado"}
)
_LOOPBACK = re.compile(r"127(\.\d+){3}|localhost|::1|\[::1\]|ip6-localhost")


@dataclass(frozen=True, slots=True)
class Bind:
    """Where a server listens.

    ``host`` and ``port`` are None where they are only known when it runs; ``path`` is that
    of a Unix socket, ``inherited`` True for a descriptor that somebody else opened.
    ``protocol`` is ``http`` or ``uwsgi``. ``place`` is that of the option, or of the server
    where it is its default. ``written`` is the text that says so.
    """

    host: str | None
    port: int | None
    place: Location
    written: str
    path: str = ""
    inherited: bool = False
    protocol: Literal["http", "uwsgi", "fastcgi"] = "http"
    stated: bool = True

    @property
    def loopback(self) -> bool:
        """Whether only this machine, or this container, can reach it by TCP."""
        return not self.path and not self.inherited and bool(_LOOPBACK.fullmatch(self.host or ""))


def worker_class(launch: Launch) -> str | None:
    """Gunicorn's worker class; None where it is not known."""
    if launch.open("worker_class"):
        return None
    named = launch.value("worker_class") or "sync"
    threads = launch.number("threads") or 1
    # gunicorn.config.Config.worker_class: sync with threads is gthread.
    return "gthread" if named == "sync" and threads > 1 else named.removeprefix("egg:gunicorn#")


def served_interface(
    launch: Launch, base_of: Callable[[str], str | None] = lambda _: None
) -> Interface | Literal["rsgi", "either"] | None:
    """The interface that the server calls the application by; None where it cannot be told.

    ``base_of`` gives the class that a worker class of the project's own is derived from.
    """
    fixed: dict[str, Interface] = {"waitress": "wsgi", "uwsgi": "wsgi", "daphne": "asgi"}
    if launch.server in fixed:
        return fixed[launch.server]
    if launch.server == "uvicorn":
        if launch.open("interface"):
            return None
        return "wsgi" if launch.value("interface") == "wsgi" else "asgi"
    if launch.server == "granian":
        named = None if launch.open("interface") else launch.value("interface") or "rsgi"
        return {"asginl": "asgi", "asgi": "asgi", "wsgi": "wsgi", "rsgi": "rsgi"}.get(named or "")  # type: ignore[return-value]
    if launch.server == "hypercorn":
        return "either"
    if launch.server == "gunicorn":
        return _worker_interface(worker_class(launch), base_of)
    return None


def _worker_interface(named: str | None, base_of: Callable[[str], str | None]) -> Interface | None:
    for _ in range(5):
        if named is None:
            return None
        if named in _GUNICORN_WSGI:
            return "wsgi"
        if named == "asgi":
            return "asgi"
        if named.startswith(("uvicorn.", "uvicorn_worker.")):
            return "asgi"
        if named.startswith("gunicorn.workers."):
            return "asgi" if ".gasgi." in named else "wsgi"
        named = base_of(named)
    return None


def binds(launch: Launch, environment: Environment) -> tuple[Bind, ...]:
    """Where the server listens."""
    reader = {
        "gunicorn": _gunicorn,
        "uvicorn": _host_port,
        "daphne": _host_port,
        "granian": _host_port,
        "hypercorn": _hypercorn,
        "waitress": _waitress,
        "uwsgi": _uwsgi,
        "runserver": _runserver,
        "runserver_gateway": _runserver,
    }[launch.server]
    return tuple(reader(launch, environment))


def _default(launch: Launch, text: str = "127.0.0.1:8000") -> Bind:
    host, _, port = text.rpartition(":")
    return Bind(host, int(port), launch.place, text, stated=False)


def parse_bind(option: Option, text: str | None = None, default_port: int = 8000) -> Bind:
    """An address as Gunicorn and Hypercorn take it."""
    value = option.value if text is None else text
    written = text if text is not None else option.value or option.written
    raw = value if value is not None else option.written
    if raw.startswith("unix:"):
        path = raw.removeprefix("unix:")
        path = "/" + path.lstrip("/") if path.startswith("//") else path
        return Bind("", None, option.place, written, path=path)
    if raw.startswith("fd://"):
        return Bind("", None, option.place, written, inherited=True)
    raw = re.sub(r"^(tcp|http)://", "", raw)
    host, colon, port = raw.rpartition(":")
    if (raw.startswith("[") and raw.endswith("]")) or not colon:
        host, port = raw, str(default_port)
    if raw.isdecimal():  # a port alone is a host to Gunicorn, and means no address
        host, port = raw, str(default_port)
    return Bind(
        None if "$" in host else host.strip("[]"),
        int(port) if port.isdecimal() else None,
        option.place,
        written,
    )


def _of_list(options: list[Option]) -> list[tuple[Option, str | None]]:
    found: list[tuple[Option, str | None]] = []
    for option in options:
        if option.value is None:
            found.append((option, option.written or "?"))
        else:
            found += [(option, part.strip()) for part in option.value.split(",") if part.strip()]
    return found


def _gunicorn(launch: Launch, environment: Environment) -> list[Bind]:
    named = [option for option in launch.options if option.name == "bind"]
    if named:
        # Those of the command line replace those of the file.
        ranks = {"file": 0, "env": 1, "command": 2}
        highest = max(ranks[option.source] for option in named)
        named = [option for option in named if ranks[option.source] == highest]
        if named[0].source == "file" and named[-1].value is None:
            return [Bind(None, None, named[-1].place, named[-1].written)]
        return [parse_bind(option, text) for option, text in _of_list(named)]
    if launch.config_unknown:
        return []
    if "PORT" in environment.values or "PORT" in launch.env:
        port = launch.env.get("PORT", environment.get("PORT")) or ""
        number = int(port) if port.isdecimal() else None
        return [Bind("0.0.0.0", number, launch.place, "0.0.0.0:$PORT", stated=False)]  # noqa: S104
    return [_default(launch)]


def _host_port(launch: Launch, environment: Environment) -> list[Bind]:
    del environment
    for name in ("uds", "unix_socket"):
        if found := launch.option(name):
            path = found.value if found.value is not None else found.written
            return [Bind("", None, found.place, path, path=path)]
    if found := launch.option("fd"):
        return [Bind("", None, found.place, "fd", inherited=True)]
    if found := launch.option("endpoint"):
        return [_endpoint(found)]
    host, port = launch.option("host"), launch.option("port")
    place = (host or port).place if (host or port) else launch.place  # type: ignore[union-attr]
    text = host.value if host else "127.0.0.1"
    number = 8000 if port is None else int(port.value) if (port.value or "").isdecimal() else None  # type: ignore[arg-type]
    written = f"{_shown(host, '127.0.0.1')}:{_shown(port, '8000')}"
    if text is not None and "$" in text:
        text = None
    return [Bind(text, number, place, written, stated=host is not None)]


def _shown(option: Option | None, default: str) -> str:
    if option is None:
        return default
    return option.value if option.value is not None else option.written or "?"


def _endpoint(option: Option) -> Bind:
    """A Twisted endpoint: ``tcp:port=8000:interface=0.0.0.0``, ``unix:/run/x.sock``, ``fd:…``."""
    text = option.value if option.value is not None else option.written
    parts = re.split(r"(?<!\\):", text)
    fields = dict(part.partition("=")[::2] for part in parts[1:] if "=" in part)
    plain = [part for part in parts[1:] if "=" not in part]
    if parts[0] == "unix":
        path = fields.get("address") or (plain[0] if plain else "")
        return Bind("", None, option.place, text, path=path)
    if parts[0] in {"fd", "systemd"}:
        return Bind("", None, option.place, text, inherited=True)
    port = fields.get("port") or (plain[0] if plain else "")
    host = fields.get("interface", "").replace("\\", "") or "0.0.0.0"  # noqa: S104 - Twisted's
    number = int(port) if port.isdecimal() else None
    return Bind(None if "$" in host else host, number, option.place, text)


def _hypercorn(launch: Launch, environment: Environment) -> list[Bind]:
    del environment
    named = [o for o in launch.options if o.name in {"bind", "insecure_bind"}]
    if named:
        return [parse_bind(option, text) for option, text in _of_list(named)]
    return [] if launch.option("config") else [_default(launch)]


def _waitress(launch: Launch, environment: Environment) -> list[Bind]:
    del environment
    listens = [option for option in launch.options if option.name == "listen"]
    if listens:
        return [
            parse_bind(option, (option.value or option.written).replace("*:", "0.0.0.0:"))
            for option in listens
        ]
    if found := launch.option("unix_socket"):
        return [Bind("", None, found.place, found.value or "", path=found.value or "")]
    host, port = launch.option("host"), launch.option("port")
    text = host.value if host else "0.0.0.0"  # noqa: S104 - Waitress's default
    number = 8080 if port is None else int(port.value) if (port.value or "").isdecimal() else None  # type: ignore[arg-type]
    place = (host or port).place if (host or port) else launch.place  # type: ignore[union-attr]
    written = f"{_shown(host, '0.0.0.0')}:{_shown(port, '8080')}"  # noqa: S104
    return [Bind(text, number, place, written, stated=host is not None)]


def _uwsgi(launch: Launch, environment: Environment) -> list[Bind]:
    del environment
    found: list[Bind] = []
    protocols: dict[str, Literal["http", "uwsgi", "fastcgi"]] = {
        "http": "http",
        "http_socket": "http",
        "https": "http",
        "socket": "uwsgi",
        "fastcgi_socket": "fastcgi",
    }
    protocol = launch.value("protocol")
    for option in launch.options:
        if option.name not in protocols:
            continue
        kind = protocols[option.name]
        if option.name == "socket" and protocol == "http":
            kind = "http"
        text = (option.value if option.value is not None else option.written).partition(",")[0]
        if "/" in text or text.endswith(".sock"):
            found.append(Bind("", None, option.place, text, path=text, protocol=kind))
            continue
        host, _, port = text.rpartition(":")
        number = int(port) if port.isdecimal() else None
        # ":8000" and "8000" are every address.
        shown = None if "$" in host else host or "0.0.0.0"  # noqa: S104
        found.append(Bind(shown, number, option.place, text, protocol=kind))
    return found


def _runserver(launch: Launch, environment: Environment) -> list[Bind]:
    del environment
    option = launch.option("addrport")
    if option is None:
        # runserver_gateway binds as its plan says, which heeds $PORT and the container.
        return [] if launch.server == "runserver_gateway" else [_default(launch)]
    text = option.value if option.value is not None else option.written
    if text.isdecimal():
        return [Bind("127.0.0.1", int(text), option.place, text)]
    found = parse_bind(option, text)
    return [Bind("0.0.0.0", found.port, found.place, text)] if found.host == "0" else [found]  # noqa: S104


def workers(launch: Launch) -> int | None:
    """Processes that answer requests; None where that is not known."""
    name = "processes" if launch.server == "uwsgi" else "workers"
    if launch.open(name):
        return None
    return launch.number(name) or 1


def graceful(launch: Launch) -> tuple[float | None, Option | None]:
    """Seconds that requests in flight get when the server stops, and the option that says so.

    None for no limit, or where it is not known.
    """
    names = {
        "gunicorn": ("graceful_timeout", 30.0),
        "uvicorn": ("timeout_graceful_shutdown", None),
        "hypercorn": ("graceful_timeout", 3.0),
        "granian": ("workers_kill_timeout", None),
    }
    if launch.server not in names:
        return None, None
    name, default = names[launch.server]
    option = launch.option(name)
    if option is None:
        return (None if launch.config_unknown else default), None
    try:
        return float(option.value or ""), option
    except ValueError:
        return None, option


def trusted(launch: Launch) -> tuple[str | None, Option | None]:
    """The addresses whose ``X-Forwarded-*`` headers the server believes, and the option.

    ``""`` where it believes nobody, ``"*"`` everybody, None where it is not known.
    """
    if launch.server == "daphne":
        option = launch.option("proxy_headers")
        return ("*" if launch.switched("proxy_headers") else ""), option
    if launch.server in {"gunicorn", "uvicorn"}:
        if launch.server == "uvicorn" and launch.value("proxy_headers") == "false":
            return "", launch.option("proxy_headers")
        option = launch.option("forwarded_allow_ips")
        if option is None:
            return (None if launch.config_unknown else "127.0.0.1"), None
        return option.value, option
    return "", None
