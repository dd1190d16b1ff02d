"""What the checks of databases claim of Django, PostgreSQL and SQLite, happening."""

from __future__ import annotations

import itertools
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.postgresql import find_programs, running_cluster
from tests.checks.project import make_project
from tests.checks.talking import processes
from tests.checks.test_databases import ASYNC_VIEWS, OWN_HANDLER, REFUSED
from tests.support import manage, serving

SETTINGS = """
import json, os

DATABASES["default"] |= json.loads(os.environ.get("DATABASE", "{}"))
SECURE_SSL_REDIRECT = False
ALLOWED_HOSTS = ["*"]
MIDDLEWARE = []
"""
BACKEND = {
    "app/views.py": """
        from django.db import connection
        from django.http import HttpResponse


        def home(request):
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                return HttpResponse(str(cursor.fetchone()[0]))
        """
}
CONNECTIONS = 25


@pytest.fixture(scope="module")
def cluster():
    if find_programs() is None:
        pytest.skip("initdb and postgres, the programs of PostgreSQL, are missing")
    with running_cluster(CONNECTIONS) as cluster:
        yield cluster


numbers = itertools.count(1)


def entry(cluster, **more):
    """The environment variable with a new database of the cluster."""
    env = cluster.create_database(f"claims{next(numbers)}")
    names = {"HOST": "DATABASE_HOST", "NAME": "DATABASE_NAME", "USER": "DATABASE_USER"}
    return json.dumps({**{key: env[name] for key, name in names.items()}, **more})


# Connections


@pytest.mark.parametrize(
    ("files", "args", "age", "lost"),
    [
        ({}, ("--interface", "asgi"), 600, True),
        ({}, ("--interface", "asgi"), 0, False),
        (OWN_HANDLER, ("--interface", "asgi"), 600, False),
        ({}, ("--interface", "wsgi"), 600, False),
    ],
)
def test_persistent_connections_under_asgi(tmp_path, cluster, files, args, age, lost):
    project = make_project(tmp_path, {**BACKEND, **files}, settings=SETTINGS)
    env = {"DATABASE": entry(cluster, CONN_MAX_AGE=age)}
    with (
        serving(project, *args, "--workers", "1", **env) as served,
        ThreadPoolExecutor(15) as clients,
    ):
        answers = list(clients.map(lambda _: served.get(), range(300)))
    backends = {body for status, body in answers if status == 200}
    answered = [status for status, _ in answers if status == 200]
    if lost:
        assert len(backends) == len(answered)  # each its own
    else:
        assert len(answered) == 300
        assert age == 0 or len(backends) <= 8


SERVED = """
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.test.client import RequestFactory
handler = WSGIHandler()
def get():
    statuses = []
    response = handler(RequestFactory().get("/").environ, lambda s, *_: statuses.append(s))
    body = b"".join(response).decode()
    response.close()
    return int(statuses[0].split()[0]), body
"""


@pytest.mark.parametrize(("checks", "after"), [(False, [500, 200]), (True, [200, 200])])
def test_connections_that_are_not_checked(tmp_path, cluster, checks, after):
    project = make_project(tmp_path, BACKEND, settings=SETTINGS)
    database = entry(cluster, CONN_MAX_AGE=600, CONN_HEALTH_CHECKS=checks)
    with processes(project, DATABASE=database) as [process], cluster.connect() as superuser:
        _, backend = process.ask("get()", SERVED)
        assert process.ask("get()")[1] == backend
        superuser.execute("SELECT pg_terminate_backend(%s, 5000)", [int(backend)])
        assert [process.ask("get()")[0] for _ in range(2)] == after


# Transactions

ATOMIC = """
import asyncio
from django.test import AsyncClient, Client
def status(path):
    return Client(raise_request_exception=False).get(path).status_code
def asgi_status(path):
    client = AsyncClient(raise_request_exception=False)
    return asyncio.run(client.get(path)).status_code
def said(path):
    try:
        Client().get(path)
    except RuntimeError as error:
        return str(error)
"""


