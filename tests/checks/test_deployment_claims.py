"""What the checks of deployment files claim, seen to happen: by servers, shells, tools, nginx."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.checks.project import make_project
from tests.checks.test_deployment_proxy import STREAM
from tests.support import environment, free_port, run_python

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIMEOUT = 60


def run(project: Path, *words: str, **env: str | None) -> subprocess.CompletedProcess[str]:
    """A server that is expected to end by itself, as ``python -m``."""
    return run_python("-W", "ignore", "-m", *words, cwd=project, timeout=TIMEOUT, **env)


@contextlib.contextmanager
def started(project: Path, port: int, *words: str, **env: str | None) -> Iterator[None]:
    """A server under way, ``python -m WORDS``, that accepts connections at ``port``."""
    with (project / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", *words],
            cwd=project,
            env=environment(**env),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        accepting(port, process, project / "server.log")
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(TIMEOUT)


def accepting(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text("utf-8", "replace")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise AssertionError(log.read_text("utf-8", "replace"))


def status(port: int, path: str = "/", **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", path, headers={"Host": "example.org", **headers})
        return connection.getresponse().status
    finally:
        connection.close()


def raw(port: int, *lines: str) -> bytes:
    """What a server answers to a request of these lines, to the end of the connection."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def test_servers_start_with_an_application_of_the_other_interface_and_answer_500(tmp_path):
    project = make_project(tmp_path)
    servers = (
        ("gunicorn", "site1.asgi:application"),  # which heeds $PORT without being told to
        ("uvicorn", "--port", "{}", "site1.wsgi:application"),
        ("granian", "--port", "{}", "site1.wsgi:application"),
    )
    for server in servers:
        port = free_port()
        words = [word.format(port) for word in server]
        gunicorn = server[0] == "gunicorn"
        with started(project, port, *words, PORT=str(port) if gunicorn else None):
            https = {"X-Forwarded-Proto": "https"}
            assert status(port, **https) == 500, server


def test_what_does_not_start(tmp_path):
    project = make_project(tmp_path)
    for words in (
        ("gunicorn", "site1.oldname.wsgi"),
        ("gunicorn", "site1.wsgi.application"),
        ("gunicorn", "site1.wsgi:app"),
        ("uvicorn", "site1.asgi"),
    ):
        done = run(project, *words, PORT=str(free_port()))
        assert done.returncode != 0, words
    done = run(project, "gunicorn", "site1.wsgi", DJANGO_SETTINGS_MODULE="site1.settings_prod")
    assert done.returncode != 0
    assert "No module named 'site1.settings_prod'" in done.stderr
    (project / "gunicorn.conf.py").write_text('timeout = "60s"\n')
    done = run(project, "gunicorn", "site1.wsgi")
    assert done.returncode != 0
    (project / "gunicorn.conf.py").write_text("timeout = \n")
    assert run(project, "gunicorn", "site1.wsgi").returncode != 0


