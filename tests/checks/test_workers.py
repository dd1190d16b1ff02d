"""The checks of workers: processes against machine and database, times, what a server lacks."""

from __future__ import annotations

import django
import pytest

from benchmarks.postgresql import find_programs, running_cluster
from deploytool.project.machine import inspect_machine
from tests.checks.project import deploycheck, found, make_project
from tests.checks.test_databases import OWN_HANDLER

MACHINE = inspect_machine(())
FIRST = ("site1/settings.py", 55)
STREAM = {
    "app/views.py": """
        import asyncio

        from django.http import HttpResponse, StreamingHttpResponse


        def home(request):
            return HttpResponse("home")


        async def ticks():
            while True:
                yield b"data: tick\\n\\n"
                await asyncio.sleep(0.1)


        async def events(request):
            return StreamingHttpResponse(ticks(), content_type="text/event-stream")
        """,
    "site1/urls.py": """
        from django.urls import path

        from app import views

        urlpatterns = [path("", views.home), path("events/", views.events)]
        """,
}
SOCKETIO = {
    "site1/wsgi.py": """
        import os

        import socketio
        from django.core.wsgi import get_wsgi_application

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")
        application = socketio.WSGIApp(
            socketio.Server(async_mode="threading"), get_wsgi_application()
        )
        """
}
BLOCK = {f"{number}" for number in range(200, 213)}


def conf(**stated):
    """Settings whose DEPLOYTOOL, in their first line, is ``stated``."""
    return f"DEPLOYTOOL = { ({key.upper(): value for key, value in stated.items()})!r}\n"


def of(project, *args, **env):
    """The findings of this file's rules by their ids, of which each is there once."""
    findings = [
        (finding["id"].removeprefix("deploytool."), finding)
        for finding in deploycheck(project, *args, **env)["findings"]
        if finding["id"].startswith("deploytool.") and finding["id"][-3:] in BLOCK
    ]
    assert len(dict(findings)) == len(findings)
    return dict(findings)


def at(finding):
    return finding["path"], finding["line"]


# 200: the machine


def test_more_workers_than_the_machine_carries(tmp_path):
    project = make_project(tmp_path)
    args = ("--interface", "asgi", "--workers")
    if MACHINE.memory:
        [finding] = found(project, 200, *args, "1000000")
        assert finding["id"] == "deploytool.W200"
        assert "1000000 workers (--workers) need 80000000 MiB" in finding["message"]
        assert "kills workers" in finding["message"]
        assert "one for each CPU" in finding["hint"]
    many = int(max(2 * MACHINE.cpus + 1, 4 * MACHINE.cpus)) + 1
    [finding] = found(project, 200, "--interface", "asgi", WEB_CONCURRENCY=str(many))
    assert finding["object"] == "$WEB_CONCURRENCY"
    assert f"$WEB_CONCURRENCY is {many}" in finding["message"]
    # The formula that is often copied is no matter of ours on the machine that it counts on.
    assert found(project, 200, *args, str(int(2 * MACHINE.cpus + 1))) == []


# 201, 202, 212: connections

SERVERS = """
def on(host, **more):
    return {**DATABASES["default"], "HOST": host, **more}
DATABASES |= {
    "pooled": on("b", OPTIONS={"pool": {"min_size": 1, "max_size": 6}}),
    "pooler": on("c", PORT="6432", DISABLE_SERVER_SIDE_CURSORS=True),
    "one": on("d"),
    "two": on("d", NAME="two"),
    "sqlite": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/srv/site1/db.sqlite3"},
}
"""


