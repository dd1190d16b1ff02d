"""The database connections of a thread, which outlive the request that opened them.

``django.db.connections`` is kept by thread: what is called *in the thread* speaks of the
connections of the thread that calls it. The rest only reads attributes of connections that
nobody uses at the moment.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from django.db import close_old_connections, connections
from django.utils.functional import cached_property

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from django.db.backends.base.base import BaseDatabaseWrapper

_BACKENDS = ("django.db.backends.", "django.contrib.gis.db.backends.")
# Statements after which a session is as it was before. What else there is (SET, LISTEN,
# CREATE TEMPORARY TABLE, ...) may be meant for the statements of the same request.
_PLAIN = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "SAVEPOINT", "RELEASE", "ROLLBACK")
# Functions that change a session from inside of a SELECT (PostgreSQL: set_config(),
# pg_advisory_lock(); MySQL: GET_LOCK()).
_CHANGING = ("set_config", "advisory", "get_lock", "SET_CONFIG", "ADVISORY", "GET_LOCK")
# What Django's backends note when they connect (get_connection_params(), get_new_connection()
# and init_connection_state() of PostgreSQL, MySQL, SQLite and Oracle in Django 6.1).
_WHEN_CONNECTED = (
    "init_commands",
    "isolation_level",
    "operators",
    "pattern_ops",
    "transaction_mode",
)
_ATTRIBUTES: dict[type, set[str]] = {}


class Watch:
    """An ``execute_wrapper()`` that sees what a request leaves behind in a connection.

    https://docs.djangoproject.com/en/stable/topics/db/instrumentation/
    """

    __slots__ = ("_cursors", "changed")

    def __init__(self) -> None:
        self.changed = False
        self._cursors: WeakSet[Any] = WeakSet()

    def __call__(
        self,
        execute: Callable[..., Any],
        sql: Any,
        params: Any,
        many: bool,
        context: dict[str, Any],
    ) -> Any:
        """Note the cursor and what kind of statement it is, and execute."""
        self._cursors.add(context["cursor"])
        if not self.changed:
            # Anything but a string is put together by the driver, and cannot be read here.
            self.changed = not isinstance(sql, str) or (
                not sql.lstrip(" \t\r\n(").upper().startswith(_PLAIN)
                or any(name in sql for name in _CHANGING)
            )
        return execute(sql, params, many, context)

    @property
    def has_cursor(self) -> bool:
        """Whether somebody may still read the rows of a statement."""
        return bool(self._cursors)

    def take_cursors(self) -> list[Any]:
        """The driver's cursors that are still held, which their holders can no longer close."""
        taken = []
        for wrapper in list(self._cursors):
            taken.append(wrapper.cursor)
            wrapper.cursor = _CLOSED
        return taken


class _ClosedCursor:
    """What stands in for a cursor that was taken from its holder."""

    def close(self) -> None:
        """Do nothing: it is closed."""


_CLOSED = _ClosedCursor()


def tidy() -> None:
    """In the thread: a request is over; close what is not to be kept for another one.

    A generator that reads rows (``aiterator()`` of a stream whose client left) may be held
    by a cycle for as long as nothing collects it, with its cursor. Closing that cursor takes
    the lock of psycopg's connection: a collection inside of the next request's query would
    wait for that very query. So it is closed here, and its holder is left with nothing to
    close.
    """
    for connection in connections.all(initialized_only=True):
        seen = _watch_of(connection)
        for cursor in seen.take_cursors() if seen else ():
            with suppress(Exception):  # of a connection that broke, say
                cursor.close()
    close_old_connections()


def watch() -> None:
    """In the thread, before its first request: watch what its connections will be used for.

    None is opened. One whose backend cannot be loaded is left for whoever uses it.
    """
    for alias in connections:
        with suppress(Exception):
            connections[alias].execute_wrappers.append(Watch())


def begin() -> None:
    """In the thread: a request begins that has nothing to do with the former one.

    Connections that the former one left inside a transaction are dropped. Django closes
    what is old or broken when a request starts, but leaves alone what is inside
    ``atomic()``; no request may go on in the transaction of another.
    """
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block:
            connection.close()
            del connections[connection.alias]
            connections[connection.alias].execute_wrappers.append(Watch())
        elif seen := _watch_of(connection):
            seen.changed = False


def of_thread() -> list[BaseDatabaseWrapper]:
    """In the thread: its connections."""
    return list(connections.all(initialized_only=True))


def any_open(held: Iterable[BaseDatabaseWrapper]) -> bool:
    """Whether one of ``held`` is open."""
    return any(connection.connection is not None for connection in held)


def any_tied(held: Iterable[BaseDatabaseWrapper]) -> bool:
    """Whether one of ``held`` is in a state that only the request that used it may see.

    Inside a transaction (by ``atomic()`` or without autocommit), with a cursor whose rows
    are not all read, with a session that a statement has changed, or of a class or with
    attributes that are not Django's and may say whom it works for, as those of
    multi-tenant sites do.
    """
    return any(map(_is_tied, held))


def _is_tied(connection: BaseDatabaseWrapper) -> bool:
    if connection.connection is None:
        return _is_marked(connection)
    seen = _watch_of(connection)
    return (
        connection.in_atomic_block
        or connection.autocommit != connection.settings_dict["AUTOCOMMIT"]
        or seen is None
        or seen.changed
        or seen.has_cursor
        or _is_marked(connection)
    )


def _is_marked(connection: BaseDatabaseWrapper) -> bool:
    cls = type(connection)
    if not cls.__module__.startswith(_BACKENDS):
        return True
    if cls not in _ATTRIBUTES:
        cached = (
            name
            for base in cls.__mro__
            for name, value in vars(base).items()
            if isinstance(value, cached_property)
        )
        _ATTRIBUTES[cls] = {*vars(connection.copy()), *cached, *_WHEN_CONNECTED}
    return not vars(connection).keys() <= _ATTRIBUTES[cls]


def _watch_of(connection: BaseDatabaseWrapper) -> Watch | None:
    return next((seen for seen in connection.execute_wrappers if type(seen) is Watch), None)
