"""Daphne, started by runserver_gateway: serving, and what is lost when it stops."""

from __future__ import annotations

import ssl
import subprocess
import sys
import urllib.request

import pytest
from websockets.exceptions import ConnectionClosed

from tests.servers import exercises
from tests.support import copy_project, environment, free_port, serving


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project("minimal", tmp_path_factory.mktemp("daphne"))


@pytest.fixture(scope="module")
def production(project):
    log = project / "production.log"
    with serving(project, "--server", "daphne", log=log, DEBUG="0") as served:
        yield served


def test_the_process_that_was_started_is_daphne(production):
    exercises.became(production, "daphne")
    answer = exercises.answering_process(production)
    assert answer["pid"] == production.process.pid
    assert answer["interface"] == "ASGIRequest"


def test_production_serves_pages_and_no_static_files(production):
    exercises.serves_as_production(production)


def test_events_come_as_they_are_sent(production):
    exercises.comes_as_it_is_sent(production)


def test_a_request_in_flight_is_dropped(project):
    with serving(project, "--server", "daphne", DEBUG="0") as served:
        stopped = exercises.stop_in_flight(served)
    assert stopped.answer is None
    assert stopped.status == 0
    assert stopped.seconds < 5


def test_an_open_stream_is_closed_at_once(project):
    with (
        serving(project, "--server", "daphne", DEBUG="0") as served,
        exercises.event_stream(served) as stream,
    ):
        exercises.arrivals(stream, 1)
        stopped = exercises.stop(served)
    assert stopped.status == 0
    assert stopped.seconds < 4


def test_websockets(tmp_path):
    project = copy_project("channels_chat", tmp_path)
    with serving(project, "--server", "daphne", "--no-reload") as served:
        exercises.echoes(served)
        with exercises.chat(served) as socket:
            socket.send("hello")
            socket.recv(timeout=10)
            stopped = exercises.stop(served)
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=10)
    assert closed.value.rcvd is None  # no close frame
    assert stopped.status == 0
    assert stopped.seconds < 4


def test_development_serves_static_files_and_ends_with_ctrl_c(project):
    with serving(project, "--server", "daphne", DEBUG="1") as served:
        status, css = served.get("/static/admin/css/base.css")
        assert (status, "body" in css) == (200, True)
        assert served.get("/static/nothing.css")[0] == 404
        stopped = exercises.interrupt(served)
    assert stopped.status == 0
    assert stopped.seconds < 6
    assert "Traceback" not in served.log.read_text()


def test_tls_with_files_whose_paths_twisted_would_take_apart(tmp_path):
    """A colon ends a value in an endpoint description; on Windows every path has one."""
    project = copy_project("minimal", tmp_path)
    keys = tmp_path / "keys:of\\mine"
    keys.mkdir()
    files = exercises.certificate(keys)
    exercises.set_conf(project, **files)
    context = ssl.create_default_context(cafile=files["CERTFILE"])
    port = free_port()
    argv = [sys.executable, "manage.py", "runserver_gateway", str(port), "--server", "daphne"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            argv, cwd=project, env=environment(DEBUG="0"), stdout=log, stderr=log
        )
    try:

        def ask():
            with urllib.request.urlopen(f"https://127.0.0.1:{port}/", context=context) as response:
                return response.read() == b"hello"

        exercises.wait_for(ask)
    finally:
        process.terminate()
        assert process.wait(10) == 0
