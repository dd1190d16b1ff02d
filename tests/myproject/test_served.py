"""The demonstration, served for real: pages, clock and chat through each server.

Each server runs once in development and once as in production; a browser's part is
played by a WebSocket client and by sockets that read what arrives when it arrives.
"""

from __future__ import annotations

import contextlib
import http.client
import http.cookiejar
import json
import os
import re
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.support import ROOT, Served, manage, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "a key of the tests, long enough and of many different letters 0123456789"
MODES = ("development", "production")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="Gunicorn needs POSIX")


@pytest.fixture(scope="module")
def environments(tmp_path_factory) -> dict[str, dict[str, str | None]]:
    """The environment of each mode, with a database and static files of the tests' own."""
    folder = tmp_path_factory.mktemp("site")
    shared = {
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        "STATIC_ROOT": f"{folder}/static",
        "REDIS_URL": None,
        "BEHIND_TLS_PROXY": None,
        "ALLOWED_HOSTS": "127.0.0.1",
        "SECRET_KEY": SECRET,
    }
    development = {**shared, "DEBUG": "1", "SECURE_COOKIES": None}
    # The tests speak HTTP, as a proxy would that ends TLS, so cookies have to travel over it.
    production = {**shared, "DEBUG": "0", "SECURE_COOKIES": "0"}
    for command in (("migrate", "-v0"), ("collectstatic", "--noinput", "-v0")):
        done = manage(ROOT, *command, **production)
        assert done.returncode == 0, done.stderr
    return {"development": development, "production": production}


@dataclass(frozen=True)
class Site:
    """The served site, and how it is served."""

    served: Served
    server: str
    interface: str
    mode: str

    @property
    def origin(self) -> str:
        return self.served.url

    def status(self) -> dict[str, Any]:
        return json.loads(self.served.get("/status/")[1])


ASGI = [(server, "asgi", mode) for server in ("gunicorn", "uvicorn", "daphne") for mode in MODES]
WSGI = [("gunicorn", "wsgi", mode) for mode in MODES]


@pytest.fixture(scope="module")
def site(request, environments, tmp_path_factory) -> Iterator[Site]:
    server, interface, mode = request.param
    command = ("--server", server, "--interface", interface)
    log = tmp_path_factory.mktemp("log") / "server.log"
    with serving(ROOT, *command, path="/status/", log=log, **environments[mode]) as served:
        yield Site(served, server, interface, mode)


def served_by(*how: tuple[str, str, str]) -> pytest.MarkDecorator:
    """Run the test once on each such site."""
    return pytest.mark.parametrize("site", how, indirect=True, ids="-".join)


@served_by(*ASGI, *WSGI)
def test_the_page_names_what_answers(site):
    answer = site.status()
    assert answer["interface"] == site.interface.upper()
    assert answer["server"] == f"{site.server} {version(site.server)}"
    assert os.getsid(answer["process"]) == site.served.process.pid
    status, page = site.served.get("/")
    assert status == 200
    for field in ("interface", "server", "django", "python"):
        shown = re.search(rf'data-field="{field}"[^>]*>([^<]*)<', page)
        assert shown[1] == answer[field]


@served_by(*ASGI, *WSGI)
def test_pages_come_from_the_database(site):
    status, page = site.served.get("/pages/about/")
    assert status == 200
    assert "About this site" in page
    status, page = site.served.get("/admin/login/")
    assert status == 200
    assert 'name="password"' in page


@served_by(*ASGI, *WSGI)
def test_the_site_serves_its_static_files(site):
    _, page = site.served.get("/")
    address = re.search(r'<link rel="stylesheet" href="([^"]+)"', page)[1]
    with urllib.request.urlopen(site.served.url + address, timeout=10) as response:
        assert response.headers.get_content_type() == "text/css"
        assert b"prefers-color-scheme" in response.read()
        forever = "immutable" in response.headers.get("Cache-Control", "")
    assert forever == (site.mode == "production")
    assert "StreamingHttpResponse must consume" not in site.served.log.read_text()


@contextlib.contextmanager
def event_stream(site: Site) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", site.served.port, timeout=10)
    connection.request("GET", "/clock/events/", headers={"Accept": "text/event-stream"})
    response = connection.getresponse()
    try:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream"
        yield response
    finally:
        response.close()
        connection.close()


def next_tick(response: http.client.HTTPResponse) -> dict[str, Any] | None:
    """The data of the next tick, as soon as it arrives; None at the end of the stream."""
    while line := response.readline():
        if line.startswith(b"data: "):
            return json.loads(line.removeprefix(b"data: "))
    return None


