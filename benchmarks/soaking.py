"""Many clients at once who use a site and leave it as they like, and what that does to it.

The site is ``tests/projects/handler_postgres``: this module knows its views and what each
has to answer. Clients keep their connection from one request to the next; who leaves
closes it, or resets it, at a random moment before the answer is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import statistics
import struct
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from postgresql import Cluster

    _Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

PROJECT = Path(__file__).resolve().parent.parent / "tests" / "projects" / "handler_postgres"
ITEMS = 1000  # rows to read
INTERVAL = 0.5  # seconds between two samples
ANSWER_LIMIT = 60.0  # seconds after which a client takes its request for lost
SETTLE_LIMIT = 20.0  # seconds in which threads and tasks have to return to their number

WEIGHTS = {"read": 30, "read-async": 30, "write": 15, "write-async": 15, "stream": 10}
"""The views that are asked for, and how often of a hundred times."""


@dataclass(frozen=True)
class Exchange:
    """A request, and the only body that is a right answer to it."""

    view: str
    request: bytes
    body: bytes
    token: str = ""


def exchange(view: str, draw: random.Random) -> Exchange:
    """A request for ``view`` as nobody else makes it."""
    if view.startswith("write"):
        token = f"{draw.getrandbits(64):x}"
        # Between the two halves the transaction is open for a moment: a client may leave.
        target, body = f"/{view}/?token={token}&pause=0.005", f"transferred {token}\n"
        return Exchange(view, _request("POST", target), body.encode(), token)
    first, count, rest = draw.randrange(1, ITEMS - 200), 10, ""
    if view == "stream":
        # Most streams go on at once, some pause for longer than a thread is kept idle.
        wait = draw.choice([0.02, 0.02, 0.02, 0.15])
        count, rest = 150, f"&count=150&chunk=50&wait={wait}"
    target = f"/{view}/?from={first}{rest}"
    return Exchange(view, _request("GET", target), listing(first, count).encode())


def _request(method: str, target: str) -> bytes:
    length = "Content-Length: 0\r\n" if method == "POST" else ""
    return f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{length}\r\n".encode()


def listing(first: int, count: int) -> str:
    """What the project answers to a request for ``count`` items."""
    return "".join(f"{number} title {number}\n" for number in range(first, first + count))


def fill(connection: psycopg.Connection[Any]) -> None:
    """Put the items into the tables that ``migrate`` made."""
    connection.execute(
        "INSERT INTO accounts_item (title)"
        f" SELECT 'title ' || number FROM generate_series(1, {ITEMS}) AS number ORDER BY number"
    )


@dataclass(frozen=True)
class State:
    """What the process of the site holds: ``/state/`` of the project tells it."""

    threads: int
    tasks: int
    memory: int


@dataclass
class Soak:
    """What came of it."""

    before: State
    after: State = State(0, 0, 0)
    states: list[State] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)
    """The server's, sample by sample."""
    seconds: list[float] = field(default_factory=list)
    """How long each answer took to those who stayed."""
    pace: float = 0.1
    """How long answers took lately, on average: before that time leave those who leave."""
    left: int = 0
    refused: int = 0
    """Answered 503: no thread in time, come back later."""
    lost: Counter[str] = field(default_factory=Counter)
    """Requests of those who stayed that had no answer or another one, by view and how."""
    written: set[str] = field(default_factory=set)
    """Tokens of the writes whose clients were told of their success."""
    torn: int = 0
    """Transactions of which a part is in the database."""
    missing: int = 0
    """Of ``written``, those that are not in the database."""
    sessions: int = 0
    """How many connections were made in all."""

    @property
    def requests(self) -> int:
        """All that were sent."""
        return len(self.seconds) + self.left + self.refused + self.lost.total()

    @property
    def growth(self) -> float:
        """Memory in the last quarter of the time against the second one, as a ratio.

        The first quarter is left out: that is when allocators and caches fill.
        """
        quarter = len(self.states) // 4
        early = statistics.median(state.memory for state in self.states[quarter : 2 * quarter])
        return statistics.median(state.memory for state in self.states[-quarter:]) / early


