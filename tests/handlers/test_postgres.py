"""Leased threads on PostgreSQL, through Uvicorn: whose connections, how many, how long."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.postgresql import find_programs, running_cluster
from benchmarks.soaking import fill, listing, soak
from tests.support import copy_project, manage, serving

pytestmark = pytest.mark.skipif(
    find_programs() is None, reason="initdb and postgres, the programs of PostgreSQL, are missing"
)


@pytest.fixture(scope="module")
def cluster():
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def project(cluster, tmp_path_factory):
    """The project, and a database of which every test's is a copy."""
    project = copy_project("handler_postgres", tmp_path_factory.mktemp("postgres"))
    env = cluster.create_database("original")
    done = manage(project, "migrate", "--run-syncdb", "-v0", **env)
    assert done.returncode == 0, done.stderr
    with cluster.connect("original") as connection:
        fill(connection)
    return project


class Site:
    """The project, served with a database of its own."""

    def __init__(self, served, cluster, name):
        self.port = served.port
        self.get = served.get
        self.log = served.log
        self.name = name
        self.cluster = cluster

    def post(self, path):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method="POST")
        with contextlib.suppress(urllib.error.HTTPError):
            return urllib.request.urlopen(request, timeout=20).read().decode()

    def leave(self, method, path, after):
        """Request ``path`` and close the connection ``after`` seconds later."""
        length = "Content-Length: 0\r\n" if method == "POST" else ""
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{length}\r\n"
            client.sendall(head.encode())
            time.sleep(after)

    def query(self, query, *params):
        """What the database answers to its superuser."""
        with self.cluster.connect(self.name) as connection:
            return connection.execute(query, params).fetchone()[0]

    def backends(self):
        """How many connections the site has, as PostgreSQL counts them."""
        return self.query(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND usename = 'site'",
            self.name,
        )

    def entries(self, token):
        return self.query("SELECT count(*) FROM accounts_entry WHERE token = %s", token)

    def until_at_rest(self, seconds=10):
        """Wait until no connection of the site runs anything or is in a transaction."""
        until(
            lambda: (
                not self.query(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE datname = %s AND usename = 'site' AND state <> 'idle'",
                    self.name,
                )
            ),
            seconds,
        )


def until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def serve(cluster, project):
    """Serves the project: with so many threads, and these settings of the database."""
    numbers = itertools.count(1)

    @contextlib.contextmanager
    def serve(threads, *, gc="on", **database):
        name = f"copy{next(numbers)}"
        with cluster.connect() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE original OWNER site")
        env = {
            "DATABASE_HOST": str(cluster.folder),
            "DATABASE_NAME": name,
            "DATABASE_USER": "site",
            "DATABASE": json.dumps(database),
            "CONF": json.dumps({"ASGI_THREADS": threads}),
            "GC": gc,
        }
        options = ("--server", "uvicorn", "--workers", "1")
        with serving(project, *options, log=project / f"{name}.log", **env) as served:
            yield Site(served, cluster, name)

    return serve


@pytest.fixture(scope="module")
def usual(serve):
    with serve(2) as site:
        yield site


@pytest.fixture(scope="module")
def ageless(serve):
    """Connections end with their request."""
    with serve(2, CONN_MAX_AGE=0) as site:
        yield site


@pytest.fixture(scope="module")
def single(serve):
    """One thread, and connections that are checked before a request uses them."""
    with serve(1, CONN_HEALTH_CHECKS=True) as site:
        yield site


@pytest.fixture
def uncollected(serve):
    """One thread, and nothing that is left behind is cleaned up by chance."""
    with serve(1, gc="off") as site:
        yield site


@pytest.fixture(scope="module")
def single_ageless(serve):
    with serve(1, CONN_MAX_AGE=0) as site:
        yield site


def test_soak(serve, cluster):
    """``benchmarks/soak.py`` in short."""
    with serve(4) as site:
        result = asyncio.run(
            soak(
                port=site.port,
                cluster=cluster,
                database=site.name,
                clients=60,
                seconds=6,
                think=0.2,
            )
        )
        log = site.log.read_text()
    assert not result.lost, log
    assert (result.refused, result.torn, result.missing) == (0, 0, 0)
    assert max(result.connections) <= 4
    assert (result.after.threads, result.after.tasks) == (
        result.before.threads,
        result.before.tasks,
    )
    # It was one.
    assert len(result.seconds) > 100
    assert result.left > result.requests / 4
    assert "Traceback" not in log


@pytest.mark.parametrize("path", ["/backend/", "/backend-async/"])
def test_connections_outlive_the_requests_that_opened_them(usual, path):
    answers = {usual.get(path) for _ in range(10)}
    # One after the other they need one thread: the last one used is the next one.
    assert len(answers) == 1
    assert {status for status, _ in answers} == {200}
    assert usual.backends() <= 2


@pytest.mark.parametrize("path", ["/backend/", "/backend-async/"])
def test_connections_without_an_age_end_with_their_request(ageless, path):
    assert len({ageless.get(path) for _ in range(5)}) == 5
    until(lambda: ageless.backends() == 0)


@pytest.mark.parametrize("path", ["/backend/", "/backend-async/"])
def test_a_lost_connection_is_noticed_before_it_is_used(single, path):
    for _ in range(3):
        status, backend = single.get(path)
        assert status == 200
        assert single.query("SELECT pg_terminate_backend(%s, 5000)", int(backend))


