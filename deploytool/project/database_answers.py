"""What a database answers when it is asked: limits, tables, migrations. Bounded in time.

Only the aliases that the command line names are asked. Each is asked through a connection
of its own, in a thread of its own: one that hangs is left behind.
"""

from __future__ import annotations

import copy
import threading
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.migrations.exceptions import (
    BadMigrationError,
    InconsistentMigrationHistory,
    NodeNotFoundError,
)
from django.db.migrations.executor import MigrationExecutor

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

LIMIT = 15.0
"""Seconds that one database may take to answer everything."""
_CONNECT = 5
"""Seconds, for the drivers that have such a limit."""

# PostgreSQL's documentation, "Connections and Authentication" and "pg_roles", "pg_database".
_POSTGRESQL_LIMITS = """
    SELECT current_setting('max_connections')::int,
        CASE WHEN rolsuper THEN 0 ELSE
            current_setting('superuser_reserved_connections')::int
            + coalesce(nullif(current_setting('reserved_connections', true), ''), '0')::int
        END,
        rolconnlimit,
        datconnlimit
    FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()
"""


@dataclass(frozen=True, slots=True)
class DatabaseAnswer:
    """What the database ``alias`` answered.

    ``error`` is why nothing could be asked. ``connections`` is how many the site may have at
    once, ``connections_evidence`` what limits them; None where the server has no limit or
    does not say. ``unapplied`` are the migrations still to be made, as ``app.name``;
    ``migrations_error`` is why they cannot be told. ``tables`` are its tables' names.
    """

    alias: str
    error: str | None = None
    connections: int | None = None
    connections_evidence: str = ""
    unapplied: tuple[str, ...] = ()
    migrations_error: str | None = None
    tables: frozenset[str] = frozenset()


def ask_databases(aliases: tuple[str, ...], limit: float = LIMIT) -> tuple[DatabaseAnswer, ...]:
    """Ask the databases ``aliases``, all at once; at most ``limit`` seconds. Raises nothing."""
    asked = [_Question(alias) for alias in aliases]
    for each in asked:
        each.start()
    return tuple(each.answer(limit) for each in asked)


class _Question(threading.Thread):
    def __init__(self, alias: str) -> None:
        # A daemon: the interpreter does not wait for one whose database never answers.
        super().__init__(name=f"deploycheck {alias}", daemon=True)
        self._alias = alias
        self._found = DatabaseAnswer(alias, error="")

    def run(self) -> None:
        try:
            self._found = _ask(self._alias)
        except (Exception, SystemExit) as error:
            text = (str(error).strip().splitlines() or [""])[0]
            self._found = DatabaseAnswer(self._alias, f"{type(error).__name__}: {text}")

    def answer(self, limit: float) -> DatabaseAnswer:
        self.join(limit)
        if self.is_alive():
            return DatabaseAnswer(self._alias, f"no answer within {limit:g} seconds")
        return self._found


def _ask(alias: str) -> DatabaseAnswer:
    wrapper = _connection(alias)
    if wrapper.vendor == "sqlite":
        # To connect would make an empty file.
        name = str(wrapper.settings_dict["NAME"])
        if not name.startswith("file:") and not Path(name).is_file():
            return DatabaseAnswer(alias, f"there is no file {name}")
    with closing(wrapper):
        wrapper.ensure_connection()
        answer = DatabaseAnswer(alias, tables=frozenset(wrapper.introspection.table_names()))
        with suppress(Exception):  # a server of another kind that speaks the same protocol
            number, evidence = _limit(wrapper)
            answer = replace(answer, connections=number, connections_evidence=evidence)
        return _migrations(wrapper, answer)


def _connection(alias: str) -> BaseDatabaseWrapper:
    """One of its own, which is closed when it is closed, whatever the settings say."""
    made: BaseDatabaseWrapper = connections.create_connection(alias)
    made.settings_dict = copy.deepcopy(made.settings_dict)
    options: dict[str, Any] = made.settings_dict["OPTIONS"]
    options.pop("pool", None)
    if made.vendor in {"postgresql", "mysql"}:
        options.setdefault("connect_timeout", _CONNECT)
    return made


def _limit(wrapper: BaseDatabaseWrapper) -> tuple[int | None, str]:
    with wrapper.cursor() as cursor:
        if wrapper.vendor == "postgresql":
            cursor.execute(_POSTGRESQL_LIMITS)
            most, reserved, role, database = cursor.fetchone()
            limits = [(most - reserved, f"max_connections is {most}, {reserved} of them reserved")]
            if role >= 0:
                limits.append((role, "the role's CONNECTION LIMIT"))
            if database >= 0:
                limits.append((database, "the database's CONNECTION LIMIT"))
            return min(limits)
        if wrapper.vendor == "mysql":
            cursor.execute("SELECT @@max_connections, @@max_user_connections")
            most, user = cursor.fetchone()
            if 0 < user < most:
                return user, f"max_user_connections is {user}"
            return most, f"max_connections is {most}"
    return None, ""


def _migrations(wrapper: BaseDatabaseWrapper, answer: DatabaseAnswer) -> DatabaseAnswer:
    """``answer``, with what ``migrate --check`` would find."""
    try:
        executor = MigrationExecutor(wrapper)
        executor.loader.check_consistent_history(wrapper)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except (
        BadMigrationError,
        ImproperlyConfigured,
        ImportError,
        InconsistentMigrationHistory,
        NodeNotFoundError,
        SyntaxError,
    ) as error:
        return replace(answer, migrations_error=f"{type(error).__name__}: {error}")
    return replace(
        answer, unapplied=tuple(f"{each.app_label}.{each.name}" for each, backwards in plan)
    )