async def soak(  # noqa: PLR0913 - each is one of its measures
    *,
    port: int,
    cluster: Cluster,
    database: str,
    clients: int,
    seconds: float,
    think: float,
    leaving: float = 1 / 3,
    views: Sequence[str] = tuple(WEIGHTS),
    seed: int = 0,
) -> Soak:
    """Let ``clients`` use the site on ``port`` for ``seconds``.

    ``think``: seconds between an answer and the client's next request, on average.
    ``leaving``: the part of the requests whose clients leave before the answer is there.
    """
    await _warm(port, clients, views)
    result = Soak(before=await _settled(port, None))
    end = asyncio.get_running_loop().time() + seconds
    watching = [
        asyncio.create_task(_watch_states(port, result)),
        asyncio.create_task(_watch_connections(cluster, database, result)),
    ]
    try:
        await asyncio.gather(
            *(
                _Client(port, result, views, think, leaving, random.Random(f"{seed} {n}")).use(end)
                for n in range(clients)
            )
        )
        result.after = await _settled(port, result.before)
    finally:
        for task in watching:
            task.cancel()
        watched = await asyncio.gather(*watching, return_exceptions=True)
    for error in watched:
        if isinstance(error, Exception):
            raise error
    _audit(cluster, database, result)
    return result


async def _warm(port: int, requests: int, views: Sequence[str]) -> None:
    """So many requests at the same time.

    All threads are started then, what is imported late is imported, and memory is what
    that many requests in flight take, most of which an allocator never gives back.
    """
    draw = random.Random("warm")
    weights = [WEIGHTS[view] for view in views]
    drawn = [exchange(view, draw) for view in draw.choices(views, weights, k=requests)]
    # Whether they succeed is not looked at yet.
    await asyncio.gather(*(_ask(port, one.request) for one in drawn), return_exceptions=True)


async def _settled(port: int, before: State | None) -> State:
    """The state once it is as ``before``, or no longer changes, or after the time for that."""
    deadline = asyncio.get_running_loop().time() + SETTLE_LIMIT
    last = None
    while True:
        state = await _state(port)
        counts = state.threads, state.tasks
        wanted = last if before is None else (before.threads, before.tasks)
        if counts == wanted or asyncio.get_running_loop().time() > deadline:
            return state
        last = counts
        await asyncio.sleep(INTERVAL)


async def _state(port: int) -> State:
    _, body = await _ask(port, _request("GET", "/state/"))
    return State(**json.loads(body))


async def _watch_states(port: int, result: Soak) -> None:
    while True:
        # A server that is too busy to answer is what is measured, not a failure of this.
        with contextlib.suppress(OSError, EOFError):
            result.states.append(await _state(port))
        await asyncio.sleep(INTERVAL)


async def _watch_connections(cluster: Cluster, database: str, result: Soak) -> None:
    """As superuser, for whom there is a connection when there is none for the site."""
    connection = await psycopg.AsyncConnection.connect(cluster.address(), autocommit=True)
    async with connection:
        while True:
            found = await connection.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = %s AND backend_type = 'client backend'",
                [database],
            )
            (count,) = await found.fetchone() or (0,)
            result.connections.append(count)
            await asyncio.sleep(INTERVAL)


def _audit(cluster: Cluster, database: str, result: Soak) -> None:
    """Whether the database holds what clients were told, and nothing by halves."""
    with cluster.connect(database) as connection:
        found = connection.execute(
            "SELECT token, sum(amount), count(*) FROM accounts_entry GROUP BY 1"
        )
        entries = {token: (total, count) for token, total, count in found}
        result.torn = sum(halves != (0, 2) for halves in entries.values())
        result.missing = len(result.written - entries.keys())
        found = connection.execute(
            "SELECT sessions FROM pg_stat_database WHERE datname = %s", [database]
        )
        (result.sessions,) = found.fetchone() or (0,)


