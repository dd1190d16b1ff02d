"""The CPU time that a handler takes for a request, without a server and without connections.

Run by ``handlers.py`` in the directory and the environment of its project, with the entry
point, the view, and how many requests are in flight at once; writes JSON.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 1.0
HEADERS = {"host": "127.0.0.1", "accept": "*/*", "user-agent": "benchmark"}


async def request(application: Any, view: str) -> None:
    """One request to an ASGI application, whose client stays until the response is there."""
    body = iter([{"type": "http.request", "body": b"", "more_body": False}])
    status = 0

    async def receive() -> dict[str, object]:
        for message in body:
            return message
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": f"/{view}",
        "raw_path": f"/{view}".encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in HEADERS.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }
    await application(scope, receive, send)
    assert status == 200


async def drive(application: Any, view: str, in_flight: int, until: float) -> int:
    """Keep so many requests in flight until then; how many were answered."""
    answered = itertools.count()

    async def client() -> None:
        while time.perf_counter() < until:
            await asyncio.create_task(request(application, view))
            next(answered)

    await asyncio.gather(*(client() for _ in range(in_flight)))
    return next(answered)


def drive_wsgi(application: Any, view: str, in_flight: int, until: float) -> int:
    """The same for WSGI, each of the requests in flight in a thread of its own."""

    def client() -> int:
        answered = 0
        while time.perf_counter() < until:
            environ = {
                "REQUEST_METHOD": "GET",
                "SCRIPT_NAME": "",
                "PATH_INFO": f"/{view}",
                "QUERY_STRING": "",
                "SERVER_NAME": "127.0.0.1",
                "SERVER_PORT": "8000",
                "SERVER_PROTOCOL": "HTTP/1.1",
                "REMOTE_ADDR": "127.0.0.1",
                "wsgi.version": (1, 0),
                "wsgi.url_scheme": "http",
                "wsgi.input": io.BytesIO(),
                "wsgi.errors": sys.stderr,
                "wsgi.multithread": True,
                "wsgi.multiprocess": False,
                "wsgi.run_once": False,
                **{
                    f"HTTP_{name.upper().replace('-', '_')}": text for name, text in HEADERS.items()
                },
            }
            response = application(environ, _start_response)
            b"".join(response)
            response.close()
            answered += 1
        return answered

    with ThreadPoolExecutor(in_flight) as threads:
        return sum(threads.map(lambda _: client(), range(in_flight)))


def _start_response(status: str, _: object) -> None:
    assert status == "200 OK"


def main() -> None:
    """Warm up, drive, print."""
    entry_point, view, in_flight = sys.argv[1], sys.argv[2], int(sys.argv[3])
    sys.path[0] = ""  # the project's directory in the place of this one
    application = import_module(entry_point).application
    answer: Callable[[float], int]
    if entry_point.endswith("wsgi"):

        def answer(until: float) -> int:
            return drive_wsgi(application, view, in_flight, until)
    else:

        def answer(until: float) -> int:
            return asyncio.run(drive(application, view, in_flight, until))

    answer(time.perf_counter() + SECONDS / 4)
    cpu, clock = time.process_time(), time.perf_counter()
    requests = answer(clock + SECONDS)
    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    print(json.dumps({"requests": requests, "seconds": clock, "cpu": cpu}))


if __name__ == "__main__":
    main()
