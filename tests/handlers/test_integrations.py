"""The handler with what projects put around it: Channels, Sentry, OpenTelemetry, DRF, ...

Each project is served twice, by Django's handler and by this one; the same requests are
made, and what they and the tools saw is the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from websockets.sync.client import connect

from tests.support import (
    Served,
    copy_project,
    environment,
    free_port,
    manage,
    serving,
    wait_until_answering,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HANDLERS = ("django", "deploytool")
# Of the time, or of the server's process.
VARYING_HEADERS = {"date", "expires", "x-visits", "server-timing", "djdt-request-id", "etag"}
SECRETS = re.compile(
    r"(csrftoken|sessionid)=[^;]*|expires=[^;]*"
    r'|csrfmiddlewaretoken" value="[^"]*|csrfToken": "[^"]*|127\.0\.0\.1:\d+'
)


@dataclass
class Answer:
    """What a client sees of a response, and how many visits to a thread it took."""

    status: int
    body: str
    headers: list[tuple[str, str]]
    visits: int = field(compare=False)


def answer(response: httpx.Response) -> Answer:
    headers = sorted(
        (name, SECRETS.sub("...", value))
        for name, value in response.headers.multi_items()
        if name not in VARYING_HEADERS
    )
    return Answer(
        response.status_code,
        SECRETS.sub("...", response.text),
        headers,
        int(response.headers.get("x-visits", "-1")),
    )


def browser(served: Served) -> httpx.Client:
    return httpx.Client(base_url=served.url, timeout=20, trust_env=False)


@contextlib.contextmanager
def uvicorn(
    project: Path, application: str, *options: str, log: Path | None = None, **env: str
) -> Iterator[Served]:
    """``application`` of ``project`` by Uvicorn's own command line."""
    port = free_port()
    log = log or project / f"{env['HANDLER']}.log"
    command = [sys.executable, "-m", "uvicorn", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *options, application],
            cwd=project,
            env=environment(**env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    served = Served(process, port, log)
    try:
        wait_until_answering(served, "/up/")
        yield served
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(5)


def each(talk: Callable[[str], Any]) -> list[Any]:
    """What ``talk(handler)`` gives for Django's handler and for this one, at the same time."""
    with ThreadPoolExecutor(len(HANDLERS)) as pool:
        return list(pool.map(talk, HANDLERS))


def with_database(name: str, tmp_path: Path, script: str = "") -> Path:
    """A copy of a project, its database migrated and filled by ``script``."""
    project = copy_project(name, tmp_path)
    done = manage(project, "migrate", "--verbosity", "0", HANDLER="django")
    assert done.returncode == 0, done.stderr
    if script:
        done = manage(project, "shell", "-v", "0", "-c", script, HANDLER="django")
        assert done.returncode == 0, done.stderr
    return project


ADA = (
    "from django.contrib.auth.models import User;"
    "User.objects.create_user('ada', 'ada@example.org', 'secret', is_staff=True)"
)


# --- Channels ---------------------------------------------------------------------------


def talk_to_channels(served: Served) -> list[Any]:
    """HTTP and WebSocket beside each other: shared sessions, layers and databases."""
    seen: list[Any] = []
    address = f"ws://127.0.0.1:{served.port}/ws"

    def ask(path: str, text: str, cookies: httpx.Cookies | None = None) -> str:
        pairs = "; ".join(f"{name}={value}" for name, value in (cookies or {}).items())
        headers = {"Cookie": pairs} if pairs else {}
        with connect(address + path, additional_headers=headers, proxy=None) as socket:
            socket.send(text)
            return str(socket.recv(timeout=10))

    for log_in in ("/log-in/", "/alog-in/"):
        with browser(served) as client:
            seen.append(ask("/echo/", "hello", client.cookies))
            seen.append(answer(client.get(log_in)))
            seen.append(ask("/echo/", "hello", client.cookies))
            seen.append(ask("/sync/", "hello", client.cookies))
            with connect(address + "/echo/", proxy=None) as socket:
                socket.send("there?")
                seen.append(socket.recv(timeout=10))
                for tell in ("/tell/", "/atell/"):
                    seen += [answer(client.get(tell)), socket.recv(timeout=10)]
            for path in ("/sync/", "/async/", "/stream/", "/missing/", "/error/"):
                seen.append(answer(client.get(path)))
            seen.append(answer(client.post("/body/", content=b"x" * 300_000)))
            seen.append(answer(client.post("/body/", files={"upload": b"y" * 300_000})))
    with browser(served) as client, pytest.raises(httpx.ReadTimeout):
        client.get("/slow/", timeout=0.5)
    deadline = time.monotonic() + 5
    with browser(served) as client:
        while not client.get("/cancelled/").json():
            assert time.monotonic() < deadline, "the view was not cancelled"
            time.sleep(0.05)
        seen.append(client.get("/cancelled/").json())
    return seen


@pytest.mark.parametrize("server", ["uvicorn", "daphne"])
def test_channels(tmp_path, server):
    project = with_database("handler_channels", tmp_path, ADA)

    def talk(handler: str) -> list[Any]:
        log = tmp_path / f"{handler}.log"
        with serving(
            project, "--server", server, "--workers", "1", path="/up/", log=log, HANDLER=handler
        ) as served:
            return talk_to_channels(served)

    django, ours = each(talk)
    assert ours == django
    replies = [reply for reply in ours if isinstance(reply, str)]
    assert (
        replies
        == [
            *["hello nobody 1", "hello ada 1", "hello 1", "there? nobody 1"],
            *["told by a sync view", "told by an async view"],
        ]
        * 2
    )
    pages = [(page.status, page.body) for page in ours if isinstance(page, Answer)]
    assert pages[3:6] == [(200, "sync ada 1"), (200, "async ada 1"), (200, "0:1 1:1 2:1 ")]
    assert [status for status, _ in pages[6:8]] == [404, 500]
    assert pages[8][1] == "300000 []"
    assert pages[9][1].endswith("['upload']")
    assert ours[-1] == ["/slow/"]
    # One visit for the sync view, whose user is looked up there.
    assert [page.visits for page in ours if isinstance(page, Answer)][3] == 1
    assert [page.visits for page in django if isinstance(page, Answer)][3] > 10


# --- Lifespan ---------------------------------------------------------------------------


def log_lines(log: Path) -> list[str]:
    """The lines of a log, without what differs from one start to the next."""
    lines = re.sub(r"\d+", "N", log.read_text()).splitlines()
    return [line for line in lines if "/up/" not in line]


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_an_application_around_it_answers_lifespan(tmp_path, mode):
    project = with_database("handler_channels", tmp_path)

    def talk(handler: str) -> list[Any]:
        application = "live.asgi:with_lifespan"
        with uvicorn(project, application, "--lifespan", mode, HANDLER=handler) as served:
            seen = [served.get("/up/"), served.get("/state/")]
            return [*seen, served.stop(), log_lines(served.log)]

    django, ours = each(talk)
    assert ours[0] == (200, "here")
    status, state = ours[1]
    assert (status, json.loads(state)["requests"][-2:]) == (200, ["/up/", "/state/"])
    assert [line for line in ours[3] if line.startswith("answered")] == [
        "answered lifespan.startup",
        "answered lifespan.shutdown",
    ]
    assert (ours[2], ours[3]) == (django[2], django[3])


def test_the_bare_handler_starts_where_lifespan_is_optional(tmp_path):
    project = with_database("handler_channels", tmp_path)

    def talk(handler: str) -> list[Any]:
        with uvicorn(project, "live.asgi:bare", "--lifespan", "auto", HANDLER=handler) as served:
            return [served.get("/sync/"), served.stop(), log_lines(served.log)]

    django, ours = each(talk)
    assert ours == django
    assert ours[0] == (200, "sync  0")
    assert "INFO:     ASGI 'lifespan' protocol appears unsupported." in ours[2]


def test_the_bare_handler_does_not_start_where_lifespan_is_demanded(tmp_path):
    project = copy_project("handler_channels", tmp_path)

    def talk(handler: str) -> str:
        with (
            pytest.raises(AssertionError, match="Application startup failed") as failed,
            uvicorn(project, "live.asgi:bare", "--lifespan", "on", HANDLER=handler),
        ):
            pass
        return str(failed.value)

    for log in each(talk):
        assert "Django can only handle ASGI/HTTP connections, not lifespan." in log


# --- Sentry -----------------------------------------------------------------------------

SENTRY_PATHS = {
    "/sync/": "sync 1",
    "/async/": "async 2",
    "/pure/": "pure",
    "/rendered/": "rendered by a template",
    "/stream/": "0 1 2 ",
    "/items/7/": "item 7",
}
SENTRY_ERRORS = {
    "/sync/error/": ("RuntimeError", "sync view"),
    "/async/error/": ("RuntimeError", "async view"),
    "/nested/error/": ("RuntimeError", "in the thread"),
    "/user/error/": ("RuntimeError", "of a user"),
    "/rendered/error/": ("TemplateDoesNotExist", "No template names provided"),
    "/hook/request/": ("LookupError", "process_request"),
    "/hook/view/": ("LookupError", "process_view"),
    "/hook/response/": ("LookupError", "process_response"),
}


@dataclass
class Watched:
    """What the client and Sentry saw of one handler."""

    answers: dict[str, Answer]
    events: dict[str, list[dict[str, Any]]]
    transactions: dict[str, list[dict[str, Any]]]


def sentry_event(event: dict[str, Any]) -> dict[str, Any]:
    """An event without ids, times and what of the stack is the handler's own."""
    request = event["request"]
    return {
        "transaction": event["transaction"],
        "level": event["level"],
        "exceptions": [
            (
                value["type"],
                value["value"],
                value["mechanism"]["type"],
                value["mechanism"]["handled"],
                value["stacktrace"]["frames"][-1]["function"],
            )
            for value in event["exception"]["values"]
        ],
        "request": (request["method"], re.sub(r":\d+", "", request["url"]), request.get("data")),
        "user": event.get("user"),
        "breadcrumbs": [
            crumb["message"]
            for crumb in event["breadcrumbs"]["values"]
            if crumb["category"] == "watched"
        ],
        "in a trace": "trace_id" in event["contexts"]["trace"],
    }


def sentry_transaction(transaction: dict[str, Any]) -> dict[str, Any]:
    """A transaction likewise; of its spans the tree, in the order of their beginnings."""
    trace = transaction["contexts"]["trace"]
    names = {trace["span_id"]: "request"}
    spans = sorted(transaction["spans"], key=lambda span: str(span["start_timestamp"]))
    names |= {span["span_id"]: span["description"] for span in spans}
    return {
        "source": transaction["transaction_info"]["source"],
        "trace": (trace["op"], trace.get("status"), trace["origin"]),
        "spans": [
            (
                span["op"],
                span["description"],
                span.get("status"),
                names[span["parent_span_id"]],
                span.get("tags", {}).get("django.function_name"),
            )
            for span in spans
        ],
    }


def watch(project: Path, handler: str, spans: str) -> Watched:
    record = project / f"{handler}.jsonl"
    record.touch()
    with uvicorn(
        project, "watched.asgi:application", "--lifespan", "off",
        HANDLER=handler, SPANS=spans, RECORD=str(record),
    ) as served, browser(served) as client:  # fmt: skip
        answers = {
            path: answer(client.get(path)) for path in [*SENTRY_PATHS, *SENTRY_ERRORS, "/missing/"]
        }
        posted = client.post("/sync/error/", data={"field": "posted"})
        answers["posted"] = answer(posted)
        served.stop()
    watched = Watched(answers, {}, {})
    for item in map(json.loads, record.read_text().splitlines()):
        path = httpx.URL(item["request"]["url"]).path
        if path == "/up/":
            continue
        if item.get("type") == "transaction":
            told = watched.transactions.setdefault(path, [])
            told.append({"name": item["transaction"], **sentry_transaction(item)})
            told[-1]["name"] = re.sub(r":\d+", "", told[-1]["name"])
        else:
            watched.events.setdefault(path, []).append(sentry_event(item))
    return watched


@pytest.fixture(scope="module", params=["false", "true"], ids=["plain", "spans"])
def watched(request, tmp_path_factory):
    """What Sentry sees, without and with spans of the middleware; and which of both it was."""
    project = copy_project("handler_sentry", tmp_path_factory.mktemp("sentry"))
    django, ours = each(lambda handler: watch(project, handler, request.param))
    return django, ours, request.param == "true"


def test_sentry_changes_no_answer(watched):
    django, ours, _ = watched
    assert ours.answers == django.answers
    bodies = {path: ours.answers[path].body for path in SENTRY_PATHS}
    assert {path: body[: len(SENTRY_PATHS[path])] for path, body in bodies.items()} == SENTRY_PATHS


def test_hooks_stay_on_the_event_loop_inside_of_sentrys_wrappers(watched):
    django, ours, _ = watched
    # The signals, two hooks of the project's middleware, and the view.
    assert ours.answers["/sync/"].visits == 4
    assert django.answers["/sync/"].visits > 15
    assert ours.answers["/pure/"].visits == 4
    assert django.answers["/pure/"].visits > 15


def test_sentry_is_told_of_each_error_once(watched):
    django, ours, _ = watched
    assert ours.events == django.events
    assert set(ours.events) == set(SENTRY_ERRORS)
    for path, (name, message) in SENTRY_ERRORS.items():
        events = ours.events[path]
        assert len(events) == (2 if path == "/sync/error/" else 1)  # got, and posted
        assert events[0]["exceptions"][-1][:4] == (name, message, "django", False)
        assert events[0]["transaction"] == path
        assert events[0]["request"][:2] == ("GET", f"http://127.0.0.1{path}")


def test_sentry_knows_the_request_of_an_error(watched):
    events = watched[1].events
    assert events["/sync/error/"][1]["request"] == (
        "POST",
        "http://127.0.0.1/sync/error/",
        {"field": "posted"},
    )
    assert events["/user/error/"][0]["user"] == {
        "id": "7",
        "email": "ada@example.org",
        "username": "ada",
    }
    # What was logged before, of this request and of no other.
    assert events["/sync/error/"][0]["breadcrumbs"] == ["about to fail in /sync/error/"]
    assert events["/async/error/"][0]["breadcrumbs"] == ["about to fail in /async/error/"]
    assert events["/nested/error/"][0]["breadcrumbs"] == ["about to fail in the thread"]


def test_sentry_traces_each_request(watched):
    django, ours, with_spans = watched
    assert ours.transactions == django.transactions
    assert set(ours.transactions) == {*SENTRY_PATHS, *SENTRY_ERRORS, "/missing/"}
    assert ours.transactions["/items/7/"][0]["name"] == "/items/{number}/"
    assert ours.transactions["/sync/"][0]["trace"] == ("http.server", "ok", "auto.http.django")
    assert ours.transactions["/async/error/"][0]["trace"][1] == "internal_error"
    spans = ours.transactions["/sync/"][0]["spans"]
    assert [name for op, name, *_ in spans if op == "db"] == ["connect", "SELECT %s"]
    middleware = [name.rsplit(".", 2)[1:] for op, name, *_ in spans if op == "middleware.django"]
    hooks = [[name, "__acall__"] for name in (
        "SecurityMiddleware", "SessionMiddleware", "CommonMiddleware", "CsrfViewMiddleware",
        "AuthenticationMiddleware", "MessageMiddleware", "XFrameOptionsMiddleware", "Failing",
    )] + [
        ["function", "middleware"],
        ["CsrfViewMiddleware", "process_view"],
        ["Failing", "process_view"],
    ]  # fmt: skip
    assert middleware == (hooks if with_spans else [])


# --- OpenTelemetry ----------------------------------------------------------------------

REMOTE_TRACE = "0af7651916cd43dd8448eb211c80319c"
OTEL_PATHS = (
    *("/sync/", "/async/", "/pure/", "/sync/error/", "/async/error/", "/stream/", "/items/7/"),
    *("/hook/request/", "/hook/view/", "/hook/response/", "/missing/"),
)


def otel_span(span: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """A span without ids, times and ports."""
    own = {"net.peer.port", "net.host.port", "client.port", "server.port"}
    return {
        "name": span["name"],
        "kind": span["kind"],
        "parent": names.get(span["parent_id"], span["parent_id"]),
        "status": span["status"],
        "attributes": {
            name: re.sub(r":\d+", "", str(value))
            for name, value in span["attributes"].items()
            if name not in own
        },
        "events": [
            (event["name"], event["attributes"]["exception.message"]) for event in span["events"]
        ],
        "from afar": span["context"]["trace_id"] == f"0x{REMOTE_TRACE}",
    }


def trace(project: Path, handler: str, instrumented: str) -> tuple[dict[str, Answer], list[Any]]:
    """The answers, and the spans in the order of their ends."""
    record = project / f"{handler}.jsonl"
    answers: dict[str, Answer] = {}
    with uvicorn(
        project, "traced.asgi:application", "--lifespan", "off",
        HANDLER=handler, INSTRUMENTED=instrumented, RECORD=str(record),
    ) as served, browser(served) as client:  # fmt: skip
        for number, path in enumerate(OTEL_PATHS):
            parent = {"traceparent": f"00-{REMOTE_TRACE}-b7ad6b71692033{number:02}-01"}
            answers[path] = answer(client.get(path, headers=parent))
        with ThreadPoolExecutor(20) as clients:
            waited = list(clients.map(served.get, ["/waiting/"] * 20))
        assert waited == [(200, "waited")] * 20
        served.stop()
        assert "different Context" not in served.log.read_text()
    spans = [json.loads(line) for line in record.read_text().splitlines()]
    # Whether a listener hears that the client left, or is cancelled before, is a race.
    spans = [
        span
        for span in spans
        if not re.search("up/|waiting/", str(span))
        and not (
            span["name"].endswith("http receive")
            and span["attributes"].get("asgi.event.type") != "http.request"
        )
    ]
    names = {span["context"]["span_id"]: span["name"] for span in spans}
    return answers, [otel_span(span, names) for span in spans]


@pytest.mark.parametrize("instrumented", ["django", "asgi"])
def test_opentelemetry(tmp_path, instrumented):
    project = copy_project("handler_opentelemetry", tmp_path)
    (_, expected), (answers, spans) = django, ours = each(
        lambda handler: trace(project, handler, instrumented)
    )
    assert ours[0] == django[0]

    def unordered(spans: list[Any]) -> list[str]:
        return sorted(map(str, spans))

    assert unordered(spans) == unordered(expected)
    servers = {span["parent"][-2:]: span for span in spans if span["kind"] == "SpanKind.SERVER"}
    assert len(servers) == len(OTEL_PATHS)
    by_path = {path: servers[f"{number:02}"] for number, path in enumerate(OTEL_PATHS)}
    assert all(span["from afar"] for span in servers.values())
    for path, span in by_path.items():
        assert int(span["attributes"]["http.status_code"]) == answers[path].status
    inner = {span["name"]: span["parent"] for span in spans if "in " in span["name"]}
    root = "GET {}" if instrumented == "django" else "GET /{}"
    assert inner == {
        "in the sync view": root.format("sync/"),
        "in the async view": root.format("async/"),
        "in its thread": "in the async view",
        "in the view that waits for nothing": root.format("pure/"),
    }
    if instrumented == "django":
        assert by_path["/items/7/"]["name"] == "GET items/<int:number>/"
        assert by_path["/items/7/"]["attributes"]["http.route"] == "items/<int:number>/"
        assert by_path["/sync/error/"]["events"] == [("exception", "sync view")]
        assert by_path["/async/error/"]["events"] == [("exception", "async view")]
        # Its middleware holds a thread for the whole request, all others run as one.
        assert answers["/sync/"].visits <= 4
    else:
        assert answers["/sync/"].visits == 1
    assert django[0]["/sync/"].visits > 15


# --- APIs -------------------------------------------------------------------------------


def talk_to_drf(client: httpx.Client) -> Iterator[httpx.Response]:
    html = {"Accept": "text/html"}
    basic = httpx.BasicAuth("ada", "secret")
    for path in ("status/", "me/", "groups/", "", "fails/", "groups/99/"):
        yield client.get(f"/drf/{path}")
    yield client.get("/drf/me/", auth=basic)
    yield client.get("/drf/me/", auth=httpx.BasicAuth("ada", "wrong"))
    yield client.get("/drf/groups/", headers=html)
    yield client.post("/drf/groups/", json={"name": "refused"})
    yield client.post("/drf/groups/", json={"name": "first"}, auth=basic)
    yield client.post("/drf/groups/", json={"name": "first"}, auth=basic)
    yield client.put("/drf/groups/1/", json={"name": "renamed"}, auth=basic)
    yield client.post("/drf/both/", auth=basic)
    yield client.get("/drf/groups/names/")
    token = client.post("/drf/token/", data={"username": "ada", "password": "secret"})
    yield client.get("/drf/me/", headers={"Authorization": f"Token {token.json()['token']}"})
    # The browsable API: its log-in, its forms, with CSRF.
    page = client.get("/drf/login/login/", headers=html)
    yield page
    log_in = {
        "username": "ada",
        "password": "secret",
        "next": "/drf/groups/",
        "csrfmiddlewaretoken": re.search(r'csrfmiddlewaretoken" value="(\w+)', page.text)[1],
    }
    yield client.post("/drf/login/login/", data=log_in)
    yield client.get("/drf/groups/", headers=html)
    yield client.post("/drf/groups/", json={"name": "without a token"})
    csrf = {"X-CSRFToken": client.cookies["csrftoken"]}
    yield client.post("/drf/groups/", json={"name": "second"}, headers=csrf)
    yield client.get("/drf/groups/names/")
    yield client.delete("/drf/groups/1/", headers=csrf)
    yield client.options("/drf/groups/")
    yield client.get("/drf/me/")


def talk_to_ninja(client: httpx.Client) -> Iterator[httpx.Response]:
    # Still logged in by the other conversation.
    csrf = {"X-CSRFToken": client.cookies["csrftoken"]}
    log_in = {"username": "ada", "password": "secret"}
    token = client.post("/drf/token/", data=log_in, headers=csrf)
    bearer = {"Authorization": f"Bearer {token.json()['token']}"}
    for form in ("sync", "async"):
        yield client.get(f"/ninja/{form}?number=7")
        yield client.get(f"/ninja/{form}?number=seven")
        yield client.post(f"/ninja/{form}/groups", json={"name": form})
        yield client.post(f"/ninja/{form}/groups", json={"name": form}, headers=bearer)
        yield client.post(f"/ninja/{form}/groups", json={}, headers=bearer)
        yield client.get(f"/ninja/{form}?number=7")
    for path in ("session", "asession", "refused", "fails", "stream", "docs", "openapi.json"):
        yield client.get(f"/ninja/{path}")


@pytest.fixture(scope="module")
def apis(tmp_path_factory):
    """The answers of both handlers to both conversations: [(drf, ninja), (drf, ninja)]."""
    directory = tmp_path_factory.mktemp("apis")
    project = with_database("handler_apis", directory, ADA)

    def talk(handler: str) -> list[list[Answer]]:
        own = directory / handler
        own.mkdir()
        # Each has a database of its own, with the same in it.
        (own / "db.sqlite3").write_bytes((project / "db.sqlite3").read_bytes())
        with uvicorn(
            project, "apis.asgi:application", "--lifespan", "off",
            HANDLER=handler, DATABASE=str(own / "db.sqlite3"),
        ) as served, browser(served) as client:  # fmt: skip
            return [
                list(map(answer, conversation(client)))
                for conversation in (talk_to_drf, talk_to_ninja)
            ]

    return each(talk)


def test_django_rest_framework(apis):
    (django, _), (ours, _) = apis
    assert ours == django
    assert [page.status for page in ours] == [
        *(200, 403, 200, 200, 500, 404),
        *(200, 403, 200, 403, 201, 400, 200, 500, 200, 200),
        *(200, 302, 200, 403, 201, 200, 204, 200, 200),
    ]
    assert ours[0].body == '{"status":"ok"}'
    assert ours[6].body == '{"user":"ada","by":"NoneType"}'
    assert ours[14].body == '["renamed"]'  # and not what was undone
    assert ours[15].body == '{"user":"ada","by":"Token"}'
    assert "Django REST framework" in ours[8].body
    assert "ada" in ours[18].body  # who is logged in
    assert "csrfHeaderName" in ours[18].body
    assert ours[21].body == '["renamed","second"]'
    # No visit but the view's own, whatever it does there.
    assert [page.visits for page in (ours[0], ours[6], ours[14])] == [1, 1, 1]
    assert django[0].visits >= 15


def test_django_ninja(apis):
    (_, django), (_, ours) = apis
    assert ours == django
    assert [page.status for page in ours] == [
        *(200, 422, 401, 201, 422, 200),
        *(200, 422, 401, 201, 422, 200),
        *(200, 200, 418, 500, 200, 200, 200),
    ]
    assert [ours[number].body for number in (0, 3, 5)] == [
        '{"groups": 1, "number": 7}',
        '{"name": "sync"}',
        '{"groups": 2, "number": 7}',
    ]
    assert [ours[number].body for number in (6, 9, 11)] == [
        '{"groups": 2, "number": 7}',
        '{"name": "async"}',
        '{"groups": 3, "number": 7}',
    ]
    assert [ours[number].body for number in (12, 13)] == ['{"user": "ada"}'] * 2
    assert ours[16].body == "0:3 1:3 2:3 "
    assert ours[0].visits == 1
    assert django[0].visits >= 15


# --- django-debug-toolbar ---------------------------------------------------------------


def look_at_toolbar(served: Served) -> list[Any]:
    """For each page: whether the toolbar is in it, the queries it counts, their numbers."""
    seen: list[Any] = []
    with browser(served) as client:
        pages = []
        # Twice: the threads, and with them the connections, are used again.
        for path in ("/sync/", "/async/", "/none/", "/data/") * 2:
            page = client.get(path)
            timing = re.search(r"SQL (\d+) queries", page.headers["Server-Timing"])
            pages.append((path, page, timing[1]))
        for path, page, count in pages:
            request_id = page.headers["djdt-request-id"]
            panel = client.get(
                "/__debug__/render_panel/",
                params={"request_id": request_id, "panel_id": "SQLPanel"},
            )
            numbers = sorted(
                set(re.findall(r"4200\D{0,40}\+\D{0,60}(\d)", panel.json()["content"]))
            )
            shown = 'id="djDebug"' in page.text
            # The length varies with the times that are shown.
            headers = [pair for pair in answer(page).headers if pair[0] != "content-length"]
            seen.append((path, page.status_code, shown, count, numbers, headers))
        seen.append([answer(page).visits for _, page, _ in pages])
    return seen


def test_debug_toolbar(tmp_path):
    project = with_database("handler_toolbar", tmp_path)

    def talk(handler: str) -> list[Any]:
        with uvicorn(
            project, "shown.asgi:application", "--lifespan", "off", HANDLER=handler
        ) as served:
            return look_at_toolbar(served)

    django, ours = each(talk)
    assert [page[:5] for page in ours[:-1]] == [
        ("/sync/", 200, True, "2", ["1", "2"]),
        ("/async/", 200, True, "3", ["3", "4", "5"]),
        ("/none/", 200, True, "0", []),
        ("/data/", 200, False, "1", ["6"]),
    ] * 2
    assert ours[:-1] == django[:-1]
    assert sum(ours[-1]) < sum(django[-1])
