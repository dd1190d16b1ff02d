"""What every server is put through, so that each test only says what that server does."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from websockets.sync.client import ClientConnection, connect

from tests.support import Served

if TYPE_CHECKING:
    from collections.abc import Iterator

# What Django loads of an installed app; everything else of ours is gone with manage.py.
THE_APP = ["deploytool", "deploytool.apps"]


def set_conf(project: Path, **conf: Any) -> None:
    """State ``conf`` in the settings of the project's copy, as settings.DEPLOYTOOL."""
    with (project / "mysite" / "settings.py").open("a") as file:
        file.write(f"\nDEPLOYTOOL = {conf!r}\n")


def became(served: Served, server: str) -> list[str]:
    """That the process which was started is ``server`` now; its command line."""
    command = command_line(served.process.pid)
    assert command[1:3] == ["-m", server]
    assert not any("manage.py" in word for word in command)
    assert answering_process(served)["deploytool"] == THE_APP
    return command


def serves_as_production(served: Served) -> None:
    """That pages are served, and no static files without somebody who serves them."""
    assert served.get("/") == (200, "hello")
    assert served.get("/static/admin/css/base.css")[0] == 404
    assert served.get("/nothing/")[0] == 404


def answering_process(served: Served) -> dict[str, Any]:
    """What the minimal project says of the process that answers."""
    return json.loads(served.get("/process/")[1])


def command_line(pid: int) -> list[str]:
    """The command line of the process ``pid``."""
    return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")


def parent(pid: int) -> int:
    """The PID of the parent of ``pid``."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def children(pid: int) -> list[int]:
    """The PIDs of the direct children of ``pid``."""
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit() and parent(int(entry)) == pid:
                found.append(int(entry))
    return found


def belongs_to(pid: int, ancestor: int) -> bool:
    """Whether ``pid`` is ``ancestor`` or descends from it."""
    while pid > 1:
        if pid == ancestor:
            return True
        pid = parent(pid)
    return False


@dataclass(frozen=True)
class Stopped:
    """How a server ended: what its client got, its exit status, how long it took."""

    answer: tuple[int, str] | None
    status: int
    seconds: float


def stop_in_flight(served: Served) -> Stopped:
    """SIGTERM while a request of 1.5 seconds is being answered; ``answer`` None if dropped."""
    answers: list[tuple[int, str] | None] = []

    def ask() -> None:
        try:
            answers.append(served.get("/slow/"))
        except (OSError, http.client.HTTPException):
            answers.append(None)

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.5)
    started = time.monotonic()
    status = served.stop()
    seconds = time.monotonic() - started
    asking.join()
    return Stopped(answers[0], status, seconds)


def stop(served: Served, number: signal.Signals = signal.SIGTERM) -> Stopped:
    """Send the signal to the process that was started, and wait."""
    started = time.monotonic()
    served.process.send_signal(number)
    status = served.process.wait(40)
    return Stopped(None, status, time.monotonic() - started)


def interrupt(served: Served) -> Stopped:
    """Ctrl-C: the terminal sends SIGINT to every process of the group."""
    started = time.monotonic()
    os.killpg(served.process.pid, signal.SIGINT)
    status = served.process.wait(40)
    return Stopped(None, status, time.monotonic() - started)


@contextlib.contextmanager
def event_stream(served: Served, path: str = "/events/") -> Iterator[http.client.HTTPResponse]:
    """The open response of an event stream."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    connection.request("GET", path, headers={"Accept": "text/event-stream"})
    response = connection.getresponse()
    try:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream"
        yield response
    finally:
        response.close()
        connection.close()


def arrivals(response: http.client.HTTPResponse, count: int) -> list[float]:
    """When each of the next ``count`` events arrived, in seconds of the monotonic clock."""
    times = []
    while len(times) < count:
        line = response.readline()
        assert line, "the stream has ended"
        if line.startswith(b"data: "):
            times.append(time.monotonic())
    return times


def comes_as_it_is_sent(served: Served, path: str = "/events/") -> None:
    """Assert that events, 0.3 seconds apart, are not held back."""
    with event_stream(served, path) as stream:
        first, *_, last = arrivals(stream, 4)
    assert 0.6 < last - first < 3


def chat(served: Served) -> contextlib.AbstractContextManager[ClientConnection]:
    """A WebSocket to the chat of the channels_chat project."""
    return connect(f"ws://127.0.0.1:{served.port}/ws/chat/lobby/", origin=served.url)


def echoes(served: Served) -> None:
    """Assert that the chat sends back what it is sent, text and much of it."""
    with chat(served) as socket_:
        for message in ("hello", "ü" * 10_000):
            socket_.send(message)
            assert socket_.recv(timeout=10) == message


def fetch_unix(path: Path, target: str = "/") -> tuple[int, str]:
    """Status and body of a GET over a Unix socket."""
    connection = http.client.HTTPConnection("localhost", timeout=10)
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.settimeout(10)
        connection.sock.connect(str(path))
        connection.request("GET", target)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def certificate(directory: Path) -> dict[str, str]:
    """A new self-signed certificate for 127.0.0.1, as settings.DEPLOYTOOL names one."""
    key, cert = directory / "key.pem", directory / "cert.pem"
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")
    new = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    subprocess.run([*new, *names, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return {"CERTFILE": str(cert), "KEYFILE": str(key)}


def wait_for(condition: Any, timeout: float = 60) -> float:
    """Seconds until ``condition()`` was true; whatever the network raises meanwhile is ignored."""
    started = time.monotonic()
    while time.monotonic() < started + timeout:
        with contextlib.suppress(OSError, http.client.HTTPException, urllib.error.URLError):
            if condition():
                return time.monotonic() - started
        time.sleep(0.05)
    raise AssertionError(f"not within {timeout} s")
