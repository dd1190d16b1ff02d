"""How the loaded settings connect to each database, beyond what is a fact of the project.

Nothing connects here, and the name of a host, a user or a password ends up nowhere.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connections

from deploytool.project.definitions import class_attribute

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.backends.base.base import BaseDatabaseWrapper

# Django's own backends: what they do when they are asked for their parameters is known.
_DJANGOS = ("django.db.backends.", "django.contrib.gis.db.backends.")
_LOCKING_MODES = {"IMMEDIATE", "EXCLUSIVE"}
# psycopg_pool's documentation, "ConnectionPool": min_size, and max_size where None.
_POOL_SIZE = 4
_POOL_TIMEOUT = 30.0
# PgBouncer's documentation, listen_port.
_PGBOUNCER_PORT = 6432
_POOLER = re.compile(r"(?:^|[-_.])(pgbouncer|pooler)(?=[-_.]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """One entry of DATABASES, as Django understands it.

    ``vendor`` is ``postgresql``, ``mysql``, ``oracle``, ``sqlite`` or what another backend
    calls itself, None where its backend cannot be loaded. ``server`` is equal for entries on
    the same server. ``refusal`` is what Django says to these settings when it connects.
    ``pool_size`` is the most connections that ``OPTIONS["pool"]`` holds in a process,
    ``pool_sized`` whether it says so itself, and ``pool_timeout`` how many seconds a thread
    waits for one. ``pooler`` says what looks as if a connection pooler answered in the place
    of the server; ``server_side_cursors`` and ``prepared_statements`` whether Django uses
    these. ``file`` is SQLite's; ``locks_first`` whether its transactions take the write lock
    when they begin; ``read_only`` whether it is opened so.
    """

    alias: str
    vendor: str | None
    server: int = 0
    refusal: str | None = None
    pool_size: int | None = None
    pool_sized: bool = False
    pool_timeout: float = _POOL_TIMEOUT
    pooler: str | None = None
    server_side_cursors: bool = False
    prepared_statements: bool = False
    file: str | None = None
    locks_first: bool = False
    read_only: bool = False


def inspect_databases() -> tuple[DatabaseSettings, ...]:
    """Every entry of DATABASES but those without a backend; nothing that they hold raises."""
    try:
        aliases = list(connections.settings)
    except Exception:  # DATABASES is not a dictionary of dictionaries: Django's to say
        return ()
    found = (_database(alias) for alias in aliases)
    return tuple(each for each in found if each is not None)


def _database(alias: str) -> DatabaseSettings | None:
    entry: dict[str, Any] = connections.settings[alias]
    if entry["ENGINE"] == "django.db.backends.dummy":
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wrapper = connections[alias]
            refusal = _refusal(wrapper)
    except (Exception, SystemExit) as error:
        return DatabaseSettings(alias, None, refusal=_first_line(error))
    options = entry.get("OPTIONS")
    options = options if isinstance(options, dict) else {}
    pool = options.get("pool")
    name = str(entry.get("NAME") or "")
    postgresql, sqlite = wrapper.vendor == "postgresql", wrapper.vendor == "sqlite"
    return DatabaseSettings(
        alias=alias,
        vendor=wrapper.vendor,
        server=hash((wrapper.vendor, str(entry.get("HOST")), str(entry.get("PORT")))),
        refusal=refusal,
        pool_size=_pool_size(pool) if postgresql and pool else None,
        pool_sized=isinstance(pool, dict) and not {"min_size", "max_size"}.isdisjoint(pool),
        pool_timeout=_number(pool, "timeout", _POOL_TIMEOUT),
        pooler=_pooler(entry) if postgresql else None,
        server_side_cursors=postgresql and not entry.get("DISABLE_SERVER_SIDE_CURSORS"),
        prepared_statements=postgresql and options.get("prepare_threshold") is not None,
        file=name if sqlite and "memory" not in name else None,
        locks_first=sqlite and _locks_first(wrapper, options),
        read_only=sqlite and ("mode=ro" in name or "immutable=1" in name),
    )


def _refusal(wrapper: BaseDatabaseWrapper) -> str | None:
    """What makes every connection fail before anything is sent; None where nothing does."""
    age = wrapper.settings_dict["CONN_MAX_AGE"]
    if not (age is None or isinstance(age, int | float)):
        # BaseDatabaseWrapper.connect() adds it to the time (django/db/backends/base/base.py).
        return f"CONN_MAX_AGE is {age!r}, which is no number"
    if not type(wrapper).__module__.startswith(_DJANGOS):
        return None  # to be asked may cost it anything: some fetch a password from elsewhere
    try:
        wrapper.get_connection_params()
        # Made, not opened: it connects when the first connection is wanted.
        getattr(wrapper, "pool", None)
    except Exception as error:
        return _first_line(error)
    return None


def _first_line(error: BaseException) -> str:
    line = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {line.rstrip('.')}"


def _pool_size(pool: object) -> int:
    least = int(_number(pool, "min_size", _POOL_SIZE))
    return max(1, int(_number(pool, "max_size", least)))


def _number(options: object, name: str, default: float) -> float:
    value = options.get(name) if isinstance(options, dict) else None
    return value if isinstance(value, int | float) else default


def _pooler(entry: Mapping[str, Any]) -> str | None:
    if str(entry.get("PORT")) == str(_PGBOUNCER_PORT):
        return f"its port is {_PGBOUNCER_PORT}, which is PgBouncer's"
    if found := _POOLER.search(str(entry.get("HOST") or "")):
        return f"its host is called {found[1].lower()!r}"
    return None


def _locks_first(wrapper: BaseDatabaseWrapper, options: Mapping[str, Any]) -> bool:
    """Whether ``atomic()`` begins by taking the lock that only one writer can have."""
    if str(options.get("transaction_mode") or "").upper() in _LOCKING_MODES:
        return True
    begin = class_attribute(type(wrapper), "_start_transaction_under_autocommit")
    module = getattr(begin, "__module__", "")
    return not module.startswith(_DJANGOS)
