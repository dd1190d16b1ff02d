"""Leased threads, through Uvicorn: how many, whose, for how long, and what stays of them."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import copy_project, manage, serving


@contextlib.contextmanager
def site(tmp_path, conf=None, **env):
    project = copy_project("handler_threads", tmp_path)
    manage(project, "migrate", "--verbosity", "0")
    options = ("--server", "uvicorn", "--workers", "1")
    with serving(project, *options, CONF=json.dumps(conf or {}), **env) as served:
        yield served


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Two threads, and two seconds to wait for one."""
    with site(tmp_path_factory.mktemp("leases")) as served:
        yield served


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """One thread, and time to wait for it."""
    conf = {"ASGI_THREADS": 1, "ASGI_THREAD_TIMEOUT": 10}
    with site(tmp_path_factory.mktemp("single"), conf) as served:
        yield served


def state(served):
    return json.loads(served.get("/state/")[1])


def together(served, *paths):
    """Status, body and seconds of each of ``paths``, requested at the same time."""

    def one(path):
        begun = time.monotonic()
        status, body = served.get(path)
        return status, body, time.monotonic() - begun

    with ThreadPoolExecutor(len(paths)) as clients:
        return list(clients.map(one, paths))


def until(condition, seconds=5):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.02)


def leave(served, path, after):
    """Request ``path`` and close the connection ``after`` seconds later."""
    with socket.create_connection(("127.0.0.1", served.port)) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        time.sleep(after)


def test_a_burst_waits_its_turn_for_a_bounded_number_of_threads(served):
    answers = together(served, *["/sync/?seconds=0.1"] * 12)
    assert [answer[:2] for answer in answers] == [(200, "done")] * 12
    # Six times two at once, and not all twelve.
    assert max(seconds for *_, seconds in answers) > 0.55
    assert state(served)["threads"] == 2


def test_a_request_comes_back_to_its_thread(served):
    assert served.get("/waiting/?seconds=0.3") == (200, "True")


def test_what_a_middleware_keeps_in_the_thread_is_there_when_it_comes_back(tmp_path):
    def one(_):
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", "/waiting/?seconds=0.3")
            response = connection.getresponse()
            return response.status, response.headers["X-Own-State"], response.read()

    with site(tmp_path, OWN="1") as served, ThreadPoolExecutor(8) as clients:
        assert set(clients.map(one, range(8))) == {(200, "True", b"True")}
        assert state(served)["threads"] == 2


def test_connections_outlive_the_requests_that_opened_them(served):
    for _ in range(6):
        assert served.get("/query/") == (200, "1")
    before = state(served)["opened"]
    answers = together(served, *["/query/"] * 10)
    assert {answer[:2] for answer in answers} == {(200, "1")}
    # A second thread may open its own.
    assert state(served)["opened"] <= max(before, 2)


def test_connections_without_an_age_are_closed_with_their_request(tmp_path):
    with site(tmp_path, CONN_MAX_AGE="0") as served:
        for _ in range(4):
            assert served.get("/query/") == (200, "1")
        assert state(served)["opened"] == 4


def test_who_waits_too_long_is_refused_and_the_site_recovers(served):
    paths = ["/sync/?seconds=3.5"] * 2 + ["/sync/"]
    answers = together(served, *paths)
    assert sorted(status for status, *_ in answers) == [200, 200, 503]
    assert served.get("/sync/") == (200, "done")


def test_the_refusal_says_when_to_come_back(served):
    with ThreadPoolExecutor(2) as clients:
        busy = [clients.submit(served.get, "/sync/?seconds=3") for _ in range(2)]
        time.sleep(0.2)
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
        connection.request("GET", "/sync/")
        response = connection.getresponse()
        assert (response.status, response.headers["Retry-After"]) == (503, "2")
        response.read()
        connection.close()
        assert [future.result()[0] for future in busy] == [200, 200]


def test_views_that_wait_hold_nobody_up(served):
    with ThreadPoolExecutor(10) as clients:
        waiting = [clients.submit(served.get, "/waiting/?seconds=2.5") for _ in range(10)]
        time.sleep(0.8)
        begun = time.monotonic()
        assert served.get("/sync/") == (200, "done")
        assert time.monotonic() - begun < 1
        assert [future.result()[0] for future in waiting] == [200] * 10


