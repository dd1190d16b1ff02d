"""What the checks of workers and of the server claim of servers and databases, happening."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import django
import pytest

from benchmarks.postgresql import find_programs, running_cluster
from tests.checks.project import make_project
from tests.checks.talking import processes
from tests.checks.test_databases import OWN_HANDLER
from tests.checks.test_workers import SOCKETIO, STREAM
from tests.support import free_port, manage, serving

SETTINGS = """
import json, os

DATABASES["default"] |= json.loads(os.environ.get("DATABASE", "{}"))
DEPLOYTOOL = json.loads(os.environ.get("CONF", "{}"))
SECURE_SSL_REDIRECT = False
ALLOWED_HOSTS = ["*"]
MIDDLEWARE = []
"""


def stated(**conf):
    return json.dumps({key.upper(): value for key, value in conf.items()})


# 201, 202, 212: connections

QUERY = {
    "app/views.py": """
        from django.db import connection
        from django.http import HttpResponse


        def home(request):
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(%s)", [request.GET.get("for", "0")])
            return HttpResponse("slept")
        """
}


@pytest.fixture(scope="module")
def database():
    """The entry of a database whose server allows 7 connections to whom is no superuser."""
    if find_programs() is None:
        pytest.skip("initdb and postgres, the programs of PostgreSQL, are missing")
    with running_cluster(10) as cluster:
        env = cluster.create_database("claims")
        yield {key: env[f"DATABASE_{key}"] for key in ("HOST", "NAME", "USER")}


@pytest.mark.parametrize(
    ("files", "args", "beyond"),
    [
        ({}, ("--interface", "wsgi", "--workers", "2", "--threads", "12"), True),
        ({}, ("--interface", "wsgi", "--workers", "2", "--threads", "3"), False),
        ({}, ("--interface", "asgi", "--workers", "1"), True),
        (OWN_HANDLER, ("--interface", "asgi", "--workers", "1"), False),
    ],
)
def test_connections_beyond_what_the_database_allows(tmp_path, database, files, args, beyond):
    project = make_project(tmp_path, {**QUERY, **files}, settings=SETTINGS)
    conf = {"asgi_threads": 3, "asgi_thread_timeout": 60}
    env = {"DATABASE": json.dumps(database), "CONF": stated(**conf)}
    with serving(project, *args, **env) as served, ThreadPoolExecutor(24) as clients:
        answers = list(clients.map(lambda _: served.get("/?for=1")[0], range(24)))
    assert (500 in answers) is beyond
    assert set(answers) <= {200, 500}


def test_who_waits_for_a_pool_that_is_too_small(tmp_path, database):
    pool = {"min_size": 1, "max_size": 1, "timeout": 0.5}
    entry = json.dumps({**database, "OPTIONS": {"pool": pool}})
    code = """
from concurrent.futures import ThreadPoolExecutor
from django.db import connection
connection.ensure_connection()
"""
    project = make_project(tmp_path, QUERY, settings=SETTINGS)
    with processes(project, DATABASE=entry) as [process]:
        other = "ThreadPoolExecutor(1).submit(lambda: connection.ensure_connection()).result()"
        answer = process.ask(other, code)
        assert "couldn't get a connection after 0.50 sec" in answer
        assert process.ask(other, "connection.close()") is None


# 203 to 205: times

SLOW = {
    "app/views.py": """
        import time
        from pathlib import Path

        from django.http import HttpResponse


        def home(request):
            if "for" in request.GET:
                Path("begun").touch()
                time.sleep(float(request.GET["for"]))
            return HttpResponse("home")
        """
}


def test_a_server_that_is_killed_before_its_end(tmp_path):
    project = make_project(tmp_path, SLOW, settings=SETTINGS)
    args = ("--interface", "wsgi", "--workers", "1")
    with (
        serving(project, *args, CONF=stated(graceful_timeout=60)) as served,
        ThreadPoolExecutor(1) as clients,
    ):
        answer = clients.submit(served.get, "/?for=60")
        while not (project / "begun").exists():
            assert not answer.done()
        served.process.send_signal(signal.SIGTERM)
        with pytest.raises(Exception, match="timed out after 1 seconds"):
            served.process.wait(1)
        os.killpg(served.process.pid, signal.SIGKILL)
        assert isinstance(answer.exception(20), OSError | http.client.HTTPException)
        assert served.process.wait(10) == -signal.SIGKILL


def test_a_connection_that_the_server_closes_first(tmp_path):
    project = make_project(tmp_path, SLOW, settings=SETTINGS)
    args = ("--interface", "wsgi", "--workers", "1")
    with serving(project, *args, CONF=stated(keepalive=1)) as served:
        proxy = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
        proxy.request("GET", "/")
        assert proxy.getresponse().read() == b"home"
        kept = proxy.sock
        assert kept.recv(1) == b""  # idle, and closed by the server
        with pytest.raises((OSError, http.client.HTTPException)):
            again(proxy)
        proxy.close()


def again(connection):
    connection.request("GET", "/")
    connection.getresponse()


def test_the_only_process_of_uvicorn_after_its_last_request(tmp_path):
    project = make_project(tmp_path, STREAM, settings=SETTINGS)
    args = ("--interface", "asgi", "--server", "uvicorn", "--workers", "1")
    conf = stated(max_requests=5, graceful_timeout=1)
    with serving(project, *args, CONF=conf) as served:
        stream = urllib.request.urlopen(f"{served.url}/events/", timeout=20)
        assert stream.readline().startswith(b"data:")
        for _ in range(5):
            try:
                served.get()
            except OSError:
                break
        assert served.process.wait(20) == 0
        with stream, contextlib.suppress(OSError, http.client.HTTPException):
            stream.read()  # no stream that ends by itself


# 210, 211: cookies and clients

COOKIES = """
from django.core.handlers.asgi import ASGIRequest
def cookies(*headers):
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b""}
    scope["headers"] = [(b"cookie", header.encode()) for header in headers]
    return ASGIRequest(scope, None).COOKIES
