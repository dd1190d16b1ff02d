"""Uvicorn, started by runserver_gateway: serving and stopping, with one process or several."""

from __future__ import annotations

import signal

import pytest
from websockets.exceptions import ConnectionClosed

from tests.servers import exercises
from tests.support import copy_project, serving

GRACE = 2  # seconds


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = copy_project("minimal", tmp_path_factory.mktemp("uvicorn"))
    exercises.set_conf(project, GRACEFUL_TIMEOUT=GRACE)
    return project


def start(project, workers=1, log=None):
    return serving(project, "--server", "uvicorn", "--workers", str(workers), DEBUG="0", log=log)


@pytest.fixture(scope="module")
def production(project):
    with start(project, log=project / "production.log") as served:
        yield served


def test_the_process_that_was_started_is_uvicorn(production):
    exercises.became(production, "uvicorn")
    answer = exercises.answering_process(production)
    assert answer["pid"] == production.process.pid
    assert answer["interface"] == "ASGIRequest"


def test_production_serves_pages_and_no_static_files(production):
    exercises.serves_as_production(production)


def test_events_come_as_they_are_sent(production):
    exercises.comes_as_it_is_sent(production)


def test_nothing_in_the_log_of_lifespan(production):
    assert "lifespan" not in production.log.read_text().lower()


@pytest.mark.parametrize(("workers", "status"), [(1, -signal.SIGTERM), (2, 0)])
def test_a_request_in_flight_is_finished(project, workers, status):
    with start(project, workers) as served:
        stopped = exercises.stop_in_flight(served)
    assert stopped.answer == (200, "slow but done")
    assert stopped.status == status
    assert 0.5 < stopped.seconds < GRACE + 3


def test_an_open_stream_ends_with_the_graceful_timeout(project):
    with start(project) as served, exercises.event_stream(served) as stream:
        exercises.arrivals(stream, 1)
        stopped = exercises.stop(served)
    assert stopped.status == -signal.SIGTERM
    assert stopped.seconds < GRACE + 5


def test_websockets(tmp_path):
    project = copy_project("channels_chat", tmp_path)
    with serving(project, "--server", "uvicorn", "--no-reload") as served:
        exercises.echoes(served)
        with exercises.chat(served) as socket:
            socket.send("hello")
            socket.recv(timeout=10)
            stopped = exercises.stop(served)
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=10)
    assert closed.value.rcvd.code == 1012  # service restart
    assert stopped.status == -signal.SIGTERM
    assert stopped.seconds < 5


def test_development_serves_static_files_and_ends_with_ctrl_c(tmp_path):
    project = copy_project("minimal", tmp_path)
    with serving(project, "--server", "uvicorn") as served:
        status, css = served.get("/static/admin/css/base.css")
        assert (status, "body" in css) == (200, True)
        assert served.get("/static/nothing.css")[0] == 404
        stopped = exercises.interrupt(served)
    assert stopped.status == 0
    assert stopped.seconds < 6
    assert "Traceback" not in served.log.read_text()