def test_open_streams_hold_nobody_up(tmp_path):
    # Behind a middleware that would keep the thread while a view waits.
    with site(tmp_path, OWN="1") as served, contextlib.ExitStack() as stack:
        streams = []
        for _ in range(6):
            client = stack.enter_context(
                contextlib.closing(http.client.HTTPConnection("127.0.0.1", served.port, timeout=10))
            )
            client.request("GET", "/events/")
            streams.append(stack.enter_context(client.getresponse()))
        assert all(stream.readline().startswith(b"data: 0 1") for stream in streams)
        begun = time.monotonic()
        assert served.get("/sync/") == (200, "done")
        assert time.monotonic() - begun < 1


@pytest.mark.parametrize(
    ("what", "kept"),
    [
        ("nothing", False),
        ("transaction", True),
        ("cursor", True),
        ("session", True),
        ("attribute", True),
    ],
)
def test_what_is_left_in_a_connection_keeps_the_thread(single, what, kept):
    with ThreadPoolExecutor(1) as clients:
        waiting = clients.submit(single.get, f"/keeping/{what}/?seconds=2")
        time.sleep(0.4)
        assert single.get("/sync/") == (200, "done")
        # The only thread there is was free for another request, or was not.
        time.sleep(0.4)
        assert waiting.done() == kept
        assert waiting.result() == (200, "True")


@pytest.mark.parametrize("age", ["0", "60"])
def test_a_stream_reads_all_its_rows_while_others_take_turns(tmp_path, age):
    conf = {"ASGI_THREADS": 1, "ASGI_THREAD_TIMEOUT": 10}
    with site(tmp_path, conf, CONN_MAX_AGE=age) as served, ThreadPoolExecutor(5) as clients:
        expected = served.get("/rows/")[1].split()
        assert len(expected) > 2
        streams = [clients.submit(served.get, "/rows/") for _ in range(2)]
        others = [clients.submit(served.get, "/query/") for _ in range(3)]
        assert [future.result()[1].split() for future in streams] == [expected] * 2
        assert {future.result() for future in others} == {(200, "1")}


def test_a_synchronous_stream_is_read_in_the_thread_of_its_view(served):
    answers = together(served, *["/sync-stream/"] * 6, *["/sync/?seconds=0.1"] * 6)
    assert [answer[1] for answer in answers] == ["True"] * 6 + ["done"] * 6


def test_no_request_goes_on_in_the_transaction_of_another(served):
    assert served.get("/leave-open/") == (200, "left open")
    assert [served.get("/is-atomic/") for _ in range(3)] == [(200, "False")] * 3


def test_a_view_goes_on_without_its_client_and_its_thread_comes_back(served):
    leave(served, "/sync/?seconds=0.5&name=left", after=0.2)
    assert "begun left" in state(served)["seen"]
    assert "done left" not in state(served)["seen"]
    until(lambda: "done left" in state(served)["seen"])
    assert [answer[0] for answer in together(served, *["/sync/?seconds=0.1"] * 4)] == [200] * 4
    assert state(served)["threads"] == 2


def test_who_leaves_while_waiting_for_a_thread_is_forgotten(served):
    with ThreadPoolExecutor(2) as clients:
        busy = [clients.submit(served.get, "/sync/?seconds=0.8") for _ in range(2)]
        time.sleep(0.2)
        leave(served, "/sync/?name=never", after=0.2)
        assert [future.result()[0] for future in busy] == [200, 200]
    assert served.get("/sync/") == (200, "done")
    assert "begun never" not in state(served)["seen"]


def test_a_task_may_outlive_its_request(served):
    assert served.get("/outliving/") == (200, "goes on")
    until(lambda: "later 1" in state(served)["seen"])


def test_a_view_in_flight_is_answered_before_the_server_ends(tmp_path):
    with site(tmp_path) as served, ThreadPoolExecutor(1) as clients:
        answer = clients.submit(served.get, "/sync/?seconds=1")
        time.sleep(0.4)
        served.stop()
        assert answer.result() == (200, "done")


@pytest.mark.parametrize(
    "off", ["coalescing", "event-loop-hooks", "leased-threads", "lazy-listener"]
)
def test_each_optimisation_can_be_left_off(tmp_path, off):
    with site(tmp_path, {"ASGI_HANDLER_OFF": [off]}) as served:
        assert served.get("/sync/") == (200, "done")
        assert served.get("/waiting/") == (200, "True")
        assert served.get("/query/") == (200, "1")
        assert (state(served)["threads"] == 0) == (off == "leased-threads")


def test_a_misspelt_optimisation_is_refused_before_anything_starts(tmp_path):
    project = copy_project("handler_threads", tmp_path)
    with (
        pytest.raises(AssertionError, match="Did you mean 'coalescing'"),
        serving(project, CONF=json.dumps({"ASGI_HANDLER_OFF": ["coalesing"]})),
    ):
        pass