def test_more_connections_than_the_database_allows(tmp_path):
    settings = conf(threads=8, workers=4) + SERVERS
    project = make_project(tmp_path, settings=settings)
    default, both = found(project, 201, "--interface", "wsgi", "--replicas", "4")
    assert default["id"] == "deploytool.W201"
    assert at(default) == ("site1/settings.py", 59)  # the last line that changes it
    assert default["message"].startswith(
        "Up to 128 connections (4 replicas × 4 workers × 8 threads) to the server of 'default', "
        "and it allows 97, if it has PostgreSQL's default."
    )
    assert "answer 500" in default["message"]
    assert "PgBouncer" in default["hint"]
    assert "256" in both["message"]
    assert "2 entries of DATABASES) to the server of 'one' and 'two'" in both["message"]
    # 3 × 4 × 8 is below it.
    [both] = found(project, 201, "--interface", "wsgi", "--replicas", "3")
    assert "'one' and 'two'" in both["message"]
    # Nothing is known there of how many requests run at once, but of the pool.
    [pooled] = found(project, 201, "--interface", "asgi", "--replicas", "5")
    assert "120 connections (5 replicas × 4 workers × a pool of 6)" in pooled["message"]


def test_threads_of_our_handler(tmp_path):
    settings = conf(workers=4, asgi_threads=32)
    project = make_project(tmp_path, OWN_HANDLER, settings=settings)
    [finding] = found(project, 201, "--interface", "asgi")
    assert "128 connections (1 replica × 4 workers × 32 threads)" in finding["message"]


def test_what_the_database_answers(tmp_path):
    if find_programs() is None:
        pytest.skip("initdb and postgres, the programs of PostgreSQL, are missing")
    with running_cluster(20) as cluster:
        env = cluster.create_database("limits")
        entry = {key: env[f"DATABASE_{key}"] for key in ("HOST", "NAME", "USER")}
        settings = f"DATABASES['default'] |= {entry!r}\n" + conf(threads=9, workers=2)
        project = make_project(tmp_path, settings=settings)
        asked = ("--database", "default")
        [finding] = found(project, 201, "--interface", "wsgi", *asked)
        assert "18 connections" in finding["message"]
        assert "allows 17: max_connections is 20, 3 of them reserved." in finding["message"]
        # Where nobody is asked, PostgreSQL's default counts.
        assert found(project, 201, "--interface", "wsgi") == []
        got = of(project, "--interface", "asgi", *asked)
        assert "as many as come" in got["I212"]["message"]
        assert "allows 17" in got["I212"]["message"]
        assert "deploytool.asgi" in got["I212"]["hint"]
        project = make_project(tmp_path / "own", OWN_HANDLER, settings=settings)
        assert found(project, 212, "--interface", "asgi", *asked) == []


def test_a_pool_that_is_too_small(tmp_path):
    settings = """
DATABASES["default"]["OPTIONS"] = {"pool": True}
DATABASES["enough"] = {**DATABASES["default"], "OPTIONS": {"pool": {"max_size": 8}}}
DATABASES["small"] = {**DATABASES["default"], "OPTIONS": {"pool": {"max_size": 5, "timeout": 3}}}
DEPLOYTOOL = {"THREADS": 8}
"""
    project = make_project(tmp_path, settings=settings)
    default, small = found(project, 202, "--interface", "wsgi")
    assert default["id"] == "deploytool.I202"
    assert at(default) == ("site1/settings.py", 58)
    assert "'default' holds 4 connections, and a process has 8 threads" in default["message"]
    assert "to 8." in default["hint"]
    assert "'small' holds 5" in small["message"]
    assert "after 3 s answer 500" in small["message"]
    # Under Django's ASGI handler only the size that nobody has thought of.
    [default] = found(project, 202, "--interface", "asgi")
    assert "as many requests at once as come" in default["message"]


# 203 to 206: times, and what has no effect


def test_times(tmp_path):
    stated = conf(
        stop_grace=10, graceful_timeout=30, keepalive=5, max_requests=1000, workers=1, threads=8
    )
    project = make_project(tmp_path, settings=stated)
    got = of(project, "--interface", "asgi", "--server", "uvicorn")
    assert set(got) == {"W203", "I204", "W205", "I206"}
    assert {at(finding) for finding in got.values()} == {FIRST}
    assert "30 s to end" in got["W203"]["message"]
    assert "after 10 s it is killed" in got["W203"]["message"]
    assert '["GRACEFUL_TIMEOUT"] to 8' in got["W203"]["hint"]
    assert "idle for 5 s" in got["I204"]["message"]
    assert "502" in got["I204"]["message"]
    assert "After 1000 requests the only process of Uvicorn ends" in got["W205"]["message"]
    assert '["THREADS"] has no effect with Uvicorn' in got["I206"]["message"]
    # Gunicorn replaces its only worker, and has threads.
    got = of(project, "--interface", "wsgi", "--server", "gunicorn")
    assert set(got) == {"W203", "I204"}