class _Client:
    """One of them."""

    def __init__(
        self,
        port: int,
        result: Soak,
        views: Sequence[str],
        think: float,
        leaving: float,
        draw: random.Random,
    ) -> None:
        self._port = port
        self._result = result
        self._views = views
        self._weights = [WEIGHTS[view] for view in views]
        self._think = think
        self._leaving = leaving
        self._draw = draw
        self._streams: _Streams | None = None

    async def use(self, end: float) -> None:
        """Ask for one thing after the other until the event loop's clock says ``end``."""
        time = asyncio.get_running_loop().time
        try:
            while (pause := self._draw.expovariate(1 / self._think)) + time() < end:
                await asyncio.sleep(pause)
                [view] = self._draw.choices(self._views, self._weights)
                await self._ask(exchange(view, self._draw))
        finally:
            self._close(resetting=False)

    async def _ask(self, exchange: Exchange) -> None:
        # Some who mean to leave are answered sooner: the more of the others have to mean it.
        too_few = self._result.left < self._leaving * self._result.requests
        leaves = too_few and self._draw.random() < 2 * self._leaving
        patience = self._result.pace * self._draw.random() if leaves else ANSWER_LIMIT
        begun = asyncio.get_running_loop().time()
        try:
            if self._streams is None:
                self._streams = await _connect(self._port)
            async with asyncio.timeout(patience):
                status, body = await _exchange(self._streams, exchange.request)
        except TimeoutError:
            if leaves:
                self._result.left += 1
            else:
                self._lose(exchange, "no answer")
        except EOFError:
            self._lose(exchange, "cut off")
        except OSError as error:
            self._lose(exchange, type(error).__name__)
        else:
            seconds = asyncio.get_running_loop().time() - begun
            if not leaves:
                self._result.pace += (seconds - self._result.pace) / 20
            self._compare(exchange, status, body, seconds)
            return
        self._close(resetting=self._draw.random() < 0.5)

    def _compare(self, exchange: Exchange, status: int, body: bytes, seconds: float) -> None:
        if status == 503:
            self._result.refused += 1
        elif status != 200:
            self._lose(exchange, str(status))
        elif body != exchange.body:
            self._lose(exchange, "wrong body")
        else:
            self._result.seconds.append(seconds)
            if exchange.token:
                self._result.written.add(exchange.token)

    def _lose(self, exchange: Exchange, how: str) -> None:
        self._result.lost[f"{exchange.view}: {how}"] += 1

    def _close(self, *, resetting: bool) -> None:
        if self._streams is not None:
            _, writer = self._streams
            if resetting:
                linger = struct.pack("ii", 1, 0)  # on, for no time: RST instead of FIN
                with contextlib.suppress(OSError):
                    writer.get_extra_info("socket").setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, linger
                    )
            writer.transport.abort()
            self._streams = None


async def _connect(port: int) -> _Streams:
    async with asyncio.timeout(ANSWER_LIMIT):
        return await asyncio.open_connection("127.0.0.1", port)


async def _ask(port: int, request: bytes) -> tuple[int, bytes]:
    """Status and body, on a connection of its own."""
    async with asyncio.timeout(ANSWER_LIMIT):
        streams = await _connect(port)
        try:
            return await _exchange(streams, request)
        finally:
            streams[1].transport.abort()


async def _exchange(streams: _Streams, request: bytes) -> tuple[int, bytes]:
    """Status and body; EOFError where the connection ends before they do."""
    reader, writer = streams
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status = int(head.split(None, 2)[1])
    if "transfer-encoding: chunked" in head:
        chunks = []
        while size := int(await reader.readuntil(b"\r\n"), 16):
            chunks.append(await reader.readexactly(size))
            await reader.readexactly(2)
        await reader.readexactly(2)
        return status, b"".join(chunks)
    length = int(head.partition("content-length:")[2].partition("\r\n")[0])
    return status, await reader.readexactly(length)
