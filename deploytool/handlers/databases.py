"""The database connections of a thread, which outlive the request that opened them.

``django.db.connections`` is kept by thread: every function here speaks of the thread that
calls it.
"""

from __future__ import annotations

from django.db import connections


def discard_unfinished() -> None:
    """Drop connections that a former request left inside a transaction.

    Django closes what is old or broken when a request starts, but leaves alone what is
    inside ``atomic()``; no request may go on in the transaction of another.
    """
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block:
            connection.close()
            del connections[connection.alias]


def any_open() -> bool:
    """Whether some connection is open."""
    return any(
        connection.connection is not None for connection in connections.all(initialized_only=True)
    )


def in_transaction() -> bool:
    """Whether some connection is inside a transaction, by ``atomic()`` or without autocommit."""
    return any(
        connection.in_atomic_block
        or (
            connection.connection is not None
            and connection.autocommit != connection.settings_dict["AUTOCOMMIT"]
        )
        for connection in connections.all(initialized_only=True)
    )