def test_gunicorn_in_the_background_leaves_the_process_that_was_started(tmp_path):
    project = make_project(tmp_path)
    pid = project / "pid"
    words = ("--daemon", "--pid", str(pid), "--bind", f"127.0.0.1:{free_port()}")
    assert run(project, "gunicorn", *words, "site1.wsgi").returncode == 0
    deadline = time.monotonic() + TIMEOUT
    while not (pid.exists() and pid.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(int(pid.read_text()), signal.SIGTERM)  # it had gone on


SERVER = """
import pathlib, signal, sys, time

def stopped(*args):
    pathlib.Path("stopped").touch()
    sys.exit(0)

signal.signal(signal.SIGTERM, stopped)
pathlib.Path("ready").touch()
deadline = time.monotonic() + 20
while not pathlib.Path("end").exists() and time.monotonic() < deadline:
    time.sleep(0.05)
"""


@pytest.mark.skipif(os.name != "posix", reason="shells of POSIX")
@pytest.mark.parametrize("execs", [False, True])
def test_a_shell_hands_no_signal_on(tmp_path, execs):
    """Neither one that ignores it, as the first process of a container, nor one that ends."""
    (tmp_path / "server.py").write_text(SERVER)
    word = "exec " if execs else ""
    (tmp_path / "start.sh").write_text(f"#!/bin/sh\n:\n{word}{sys.executable} server.py\n")
    process = subprocess.Popen(["sh", "start.sh"], cwd=tmp_path)
    deadline = time.monotonic() + TIMEOUT
    while not (tmp_path / "ready").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    if execs:
        assert process.wait(TIMEOUT) == 0
    else:
        time.sleep(0.3)
    assert (tmp_path / "stopped").exists() is execs
    (tmp_path / "end").touch()
    process.wait(TIMEOUT)


DJANGO = """
import json, os, sys
sys.path.insert(0, os.getcwd())
os.environ["DJANGO_SETTINGS_MODULE"] = "site1.settings"
import django
django.setup()
from django.test import Client, override_settings
from django.test.utils import setup_test_environment

answers = {}
def ask(name, settings={}, **headers):
    with override_settings(**{"ALLOWED_HOSTS": ["example.org"], **settings}):
        response = Client().get("/", headers=headers)
        answers[name] = [response.status_code, response.headers.get("Location", "")]

https = {"x-forwarded-proto": "https"}
ask("upstream", host="app", **https)
ask("underscore", {"ALLOWED_HOSTS": ["*"]}, host="my_web:8000", **https)
ask("lost", host="example.org")
ask("http", host="example.org", **{"x-forwarded-proto": "http"})
ask("passed", host="example.org", **https)
ask("probe", host="localhost:8000")
ask("probe allowed", {"ALLOWED_HOSTS": ["localhost"]}, host="localhost:8000")
exempt = {"ALLOWED_HOSTS": ["localhost"], "SECURE_REDIRECT_EXEMPT": ["^$"]}
ask("probe exempt", exempt, host="localhost:8000")

with override_settings(SECURE_SSL_REDIRECT=False, CSRF_TRUSTED_ORIGINS=[]):
    for name, headers in (("form", https), ("form lost", {})):
        client = Client(enforce_csrf_checks=True)
        client.cookies["csrftoken"] = "a" * 32
        sent = {"host": "example.org", "origin": "https://example.org", "x-csrftoken": "a" * 32}
        answers[name] = [client.post("/", headers={**sent, **headers}).status_code, ""]
sys.stdout.write(json.dumps(answers))
"""


def test_what_django_answers_to_what_a_proxy_or_a_probe_sends(tmp_path):
    project = make_project(tmp_path)
    done = run_python("-c", DJANGO, cwd=project, timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    again = [301, "https://example.org/"]
    assert answers == {
        "upstream": [400, ""],
        "underscore": [400, ""],
        "lost": again,
        "http": again,
        "passed": [200, ""],
        "probe": [400, ""],
        "probe allowed": [301, "https://localhost:8000/"],
        "probe exempt": [200, ""],
        "form": [200, ""],
        "form lost": [403, ""],
    }


class Answer(http.server.BaseHTTPRequestHandler):
    """``/400`` is refused, ``/301`` redirected to where nobody listens."""

    def do_GET(self) -> None:
        self.send_response(int(self.path[1:]))
        self.send_header("Location", f"https://127.0.0.1:{self.server.closed}/")  # type: ignore[attr-defined]
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *args: object) -> None:
        pass


@contextlib.contextmanager
def answering(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.closed = free_port()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(TIMEOUT)


def test_which_tools_take_an_answer_for_a_failure():
    python = "import sys, urllib.request as u; u.urlopen(sys.argv[1])"
    tools = {
        ("curl", "-s"): (True, True),
        ("curl", "-fs"): (False, True),
        ("curl", "-fsL"): (False, False),
        ("wget", "-q", "-t1", "--spider"): (False, False),
        (sys.executable, "-c", python): (False, False),
    }
    with answering(Answer) as port:
        for words, passes in tools.items():
            if shutil.which(words[0]) is None:
                continue
            for code, passed in zip((400, 301), passes, strict=True):
                done = subprocess.run(
                    [*words, f"http://127.0.0.1:{port}/{code}"],
                    capture_output=True,
                    env=environment(no_proxy="*", http_proxy=None, https_proxy=None),
                    timeout=TIMEOUT,
                    check=False,
                )
                assert (done.returncode == 0) is passed, (words, code)


def test_a_handshake_without_upgrade_and_a_stream_by_http_1_0(tmp_path):
    """404 by the URLconf; an answer without chunks, but for Uvicorn's."""
    project = make_project(tmp_path, STREAM)
    head = ("Host: example.org", "X-Forwarded-Proto: https")
    for server, chunked in (
        (("daphne", "-p", "{}"), False),
        (("uvicorn", "--port", "{}"), True),
    ):
        port = free_port()
        words = [word.format(port) for word in server]
        with started(project, port, *words, "site1.asgi:application"):
            assert b" 404 " in raw(port, "GET /ws/chat/ HTTP/1.0", *head).partition(b"\r\n")[0]
            answer = raw(port, "GET /events/ HTTP/1.0", *head)
            assert b"data: 1" in answer
            assert (b"transfer-encoding: chunked" in answer.lower()) is chunked, answer


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the headers of the request; ``/events/`` waits between its two parts."""

    protocol_version = "HTTP/1.1"
    told = threading.Event()

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.dumps(headers).encode()
        self.send_response(200)
        self.send_header("Connection", "close")
        if self.path.startswith("/events"):
            self.end_headers()
            self.wfile.write(b"first")
            self.wfile.flush()
            self.told.wait(TIMEOUT)
            self.wfile.write(b"last")
        else:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        pass


NGINX = """
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {directory}/a;
    proxy_temp_path {directory}/b;
    fastcgi_temp_path {directory}/c;
    uwsgi_temp_path {directory}/d;
    scgi_temp_path {directory}/e;
    upstream app {{ server 127.0.0.1:{server}; }}
    server {{
        listen 127.0.0.1:{port};
        proxy_set_header Host $http_host;
        proxy_http_version 1.0;
        location / {{ proxy_pass http://app; }}
        location /own/ {{ proxy_pass http://app; proxy_set_header X-Own 1; }}
        location /unbuffered/ {{ proxy_pass http://app/events/; proxy_buffering off; }}
        location /rooted/ {{ root {directory}/rooted; }}
        location /aliased/ {{ alias {directory}/rooted; }}
        location /open {{ alias {directory}/rooted/; }}
        location /right/ {{ alias {directory}/rooted/; }}
    }}
}}
"""


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_what_nginx_passes_on_and_where_it_looks(tmp_path):
    (tmp_path / "rooted").mkdir()
    (tmp_path / "rooted" / "a.css").write_text("css")
    (tmp_path / "secret.py").write_text("secret")
    tmp_path.chmod(0o755)
    port = free_port()
    with answering(Echo) as server:
        text = NGINX.format(directory=tmp_path, server=server, port=port)
        (tmp_path / "nginx.conf").write_text(text)
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                ["nginx", "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path)],
                stdout=log,
                stderr=log,
            )
        try:
            accepting(port, process, tmp_path / "log")
            handshake = ("Host: example.org", "Upgrade: websocket", "X-Forwarded-Proto: https")

            def headers(path: str) -> dict[str, str]:
                answer = raw(port, f"GET {path} HTTP/1.1", *handshake, "Connection: close")
                return dict(json.loads(answer.partition(b"\r\n\r\n")[2]))

            passed = headers("/")
            assert passed["host"] == "example.org"
            assert "upgrade" not in passed
            assert passed["connection"] == "close"
            assert passed["x-forwarded-proto"] == "https"  # the client's
            assert headers("/own/")["host"] == "app"  # a header of its own: none is inherited
            assert status(port, "/right/a.css") == 200
            assert status(port, "/rooted/a.css") == 404
            assert status(port, "/aliased/a.css") == 404
            assert raw(port, "GET /open../secret.py HTTP/1.0").endswith(b"secret")
            assert arrives(port, "/events/", 1) is False
            assert arrives(port, "/unbuffered/", TIMEOUT) is True
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(TIMEOUT)


def arrives(port: int, path: str, seconds: float) -> bool:
    """Whether the first part of a stream arrives while the server waits before the last."""
    Echo.told.clear()
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        connection.settimeout(seconds)
        answer = b""
        with contextlib.suppress(TimeoutError):
            while b"first" not in answer and (part := connection.recv(65536)):
                answer += part
        Echo.told.set()
    return b"first" in answer