def test_a_lost_connection_fails_one_request_where_none_is_checked(usual):
    """As it does under WSGI."""
    _, backend = usual.get("/backend/")
    assert usual.query("SELECT pg_terminate_backend(%s, 5000)", int(backend))
    assert [usual.get("/backend/")[0] for _ in range(3)] == [500, 200, 200]


@pytest.mark.parametrize("view", ["write", "write-async"])
def test_a_transaction_whose_client_leaves_is_whole(usual, view):
    tokens = [f"{view}{number}" for number in range(12)]
    with ThreadPoolExecutor(6) as clients:
        for number, token in enumerate(tokens):
            path = f"/{view}/?token={token}&pause=0.1"
            clients.submit(usual.leave, "POST", path, 0.03 * number)
    usual.until_at_rest()
    counts = [usual.entries(token) for token in tokens]
    assert set(counts) <= {0, 2}
    # Those that stayed for the whole of their turn are there.
    assert 2 in counts


def test_a_view_in_its_transaction_goes_on_without_its_client(usual):
    """A thread cannot be stopped; what it had begun is committed, as under WSGI."""
    usual.leave("POST", "/write/?token=alone&pause=0.6", after=0.2)
    assert usual.entries("alone") == 0
    until(lambda: usual.entries("alone") == 2)


@pytest.mark.parametrize("view", ["write", "write-async"])
def test_a_transaction_that_fails_is_rolled_back(usual, view):
    assert usual.post(f"/{view}/?token=failed-{view}&fail=1") is None
    assert usual.entries(f"failed-{view}") == 0
    assert usual.post(f"/{view}/?token=after-{view}") == f"transferred after-{view}\n"
    assert usual.entries(f"after-{view}") == 2


def test_atomic_requests(serve):
    with serve(2, ATOMIC_REQUESTS=True) as site:
        assert site.post("/unguarded/?token=good") == "transferred good\n"
        assert site.post("/unguarded/?token=bad&fail=1") is None
        site.leave("POST", "/unguarded/?token=left&pause=0.4", after=0.2)
        assert site.entries("left") == 0
        until(lambda: site.entries("left") == 2)
        assert (site.entries("good"), site.entries("bad")) == (2, 0)


def test_without_atomic_requests_halves_remain(usual):
    """What makes the test before this one worth something."""
    assert usual.post("/unguarded/?token=half&fail=1") is None
    assert usual.entries("half") == 1


def test_psycopgs_pool(serve):
    options = {"pool": {"min_size": 1, "max_size": 2, "timeout": 10}}
    with serve(4, CONN_MAX_AGE=0, OPTIONS=options) as site:
        with ThreadPoolExecutor(12) as clients:
            paths = ["/read/?from=1&pause=0.1", "/read-async/?from=1&pause=0.1"] * 12
            answers = list(clients.map(site.get, paths))
            assert answers == [(200, listing(1, 10))] * 24
            paths = ["/stream/?from=1&count=90&chunk=30&wait=0.1"] * 3
            assert list(clients.map(site.get, paths)) == [(200, listing(1, 90))] * 3
        assert 1 <= site.backends() <= 2
        # Each request got its connection from the pool and gave it back.
        assert len({site.get("/backend/") for _ in range(6)}) <= 2


@pytest.mark.parametrize(
    ("name", "threads"), [("usual", 2), ("ageless", 2), ("single", 1), ("single_ageless", 1)]
)
def test_streamed_rows_come_all_whoever_else_needs_a_thread(request, name, threads):
    """The connection of a server-side cursor stays with who reads from it."""
    site = request.getfixturevalue(name)
    with ThreadPoolExecutor(2) as streams, ThreadPoolExecutor(4) as others:
        # The pauses are longer than an unused thread is left to its request.
        path = "/stream/?from=1&count=120&chunk=30&wait=0.2"
        streaming = [streams.submit(site.get, path) for _ in range(2)]
        reading = [
            others.submit(site.get, f"/read/?from={number}&pause=0.03") for number in range(1, 25)
        ]
        for number, answer in enumerate(reading, start=1):
            assert answer.result() == (200, listing(number, 10))
        for answer in streaming:
            assert answer.result() == (200, listing(1, 120))
    assert site.backends() <= threads


def test_a_stream_whose_client_leaves_keeps_no_cursor_open(uncollected):
    for after in (0.1, 0.3, 0.5):
        uncollected.leave("GET", "/stream/?from=1&count=150&chunk=30&wait=0.25", after)
    until(lambda: uncollected.get("/cursors/") == (200, "0"))


def test_a_stream_whose_client_leaves_before_its_first_row_keeps_no_cursor_open(uncollected):
    """The thread opens the cursor for nobody: there is no one left to close it."""
    for _ in range(3):
        uncollected.leave("GET", "/stream/?from=1&count=10&chunk=5&wait=0&late=0.3", after=0.15)
    uncollected.until_at_rest()
    assert uncollected.get("/cursors/") == (200, "0")


def test_a_cursor_left_behind_cannot_stop_the_next_request(uncollected):
    """An abandoned iterator closes its cursor when it is collected, whoever is at work then.

    psycopg takes the connection's lock for that. A request on the same connection may hold
    it, in the same thread, and would wait for itself.
    """
    for _ in range(3):
        uncollected.leave("GET", "/stream/?from=1&count=10&chunk=5&wait=0&late=0.3", after=0.15)
    uncollected.until_at_rest()
    assert uncollected.get("/collect/") == (200, "collected")
