"""Databases: connections that outlive requests, transactions, SQLite, what the server answers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from django.core.cache import caches
from django.core.cache.backends.db import BaseDatabaseCache
from django.db import router

from deploytool.checks.rule import Finding, rule
from deploytool.checks.state import processes
from deploytool.project.database_uses import async_views_in_transactions, has_tables
from deploytool.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case
    from deploytool.checks.rule import Letter
    from deploytool.project.facts import Database

_SHOWN = 3


def _age(database: Database) -> str:
    """CONN_MAX_AGE as the settings write it."""
    return "None" if database.conn_max_age is None else f"{database.conn_max_age:g}"


def _persistent(case: Case) -> Iterator[Database]:
    """The databases whose connections are meant to outlive requests, without those of SQLite."""
    vendors = {each.alias: each.vendor for each in case.database_settings}
    for database in case.project.services.databases:
        if database.conn_max_age != 0 and vendors.get(database.alias) not in {None, "sqlite"}:
            yield database


@rule(410, "W")
def connections_left_open(case: Case) -> Iterator[Finding]:
    """Persistent connections, under a handler that has a new thread for each request.

    `CONN_MAX_AGE` is not 0, the plan serves ASGI, and Django's handler answers. It runs each
    request in a thread of its own, and a connection belongs to its thread.

    ## Why is this bad?
    No connection is used twice: each request opens one and leaves it open until Python
    happens to collect it. What is open meanwhile counts against the server's limit: `FATAL:
    sorry, too many clients already`, where something keeps them from being collected or
    requests come faster. Under WSGI the same setting is right.

    ## Example
    ```python
    DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": 600}}
    ```

    ## Use instead
    `"CONN_MAX_AGE": 0`. To reuse connections under ASGI, a pool:
    `"OPTIONS": {"pool": True}` with `psycopg[pool]`; or deploytool's handler, whose threads
    and their connections outlive requests: `from deploytool.asgi import get_asgi_application`.

    ## Source
    Django's documentation, "Databases", "Persistent connections": should be disabled when
    using ASGI. Django's ticket 33497.
    """
    if not case.asgi or case.reuses_threads:
        return
    for database in _persistent(case):
        if database.pool:
            continue  # Django refuses both at once
        known = case.entry.handler is not None
        yield Finding(
            f"CONN_MAX_AGE of the database {database.alias!r} is {_age(database)}, and Django's "
            "ASGI handler runs each request in a new thread: no connection is used again, and "
            "each is left open until Python collects it, so that busy minutes may use up those "
            f"that the server allows{'' if known else ', if that handler answers here'}.",
            'Set "CONN_MAX_AGE": 0, and for connections that are used again "OPTIONS": '
            '{"pool": True} (PostgreSQL, pip install "psycopg[pool]") or '
            "deploytool.asgi.get_asgi_application in asgi.py.",
            case.set_at("DATABASES"),
        )


@rule(411, "I")
def connections_unchecked(case: Case) -> Iterator[Finding]:
    """Connections outlive requests and are not checked before they are used again.

    `CONN_MAX_AGE` is not 0, or `OPTIONS["pool"]` is set, and `CONN_HEALTH_CHECKS` is off.

    ## Why is this bad?
    After the database has restarted, or something on the way has dropped idle connections,
    each connection fails one request: `server closed the connection unexpectedly`.

    ## Example
    ```python
    DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": 600}}
    ```

    ## Use instead
    ```python
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "CONN_MAX_AGE": 600,
            "CONN_HEALTH_CHECKS": True,
        }
    }
    ```

    ## Source
    Django's documentation, `CONN_HEALTH_CHECKS`.
    """
    kept = {database.alias for database in _persistent(case)} if case.reuses_threads else set()
    pooled = {each.alias for each in case.database_settings if each.pool_size}
    for database in case.project.services.databases:
        if database.alias in kept | pooled and not database.conn_health_checks:
            yield Finding(
                f"The connections to the database {database.alias!r} outlive requests and are not "
                "checked: after a restart of the database each of them fails one request.",
                f'Add "CONN_HEALTH_CHECKS": True to DATABASES[{database.alias!r}].',
                case.set_at("DATABASES"),
            )


@rule(412, "E")
def async_view_in_transaction(case: Case) -> Iterator[Finding]:
    """An async view, and `ATOMIC_REQUESTS`.

    A database has `ATOMIC_REQUESTS`, and a route leads to an async view that is not marked
    with `@transaction.non_atomic_requests` for it.

    ## Why is this bad?
    Transactions do not work in async code, so that Django raises `RuntimeError: You cannot
    use ATOMIC_REQUESTS with async views.` Every request to the view answers 500, under WSGI
    as well as under ASGI.

    ## Example
    ```python
    DATABASES = {"default": {..., "ATOMIC_REQUESTS": True}}

    async def quote(request): ...
    ```

    ## Use instead
    `@transaction.non_atomic_requests` as the outermost decorator of the view, and
    `transaction.atomic()` inside of a function that `sync_to_async()` runs; or a view that
    is not async.

    ## Source
    Django's documentation, "Asynchronous support", "Queries & the ORM", and "Tying
    transactions to HTTP requests"; `make_view_atomic()` in `django/core/handlers/base.py`.
    """
    atomic = [each.alias for each in case.project.services.databases if each.atomic_requests]
    if not atomic:
        return
    for view in async_views_in_transactions(case.project.base_dir):
        aliases = " and ".join(map(repr, view.aliases))
        marks = " and ".join(
            "@transaction.non_atomic_requests"
            if alias == "default"
            else f"@transaction.non_atomic_requests(using={alias!r})"
            for alias in view.aliases
        )
        also = f" and {counted(view.routes - 1, 'more route')}" if view.routes > 1 else ""
        yield Finding(
            f"The view {view.name} (route {view.route!r}{also}) is async, and the "
            f"database {aliases} has ATOMIC_REQUESTS: each request to it answers 500.",
            f"Add {marks} as the outermost decorator, or make the view a synchronous one.",
            view.location or case.set_at("DATABASES"),
        )


@rule(413, "E")
def connection_refused_by_django(case: Case) -> Iterator[Finding]:
    """Django cannot connect with these settings.

    An entry of `DATABASES` has settings that Django or the driver refuses before anything is
    sent: a connection pool together with `CONN_MAX_AGE`, a pool without `psycopg_pool`, a
    `CONN_MAX_AGE` that is a text, a driver that is not installed, no name of a database.

    ## Why is this bad?
    Every request that uses the database answers 500. `manage.py check` does not connect, and
    so does not notice.

    ## Example
    ```python
    "CONN_MAX_AGE": os.environ.get("CONN_MAX_AGE", 0),  # "600", a text
    ```

    ## Use instead
    ```python
    "CONN_MAX_AGE": int(os.environ.get("CONN_MAX_AGE", 0)),
    ```

    ## Source
    Django's documentation, "Databases", "Connection pool" and "Persistent connections";
    `django/db/backends/postgresql/base.py`.
    """
    for database in case.database_settings:
        if database.refusal:
            yield Finding(
                f"Django cannot connect to the database {database.alias!r}: {database.refusal}. "
                "Each request that uses it answers 500.",
                f"Mend DATABASES[{database.alias!r}].",
                case.set_at("DATABASES"),
            )


@rule(414, "WI")
def sqlite_and_several_writers(case: Case) -> Iterator[Finding]:
    """SQLite, and several processes that write.

    A database is an SQLite file, and there are several workers or replicas. One machine's
    processes can share it if transactions take the write lock when they begin.

    ## Why is this bad?
    A transaction that reads first and then writes cannot wait for its turn: while another
    one writes it fails at once, `OperationalError: database is locked`, whatever the
    timeout. Replicas in containers or on machines of their own each have a file of their
    own, unless they share its directory; over a network SQLite's locks do not hold.

    ## Example
    ```python
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": BASE_DIR / "db.sqlite3",
        }
    }
    ```

    ## Use instead
    ```python
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": BASE_DIR / "db.sqlite3",
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
        }
    }
    ```
    For replicas, a database server.

    ## Source
    Django's documentation, "SQLite notes", "Database is locked errors" and "Transactions
    behavior". SQLite's documentation, "Appropriate Uses For SQLite".
    """
    replicas = case.deployment.replicas.value
    for database in case.database_settings:
        if database.file is None or database.read_only or case.processes == 1:
            continue
        # Of one beside the default nobody knows here whether requests write to it.
        level: Letter = "W" if database.alias == "default" else "I"
        if replicas > 1:
            yield Finding(
                f"The database {database.alias!r} is an SQLite file, and there are {replicas} "
                "replicas: unless all of them are on one machine and share its directory, each "
                "has data of its own.",
                "Use a database server, such as PostgreSQL, or one replica.",
                case.set_at("DATABASES"),
                level,
            )
        elif not database.locks_first:
            yield Finding(
                f"The database {database.alias!r} is SQLite, and there are {processes(case)}: a "
                "transaction that reads and then writes while another process writes fails with "
                "'database is locked'.",
                'Add "OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA '
                f'journal_mode=WAL;"}} to DATABASES[{database.alias!r}], or serve with one worker.',
                case.set_at("DATABASES"),
                level,
            )


@rule(415, "I")
def sqlite_in_container(case: Case) -> Iterator[Finding]:
    """An SQLite file among the project's own files, in a container.

    The server runs in a container, and the file of a database lies where its image has the
    project's source.

    ## Why is this bad?
    What a container writes beside its image is gone with the container. The next release
    starts with the file of its image, or with none.

    ## Example
    `"NAME": BASE_DIR / "db.sqlite3"`, and an image with the whole of `BASE_DIR` in it.

    ## Use instead
    A directory of its own for the file, on a volume; or a database server.

    ## Source
    Docker's documentation, "Storage": data in the container's writable layer does not
    persist when the container is destroyed.
    """
    if not case.deployment.container.value:
        return
    base = os.path.realpath(case.project.base_dir)
    for database in case.database_settings:
        if database.file is None or database.read_only:
            continue
        directory = os.path.dirname(os.path.realpath(database.file))
        if directory == base or (
            directory.startswith(base + os.sep) and not _on_volume(directory, base)
        ):
            yield Finding(
                f"The database {database.alias!r} is an SQLite file among the project's own, and "
                "the server runs in a container: unless its directory is a volume, all data is "
                "gone with the container.",
                "Keep the file in a directory of its own that is a volume, or use a database "
                "server.",
                case.set_at("DATABASES"),
            )


def _on_volume(directory: str, base: str) -> bool:
    while directory != base:
        if os.path.ismount(directory):
            return True
        directory = os.path.dirname(directory)
    return False


@rule(416, "E")
def sqlite_in_memory(case: Case) -> Iterator[Finding]:
    """The database is SQLite's in memory.

    The default database has no file, and the project has tables of its own or keeps sessions
    in it.

    ## Why is this bad?
    Every thread that connects gets an empty database: `OperationalError: no such table`,
    since migrations are made by another process, in another memory. What is written is gone
    when the server stops, at the latest.

    ## Example
    ```python
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    ```

    ## Use instead
    A file or a database server in the production settings.

    ## Source
    SQLite's documentation, "In-Memory Databases": every `:memory:` database is distinct.
    """
    for database in case.project.services.databases:
        if database.in_memory and database.alias == "default" and has_tables(case.project):
            yield Finding(
                "The default database is SQLite's in memory: no migration has been made in it, so "
                "that every query fails with 'no such table', and nothing outlives the server.",
                "Name a file or a database server in the settings that production uses.",
                case.set_at("DATABASES"),
            )


@rule(417, "W")
def pooler_and_cursors(case: Case) -> Iterator[Finding]:
    """PgBouncer in front of the database, and cursors that stay in the server.

    The port or the host of a PostgreSQL database is a connection pooler's, and
    `DISABLE_SERVER_SIDE_CURSORS` is off or statements are prepared.

    ## Why is this bad?
    In transaction pooling mode the next statement may go to another connection, on which the
    cursor does not exist: `cursor "_django_curs_..." does not exist`. `QuerySet.iterator()`
    uses such cursors, and so does every form field with a queryset.

    ## Example
    ```python
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": "pgbouncer",
            "PORT": "6432",
        }
    }
    ```

    ## Use instead
    `"DISABLE_SERVER_SIDE_CURSORS": True` beside them; no `prepare_threshold` in `OPTIONS`.
    If PgBouncer pools sessions, silence this check.

    ## Source
    Django's documentation, "Transaction pooling and server-side cursors".
    """
    for database in case.database_settings:
        if database.pooler is None:
            continue
        found = [
            name
            for name, on in (
                ("server-side cursors", database.server_side_cursors),
                ("prepared statements", database.prepared_statements),
            )
            if on
        ]
        if found:
            hints = []
            if database.server_side_cursors:
                hints.append('set "DISABLE_SERVER_SIDE_CURSORS": True')
            if database.prepared_statements:
                hints.append('take "prepare_threshold" out of OPTIONS')
            yield Finding(
                f"The database {database.alias!r} seems to be behind a pooler ({database.pooler}), "
                f"and {' and '.join(found)} are used: in transaction pooling mode these fail.",
                f"In DATABASES[{database.alias!r}], {' and '.join(hints)}; silence this check if "
                "the pooler pools sessions.",
                case.set_at("DATABASES"),
            )


@rule(418, "E")
def database_does_not_answer(case: Case) -> Iterator[Finding]:
    """A database that was to be asked does not answer.

    `--database` names it, and no connection could be made, or no answer came in time.

    ## Why is this bad?
    Every request that uses it would answer 500. Nothing else could be asked of it either.

    ## Example
    `manage.py deploycheck --database default` while the database is stopped or does not
    exist yet.

    ## Use instead
    Start it, create it, or mend its address in `DATABASES`.

    ## Source
    Django's documentation, `DATABASES`.
    """
    refused = {each.alias for each in case.database_settings if each.refusal}  # says it all
    for answer in case.database_answers:
        if answer.error is not None and answer.alias not in refused:
            yield Finding(
                f"The database {answer.alias!r} cannot be used: {answer.error}.",
                f"Start or create it, or mend DATABASES[{answer.alias!r}].",
                case.set_at("DATABASES"),
            )


@rule(419, "W")
def migrations_not_applied(case: Case) -> Iterator[Finding]:
    """Migrations are not applied.

    `--database` names a database, and `manage.py migrate` would change it, or could not even
    tell.

    ## Why is this bad?
    This code expects tables and columns that are not there: `ProgrammingError: column ...
    does not exist`. It is right only where the release applies them before it serves.

    ## Example
    A new field, deployed without its migration.

    ## Use instead
    `manage.py migrate` as a step of its own, once, before the new code serves.

    ## Source
    Django's documentation, `migrate`, `--check`.
    """
    for answer in case.database_answers:
        if answer.migrations_error:
            yield Finding(
                "Which migrations are to be applied to the database "
                f"{answer.alias!r} cannot be told: {answer.migrations_error}",
                f"Mend it; manage.py migrate --database {answer.alias} --plan must work.",
                case.set_at("DATABASES"),
            )
        elif answer.unapplied:
            shown = ", ".join(answer.unapplied[:_SHOWN])
            more = len(answer.unapplied) - _SHOWN
            yield Finding(
                f"{counted(len(answer.unapplied), 'migration')} not applied to the database "
                f"{answer.alias!r}: {shown}{f' and {more} more' if more > 0 else ''}. Unless the "
                "release applies them before it serves, what needs them fails.",
                f"manage.py migrate --database {answer.alias}, before the new code serves.",
                case.set_at("DATABASES"),
            )


@rule(420, "E")
def cache_table_missing(case: Case) -> Iterator[Finding]:
    """The table of a cache does not exist.

    `--database` names the database that a `DatabaseCache` lies in, and it has no table of
    the name in `LOCATION`.

    ## Why is this bad?
    Whatever uses the cache fails: `relation "cache" does not exist`. No migration makes it.

    ## Example
    A `DatabaseCache`, and a database that only `migrate` was run on.

    ## Use instead
    `manage.py createcachetable`, in the release beside `migrate`.

    ## Source
    Django's documentation, "Database caching", "Creating the cache table".
    """
    answers = {each.alias: each for each in case.database_answers if each.error is None}
    for fact in case.project.services.caches if answers else ():
        try:
            cache = caches[fact.alias]
        except Exception:  # noqa: S112 - Django's to say
            continue
        if not isinstance(cache, BaseDatabaseCache):
            continue
        answer = answers.get(router.db_for_write(cache.cache_model_class))
        table = str(cache.cache_model_class._meta.db_table)
        if answer is not None and table not in answer.tables:
            yield Finding(
                f"CACHES[{fact.alias!r}] is the table {table!r} of the database "
                f"{answer.alias!r}, which has no such table: whatever uses the cache fails.",
                f"manage.py createcachetable --database {answer.alias}",
                case.set_at("CACHES"),
            )