@served_by(*ASGI)
def test_the_clock_ticks_while_the_response_is_open(site):
    with event_stream(site) as stream:
        first = next_tick(stream)
        arrived = time.monotonic()
        second, third = next_tick(stream), next_tick(stream)
        elapsed = time.monotonic() - arrived
    assert len({tick["time"] for tick in (first, second, third)}) == 3
    # The second waits for the next whole second, the third for one more.
    assert 1 <= elapsed < 4


@served_by(*ASGI)
def test_the_clock_notices_who_leaves(site):
    with event_stream(site) as stream:
        alone = next_tick(stream)["viewers"]
        with event_stream(site) as other:
            assert next_tick(other)["viewers"] == alone + 1
        # At the latest when the tick after the next one finds nobody to take it.
        assert alone in (next_tick(stream)["viewers"] for _ in range(4))


@served_by(*WSGI)
def test_the_clock_sends_one_tick_a_response_under_wsgi(site):
    with event_stream(site) as stream:
        # Whichever of the workers it is: they are in the session of the server's process.
        assert os.getsid(next_tick(stream)["process"]) == site.served.process.pid
        assert next_tick(stream) is None


def named(site: Site, name: str) -> str:
    """The session cookie of a guest who chose ``name`` on the chat's page."""
    cookies = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
    address = site.served.url + "/chat/"
    with browser.open(address, timeout=10) as response:
        page = response.read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
    form = urllib.parse.urlencode({"name": name, "csrfmiddlewaretoken": token}).encode()
    with browser.open(address, form, timeout=10) as response:
        assert name in response.read().decode()
    return next(f"{each.name}={each.value}" for each in cookies if each.name == "sessionid")


@contextlib.contextmanager
def in_chat(site: Site, name: str) -> Iterator[ClientConnection]:
    """``name``, connected to the chat and welcomed."""
    headers = {"Cookie": named(site, name)}
    address = site.served.url.replace("http", "ws", 1) + "/ws/chat/"
    with connect(address, origin=site.origin, additional_headers=headers) as socket:
        welcome = json.loads(socket.recv(timeout=10))
        assert (welcome["type"], welcome["name"]) == ("welcome", f"{name} (guest)")
        yield socket


@served_by(*ASGI)
def test_two_visitors_talk_to_each_other(site):
    with in_chat(site, "Ada") as ada, in_chat(site, "Grace") as grace:
        ada.send(json.dumps({"text": "Hello <b>Grace</b>"}))
        heard = json.loads(grace.recv(timeout=10))
        own = json.loads(ada.recv(timeout=10))
        assert (heard["name"], heard["text"]) == ("Ada (guest)", "Hello <b>Grace</b>")
        assert (heard["own"], own["own"]) == (False, True)
        grace.send(json.dumps({"text": "Hello Ada"}))
        assert json.loads(ada.recv(timeout=10))["name"] == "Grace (guest)"


@served_by(*ASGI)
def test_the_chat_bounds_what_is_said_and_goes_on(site):
    with in_chat(site, "Ada") as ada:
        for wrong in (json.dumps({"text": "x" * 501}), "no JSON", b"\x00\x01"):
            ada.send(wrong)
            assert json.loads(ada.recv(timeout=10))["type"] == "refused"
        ada.send(json.dumps({"text": "x" * 500}))
        assert len(json.loads(ada.recv(timeout=10))["text"]) == 500


@served_by(*ASGI)
@pytest.mark.parametrize("origin", ["https://elsewhere.example", None])
def test_the_chat_is_closed_to_other_origins(site, origin):
    address = site.served.url.replace("http", "ws", 1) + "/ws/chat/"
    with pytest.raises(InvalidStatus) as refused, connect(address, origin=origin):
        pass
    assert refused.value.response.status_code == 403


@served_by(*ASGI)
def test_an_unknown_websocket_is_refused_without_a_traceback(site):
    address = site.served.url.replace("http", "ws", 1) + "/ws/nothing/"
    with pytest.raises(InvalidStatus) as refused, connect(address, origin=site.origin):
        pass
    assert refused.value.response.status_code == 403
    assert "Traceback" not in site.served.log.read_text()


@served_by(*WSGI)
def test_the_chat_says_what_it_needs_under_wsgi(site):
    assert "The chat needs a WebSocket" in site.served.get("/chat/")[1]
    assert site.served.get("/ws/chat/")[0] == 404