def test_async_views_in_transactions(tmp_path):
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    env = {"DATABASE": json.dumps({**database, "ATOMIC_REQUESTS": True})}
    project = make_project(tmp_path, ASYNC_VIEWS, settings=SETTINGS)
    paths = ["/", "/quote/", "/ticker/", "/spared/", "/spared-ticker/"]
    with processes(project, **env) as [process]:
        for function in ("status", "asgi_status"):
            statuses = process.ask(f"[{function}(path) for path in {paths!r}]", ATOMIC)
            assert statuses == [200, 500, 500, 200, 200]
        said = process.ask("said('/quote/')")
    assert said == "You cannot use ATOMIC_REQUESTS with async views."


def test_what_django_refuses(tmp_path):
    entries = {alias: refused for alias, (refused, _) in REFUSED.items()}
    settings = f"""
DATABASES |= {{alias: DATABASES["default"] | entry for alias, entry in {entries!r}.items()}}
"""
    project = make_project(tmp_path, settings=settings)
    with processes(project) as [process]:
        code = "from django.db import connections"
        for alias, (_, said) in REFUSED.items():
            answer = process.ask(f"connections[{alias!r}].ensure_connection()", code)
            # Of the text Python itself complains, when Django adds it to the time.
            assert (said if alias != "text" else "TypeError") in answer
        assert manage(project, "check", "--tag", "database").returncode == 0


# SQLite

COUNTING = """
import time
from django.db import connection, transaction
def run(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return (cursor.fetchone() or [None])[0] if sql.startswith("SELECT") else None
def add():
    with transaction.atomic():
        n = run("SELECT n FROM t")
        run(f"UPDATE t SET n = {n + 1}")
"""
WAL = "PRAGMA journal_mode=WAL;"


def test_a_transaction_that_reads_and_then_writes(tmp_path):
    file = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3")}
    deferred = json.dumps({**file, "OPTIONS": {"init_command": WAL, "timeout": 20}})
    project = make_project(tmp_path, settings=SETTINGS)
    with processes(project, 2, DATABASE=deferred) as (one, two):
        for process in (one, two):
            process.ask("run('CREATE TABLE IF NOT EXISTS t (n)')", COUNTING)
        one.ask("run('INSERT INTO t VALUES (0)')")
        one.ask("run('SELECT n FROM t')", "block = transaction.atomic()\nblock.__enter__()")
        assert two.ask("add()") is None
        begun = time.monotonic()
        assert "database is locked" in one.ask("run('UPDATE t SET n = 9')")
        assert time.monotonic() - begun < 10  # at once, and not after its 20 seconds
        one.ask("block.__exit__(None, None, None)", "transaction.set_rollback(True)")
    options = {"init_command": WAL, "transaction_mode": "IMMEDIATE", "timeout": 20}
    immediate = json.dumps({**file, "OPTIONS": options})
    with processes(project, 2, DATABASE=immediate) as workers, ThreadPoolExecutor(2) as pool:
        loop = "[add() for _ in range(50)]"
        answers = list(pool.map(lambda process: process.ask(loop, COUNTING), workers))
        assert answers == [[None] * 50] * 2
        assert workers[0].ask("run('SELECT n FROM t')") == 101


def test_every_thread_has_a_memory_of_its_own(tmp_path):
    memory = json.dumps({"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"})
    code = """
from concurrent.futures import ThreadPoolExecutor
run("CREATE TABLE t (n)")
"""
    project = make_project(tmp_path, settings=SETTINGS)
    with processes(project, DATABASE=memory) as [process]:
        process.ask("0", COUNTING)
        assert process.ask("run('SELECT count(*) FROM t')", code) == 0
        other = "ThreadPoolExecutor(1).submit(run, 'SELECT count(*) FROM t').result()"
        assert "no such table: t" in process.ask(other)