def test_times_that_fit(tmp_path):
    stated = conf(stop_grace=40, graceful_timeout=30, keepalive=75, max_requests=1000, workers=2)
    project = make_project(tmp_path, settings=stated)
    assert of(project, "--interface", "asgi", "--server", "uvicorn") == {}
    # Nobody stands before this one who would keep a connection.
    direct = make_project(tmp_path / "direct", settings=conf(keepalive=5, proxy=""))
    assert of(direct, "--interface", "asgi", "--server", "uvicorn") == {}
    streams = make_project(tmp_path / "streams", STREAM, settings=stated)
    got = of(streams, "--interface", "asgi", "--server", "uvicorn")
    assert set(got) == {"I205"}
    assert "its open event streams are cut off" in got["I205"]["message"]


def test_threads_of_a_handler_that_is_not_used(tmp_path):
    stated = conf(asgi_threads=8)
    got = of(make_project(tmp_path, settings=stated), "--interface", "asgi")
    assert "Only deploytool's ASGI handler has a pool" in got["I206"]["message"]
    assert of(make_project(tmp_path, OWN_HANDLER, settings=stated), "--interface", "asgi") == {}


# 207 to 209, 211: what a server is, and lacks


def test_daphne(tmp_path):
    project = make_project(tmp_path, settings=conf(server="daphne"))
    got = of(project, "--interface", "asgi")
    assert set(got) == ({"I207", "I208"} if MACHINE.cpus >= 2 else {"I207"})
    assert "drops the requests in flight" in got["I207"]["message"]
    assert {at(finding) for finding in got.values()} == {FIRST}
    assert set(of(project, "--interface", "asgi", "--replicas", "2")) == {"I207"}


def test_a_server_too_old_for_what_is_asked_of_it(tmp_path):
    # The first on the path is the one that is imported, and asked for its version.
    installed = {"gunicorn-20.1.0.dist-info/METADATA": "Name: gunicorn\nVersion: 20.1.0\n"}
    project = make_project(tmp_path, installed, settings=conf(server="gunicorn"))
    got = of(project, "--interface", "asgi")
    assert "Gunicorn 20.1.0 is asked for" in got["E209"]["message"]
    assert "26.1" in got["E209"]["message"]
    assert at(got["E209"]) == FIRST
    assert of(project, "--interface", "wsgi") == {}
    newer = make_project(tmp_path / "newer", settings=conf(server="gunicorn"))
    assert of(newer, "--interface", "asgi") == {}


def test_socketio_in_several_processes(tmp_path):
    project = make_project(tmp_path, SOCKETIO)
    [finding] = found(project, 211, "--interface", "wsgi", "--workers", "2")
    assert finding["id"] == "deploytool.W211"
    assert finding["path"] == "site1/wsgi.py"
    assert "there are 2 workers" in finding["message"]
    [finding] = found(project, 211, "--interface", "wsgi", "--workers", "1", "--replicas", "2")
    assert "sticky" in finding["hint"]
    assert found(project, 211, "--interface", "wsgi") == []


# 210: cookies over HTTP/2


def test_cookies_over_http2(tmp_path):
    stated = conf(http2=True, certfile="cert.pem", keyfile="key.pem", server="gunicorn")
    project = make_project(tmp_path, settings=stated)
    got = of(project, "--interface", "asgi")
    assert set(got) == ({"W210"} if django.VERSION < (6, 0) else set())
    if got:
        assert "sessions are lost" in got["W210"]["message"]
        assert at(got["W210"]) == FIRST
    assert of(project, "--interface", "wsgi") == {}
