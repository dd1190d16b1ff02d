"""Gunicorn, started by runserver_gateway: serving, stopping, and what its signals do."""

from __future__ import annotations

import os
import signal

import pytest

from tests.servers import exercises
from tests.support import copy_project, serving

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Gunicorn needs POSIX")

WORKERS = {"wsgi": "gthread", "asgi": "asgi"}
STREAM = {"wsgi": "/lines/", "asgi": "/events/"}
GRACE = 2  # seconds


@pytest.fixture(scope="module", params=["wsgi", "asgi"])
def interface(request):
    return request.param


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = copy_project("minimal", tmp_path_factory.mktemp("gunicorn"))
    exercises.set_conf(project, GRACEFUL_TIMEOUT=GRACE)
    return project


def start(project, interface, debug="0", log=None):
    how = ("--server", "gunicorn", "--interface", interface)
    return serving(project, *how, log=log, DEBUG=debug)


@pytest.fixture(scope="module")
def production(project, interface):
    log = project / f"production_{interface}.log"
    with start(project, interface, log=log) as served:
        yield served


def test_the_process_that_was_started_is_gunicorn(production, interface):
    command = exercises.became(production, "gunicorn")
    assert command[command.index("--worker-class") + 1] == WORKERS[interface]
    answer = exercises.answering_process(production)
    assert answer["parent"] == production.process.pid
    assert answer["interface"] == f"{interface.upper()}Request"


def test_production_serves_pages_and_no_static_files(production):
    exercises.serves_as_production(production)


def test_events_come_as_they_are_sent(production, interface):
    exercises.comes_as_it_is_sent(production, STREAM[interface])


def test_hup_replaces_the_workers(project, interface):
    with start(project, interface) as served:
        before = set(exercises.children(served.process.pid))
        served.process.send_signal(signal.SIGHUP)
        exercises.wait_for(
            lambda: (now := exercises.children(served.process.pid)) and not before & set(now)
        )
        exercises.wait_for(lambda: served.get("/") == (200, "hello"))
        assert served.process.poll() is None


def test_a_request_in_flight_is_finished(project, interface):
    with start(project, interface) as served:
        stopped = exercises.stop_in_flight(served)
    assert stopped.answer == (200, "slow but done")
    assert stopped.status == 0
    assert 0.5 < stopped.seconds < GRACE + 3


def test_an_open_stream_ends_with_the_graceful_timeout(project, interface):
    with (
        start(project, interface) as served,
        exercises.event_stream(served, STREAM[interface]) as stream,
    ):
        exercises.arrivals(stream, 1)
        stopped = exercises.stop(served)
    assert stopped.status == 0
    assert stopped.seconds < GRACE + 5


def test_websockets(tmp_path):
    project = copy_project("channels_chat", tmp_path)
    exercises.set_conf(project, GRACEFUL_TIMEOUT=GRACE)
    with serving(project, "--server", "gunicorn", "--no-reload") as served:
        exercises.echoes(served)
        with exercises.chat(served) as socket:
            socket.send("hello")
            socket.recv(timeout=10)
            stopped = exercises.stop(served)
    assert stopped.status == 0
    assert stopped.seconds < GRACE + 5


def test_development_serves_static_files_and_ends_with_ctrl_c(project, interface):
    with start(project, interface, "1") as served:
        status, css = served.get("/static/admin/css/base.css")
        assert (status, "body" in css) == (200, True)
        assert served.get("/static/nothing.css")[0] == 404
        stopped = exercises.interrupt(served)
    assert stopped.status == 0
    assert stopped.seconds < 6
    assert "Traceback" not in served.log.read_text()