"""


def test_cookies_in_several_headers(tmp_path):
    project = make_project(tmp_path, settings=SETTINGS)
    with processes(project) as [process]:
        one = process.ask("cookies('csrftoken=a; sessionid=b')", COOKIES)
        several = process.ask("cookies('csrftoken=a', 'sessionid=b')")
    assert one == {"csrftoken": "a", "sessionid": "b"}
    assert several == ({"csrftoken": "a,sessionid=b"} if django.VERSION < (6, 0) else one)


POLLING = """
import io
from site1.wsgi import application
def poll(session=""):
    statuses = []
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/socket.io/", "SCRIPT_NAME": "",
        "QUERY_STRING": "EIO=4&transport=polling" + (session and f"&sid={session}"),
        "SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(),
    }
    body = b"".join(application(environ, lambda s, *_: statuses.append(s))).decode()
    return statuses[0][:3], body
"""


def test_a_client_of_socketio_in_another_process(tmp_path):
    project = make_project(tmp_path, SOCKETIO, settings=SETTINGS)
    with processes(project, 2) as (one, two):
        status, body = one.ask("poll()", POLLING)
        assert status == "200"
        session = json.loads(body[1:])["sid"]
        assert two.ask(f"poll({session!r})", POLLING)[0] == "400"


# 213: what Gunicorn reads beside its command line

CONF = {
    "gunicorn.conf.py": """
        workers = 9
        timeout = 120
        max_requests = 1000
        preload_app = True
        """
}


def test_what_gunicorn_obeys(tmp_path):
    project = make_project(tmp_path, CONF, settings=SETTINGS)
    args = ("runserver_gateway", "--interface", "wsgi", "--workers", "2", "--", "--print-config")
    shown = manage(project, *args, GUNICORN_CMD_ARGS="--max-requests 7 --reload").stdout
    values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    values = {name.strip(): value.strip() for name, value in values.items()}
    assert (values["workers"], values["timeout"]) == ("2", "30")
    assert (values["max_requests"], values["preload_app"]) == ("7", "True")
    assert values["reload"] == "True"


DAEMON = {
    "gunicorn.conf.py": """
        daemon = True
        pidfile = "server.pid"
        raw_env = ["DJANGO_SETTINGS_MODULE=site1.other"]
        """,
    "site1/other.py": "from site1.settings import *\n\nOTHER = True\n",
    "app/views.py": """
        from django.conf import settings
        from django.http import HttpResponse


        def home(request):
            return HttpResponse(settings.SETTINGS_MODULE)
        """,
}


def test_a_daemon_and_its_settings(tmp_path):
    project = make_project(tmp_path, DAEMON, settings=SETTINGS)
    port = free_port()
    bind = f"127.0.0.1:{port}"
    args = ("runserver_gateway", bind, "--interface", "wsgi", "--workers", "1")
    pidfile = project / "server.pid"
    try:
        assert manage(project, *args).returncode == 0
        answered = threading.Event()
        for _ in range(200):
            try:
                with urllib.request.urlopen(f"http://{bind}/", timeout=20) as response:
                    assert response.read() == b"site1.other"
                    break
            except OSError:
                answered.wait(0.1)
        else:
            raise AssertionError("no answer of the daemon")
    finally:
        if pidfile.exists():
            os.kill(int(pidfile.read_text()), signal.SIGTERM)
