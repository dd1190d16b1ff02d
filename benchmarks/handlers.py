"""What deploytool's ASGI handler serves, against Django's and against Gunicorn's threads.

One project is served by Uvicorn and by Granian, each with Django's handler and with
deploytool's, and through WSGI by Gunicorn (gthread), each in one process; with no
middleware, with those of ``startproject`` and with twelve. Its views answer at once, read
ten rows of an SQLite database, or wait for 50 ms, each as a function and as a coroutine.
All servers run at once and are driven in turns, so that what slows the machine for a while
slows the readings that are compared alike. Measured are requests/s, and the CPU time of the
server's processes for each.

``--threads 1 2 4 8 16 32`` shows instead what the number of threads does to synchronous
views, which is why ``deploytool/handlers/options.py`` sets the number that it does.
``--in-process`` leaves servers and connections out.

Run from the checkout: ``python benchmarks/handlers.py``. Linux only; needs wrk
(``apt-get install wrk``).
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import shutil
import signal
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from operator import attrgetter, truediv
from pathlib import Path
from typing import TYPE_CHECKING

from generated import PACKAGE
from handled import MIDDLEWARES, VIEWS, generate, project_environment
from measuring import Readings, run, table, versions
from served import cpu_seconds, first_response, free_port, get, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ASGI_SERVERS = ("uvicorn", "granian")
SERVERS = (*ASGI_SERVERS, "gunicorn")
ENTRY_POINTS = {"Django's": "asgi", "ours": "ours", "gthread": "wsgi"}
GTHREAD_THREADS = 8  # what the plan gives it, and the default of the handler's pool
SWEPT_VIEWS = ("sync", "orm-sync", "wait-sync")
DEFAULT_MIDDLEWARES = 7
# Of ours/Django's, with the default middlewares; ours/gthread is to be 1 everywhere.
AIMS = {"async": 8.0, "sync": 4.0, "orm-async": 2.0, "orm-sync": 2.0}

IN_FLIGHT = (1, 8)
IN_PROCESS = Path(__file__).with_name("in_process.py")

# wrk's own report is for people; this is its summary, for us.
_SCRIPT = """
function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '\\n{"requests": %d, "seconds": %.6f, "failed": %d, "p50": %.6f, "p99": %.6f}\\n',
        summary.requests, summary.duration / 1e6,
        errors.status + errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
"""


@dataclass(frozen=True)
class Reading:
    """What a few seconds of load were answered with, times in seconds."""

    requests: int
    seconds: float
    failed: int
    """Responses of status 400 and more, and errors of connections: the reading is invalid."""
    p50: float
    p99: float
    cpu: float

    @property
    def is_valid(self) -> bool:
        """Whether every request was answered as it should be."""
        return self.requests > 0 and not self.failed

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def cost(self) -> float:
        """Microseconds of CPU for a request."""
        return self.cpu / self.requests * 1e6


@dataclass
class Service:
    """One server with one handler and so many middlewares, and its readings: one a round."""

    server: str
    handler: str
    middlewares: int
    threads: int = 0
    """Of the handler's pool; 0: its default."""
    port: int = field(default_factory=free_port)
    leader: int = 0
    """The process that was started, whose group is the server."""
    readings: dict[str, list[Reading]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How it is called in messages."""
        threads = f", {self.threads} threads" if self.threads else ""
        return f"{self.server} ({self.handler}), {self.middlewares} middlewares{threads}"

    @property
    def argv(self) -> list[str]:
        """The command line of one process, without an access log."""
        application = f"{PACKAGE}.{ENTRY_POINTS[self.handler]}:application"
        python = [sys.executable, "-m", self.server]
        address = ["--host", "127.0.0.1", "--port", str(self.port)]
        if self.server == "uvicorn":
            quiet = ["--log-level", "warning", "--no-access-log", "--lifespan", "off"]
            return [*python, *address, *quiet, application]
        if self.server == "granian":
            quiet = ["--log-level", "warning", "--no-access-log", "--interface", "asginl"]
            return [*python, *address, "--workers", "1", *quiet, application]
        return [
            *python,
            *("--bind", f"127.0.0.1:{self.port}", "--workers", "1"),
            *("--worker-class", "gthread", "--threads", str(GTHREAD_THREADS)),
            *("--log-level", "warning", "--no-control-socket", application),
        ]

    @contextlib.contextmanager
    def started(self, root: Path, max_age: int) -> Iterator[None]:
        """Run the server until the end of the context."""
        changes = {"MAX_AGE": str(max_age)}
        if self.threads:
            changes["THREADS"] = str(self.threads)
        log = root / f"{self.port}.log"
        env = project_environment(self.middlewares, **changes)
        with running(self.argv, root, env, log) as process:
            first_response(process, self.port, log, "/sync")
            self.leader = process.pid
            yield

    def drive(self, view: str, options: argparse.Namespace, script: Path) -> None:
        """Load ``view`` for the stated seconds and add the reading."""
        argv = ["wrk", "--threads", "1", "--connections", str(options.connections)]
        argv += ["--duration", f"{options.seconds}s", "--timeout", "10s", "--script", str(script)]
        before = cpu_seconds(self.leader)
        _, output = run(
            [*argv, f"http://127.0.0.1:{self.port}/{view}"],
            script.parent,
            project_environment(self.middlewares),
        )
        cpu = cpu_seconds(self.leader) - before
        summary = json.loads(output.strip().rpartition("\n")[2])
        reading = Reading(cpu=cpu, **summary)
        if not reading.is_valid:
            print(f"invalid: {self.name}, {view}: {reading.failed} failed", file=sys.stderr)
        self.readings.setdefault(view, []).append(reading)


@dataclass(frozen=True)
class Measured:
    """One quantity of a view on a service, for tables: readings, those that are invalid None."""

    values: tuple[float | None, ...]

    @classmethod
    def of(cls, service: Service | None, view: str, name: str) -> Measured:
        """``name`` of the readings of ``view``; nothing where there is no such service."""
        readings = service.readings.get(view, ()) if service is not None else ()
        quantity: Callable[[Reading], float] = attrgetter(name)
        return cls(tuple(quantity(one) if one.is_valid else None for one in readings))

    @property
    def readings(self) -> Readings | None:
        """Those that are valid; None: there is none."""
        valid = tuple(value for value in self.values if value is not None)
        return Readings(valid) if valid else None

    def shown(self, digits: int, end: str = "") -> str:
        """Median, lowest and highest, and how many were invalid."""
        if not self.values:
            return "-"
        readings = self.readings
        if readings is None:
            return "invalid"
        invalid = self.values.count(None)
        return readings.shown(digits) + end + (f" !{invalid}" if invalid else "")

    def over(self, other: Measured) -> Measured:
        """The ratio of each to the other one of its round, where both are valid."""
        pairs = list(zip(self.values, other.values, strict=False))
        valid = [(one, two) for one, two in pairs if one is not None and two]
        if not valid:
            return Measured((None,) * len(pairs))
        mine, others = (Readings(values) for values in zip(*valid, strict=True))
        invalid = (None,) * (len(pairs) - len(valid))
        return Measured(mine.against(others, truediv).values + invalid)


class Comparison:
    """The services of one number of middlewares, as tables."""

    def __init__(self, services: Sequence[Service], views: Sequence[str]) -> None:
        self._views = views
        self._services = {(one.server, one.handler): one for one in services}
        self._servers = [one for one in ASGI_SERVERS if (one, "ours") in self._services]

    def measured(self, server: str, handler: str, view: str, name: str) -> Measured:
        """The quantity ``name`` of ``view`` as ``handler`` answered it."""
        server = "gunicorn" if handler == "gthread" else server
        return Measured.of(self._services.get((server, handler)), view, name)

    def table(self, title: str, name: str) -> str:
        """The quantity ``name`` of all, and the ratios of ours to the others."""
        heads = [*ENTRY_POINTS, "ours/Django's", "ours/gthread"]
        digits = 0
        rows: list[Sequence[str]] = []
        for server in self._servers:
            rows.append([f"{title}, {server}", *heads])
            for view in self._views:
                djangos, ours, gthread = (
                    self.measured(server, handler, view, name) for handler in ENTRY_POINTS
                )
                rows.append(
                    [
                        view,
                        *(one.shown(digits) for one in (djangos, ours, gthread)),
                        ours.over(djangos).shown(2),
                        ours.over(gthread).shown(2),
                    ]
                )
        return table(rows)

    def aims(self) -> str:
        """What was aimed at and what was reached, the median of the rounds' ratios."""
        rows: list[Sequence[str]] = []
        for server in self._servers:
            rows.append([f"aims, {server}", "ours/Django's", "aim", "", "ours/gthread", "aim", ""])
            for view in self._views:
                row = [view]
                ours = self.measured(server, "ours", view, "rate")
                for handler, aim in (("Django's", AIMS.get(view)), ("gthread", 1.0)):
                    ratio = ours.over(self.measured(server, handler, view, "rate")).readings
                    if ratio is None or aim is None:
                        row += [f"{ratio.median:.2f}" if ratio else "-", "", ""]
                    else:
                        verdict = "met" if ratio.median >= aim else "missed"
                        row += [f"{ratio.median:.2f}", f"{aim:g}", verdict]
                rows.append(row)
        return table(rows)


def chosen(options: argparse.Namespace) -> list[Service]:
    """The services to be measured."""
    if options.threads:
        return [
            Service(server, "ours", middlewares, threads)
            for middlewares in options.middlewares
            for server in options.servers
            for threads in options.threads
        ]
    return [
        Service(server, handler, middlewares)
        for middlewares in options.middlewares
        for server in options.servers
        for handler in (("gthread",) if server == "gunicorn" else ("Django's", "ours"))
    ]


def require_same_bodies(services: Sequence[Service], views: Sequence[str]) -> None:
    """End this program unless all services answer each view alike; warms them up, too."""
    for view in views:
        bodies: dict[tuple[int, bytes], str] = {}
        for service in services:
            for _ in range(10):
                bodies.setdefault(get(service.port, f"/{view}"), service.name)
        if len(bodies) != 1 or next(iter(bodies))[0] != 200:
            sys.exit(f"/{view} is not answered alike: {bodies}")


def measure(options: argparse.Namespace) -> list[Service]:
    """Serve, drive in turns, stop; the services with their readings."""
    services = chosen(options)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        root = generate(folder)
        script = folder / "summary.lua"
        script.write_text(_SCRIPT)
        for service in services:
            stack.enter_context(service.started(root, options.conn_max_age))
        require_same_bodies(services, options.views)
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            for middlewares in options.middlewares:
                for view in options.views:
                    group = [one for one in services if one.middlewares == middlewares]
                    # Every other round the other way round: none always follows the same.
                    for service in reversed(group) if number % 2 else group:
                        service.drive(view, options, script)
    return services


def show(services: Sequence[Service], options: argparse.Namespace) -> None:
    """Print the tables."""
    print(
        f"medians of {options.rounds} rounds of {options.seconds} s with {options.connections} "
        "connections, in brackets the lowest and the highest\n"
    )
    for middlewares in options.middlewares:
        here = [one for one in services if one.middlewares == middlewares]
        print(f"{middlewares} middlewares\n")
        if options.threads:
            print(threads_table(here, options))
            continue
        comparison = Comparison(here, options.views)
        print(comparison.table("requests/s", "rate") + "\n")
        print(comparison.table("CPU µs a request", "cost") + "\n")
        if middlewares == DEFAULT_MIDDLEWARES:
            print(comparison.aims() + "\n")


def threads_table(services: Sequence[Service], options: argparse.Namespace) -> str:
    """Requests/s and their costs, by the number of threads."""
    parts = []
    for server in options.servers:
        rows: list[Sequence[str]] = []
        for title, name in (("requests/s", "rate"), ("CPU µs a request", "cost")):
            rows.append([f"{title}, {server}", *options.views])
            rows.extend(
                [
                    f"{one.threads} threads",
                    *(Measured.of(one, view, name).shown(0) for view in options.views),
                ]
                for one in services
                if one.server == server
            )
        parts.append(table(rows) + "\n")
    return "\n".join(parts)


def measure_in_process(options: argparse.Namespace) -> dict[str, dict[str, Readings]]:
    """Microseconds of CPU for a request, by view and handler, one or eight in flight."""
    costs: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        root = generate(Path(folder))
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            for middlewares in options.middlewares:
                env = project_environment(middlewares)
                for view, in_flight in itertools.product(options.views, IN_FLIGHT):
                    row = costs.setdefault(f"{middlewares}, {view}, {in_flight} in flight", {})
                    for handler, module in ENTRY_POINTS.items():
                        argv = [sys.executable, str(IN_PROCESS), f"{PACKAGE}.{module}", view]
                        answer = json.loads(run([*argv, str(in_flight)], root, env)[1])
                        cost = answer["cpu"] / answer["requests"] * 1e6
                        row.setdefault(handler, []).append(cost)
    return {
        name: {handler: Readings(tuple(each)) for handler, each in row.items()}
        for name, row in costs.items()
    }


def show_in_process(costs: dict[str, dict[str, Readings]]) -> None:
    """Print the table."""
    heads = ["Django's", "ours", "WSGI", "ours/Django's", "ours/WSGI"]
    rows: list[Sequence[str]] = [["CPU µs a request, middlewares, view", *heads]]
    for name, (djangos, ours, wsgi) in ((name, row.values()) for name, row in costs.items()):
        ratios = (ours.against(other, truediv).shown(2) for other in (djangos, wsgi))
        rows.append([name, *(one.shown(0) for one in (djangos, ours, wsgi)), *ratios])
    print(table(rows))


def plain(service: Service) -> dict[str, object]:
    """A service as JSON has it."""
    return {
        "server": service.server,
        "handler": service.handler,
        "middlewares": service.middlewares,
        "threads": service.threads or None,
        "line": service.argv,
        "readings": {view: list(map(asdict, all_)) for view, all_ in service.readings.items()},
    }


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0],
        epilog="Without options it takes below 15 minutes: 3 rounds of 15 servers and 6 views, 2 "
        "s each; a round of --threads with 6 numbers takes about 40 s. Only 127.0.0.1 is spoken "
        "to, and whatever happens, no server is left running.",
    )
    parser.add_argument("--rounds", type=int, default=3, help="Readings of each. Default: 3.")
    parser.add_argument("--seconds", type=int, default=2, help="Of each reading. Default: 2.")
    parser.add_argument("--connections", type=int, default=32, help="Kept alive. Default: 32.")
    parser.add_argument(
        "--middlewares",
        type=int,
        nargs="+",
        choices=MIDDLEWARES,
        help="Default: all; with --threads and --in-process 7.",
    )
    parser.add_argument(
        "--views",
        nargs="+",
        choices=VIEWS,
        help="Default: all; with --threads the synchronous ones.",
    )
    parser.add_argument(
        "--servers",
        nargs="+",
        choices=SERVERS,
        help="Default: all; with --threads uvicorn.",
    )
    parser.add_argument(
        "--threads",
        type=int,
        nargs="+",
        metavar="N",
        help="Compare these sizes of the handler's pool with each other.",
    )
    parser.add_argument(
        "--in-process",
        action="store_true",
        help="Measure the CPU time of the handlers alone, each a second at a time.",
    )
    parser.add_argument("--conn-max-age", type=int, default=0, help="CONN_MAX_AGE. Default: 0.")
    parser.add_argument("--json", action="store_true", help="Print every reading as JSON.")
    options = parser.parse_args()
    if sys.platform != "linux":
        parser.error("The CPU time of a server's processes is read from /proc, which Linux has.")
    if shutil.which("wrk") is None and not options.in_process:
        parser.error("wrk, which makes the requests, is missing: apt-get install wrk")
    if min(options.rounds, options.seconds, options.connections, *(options.threads or [1])) < 1:
        parser.error("Rounds, seconds, connections and threads are at least 1.")
    some = options.threads or options.in_process
    options.middlewares = options.middlewares or ([7] if some else list(MIDDLEWARES))
    options.views = options.views or list(SWEPT_VIEWS if options.threads else VIEWS)
    options.servers = options.servers or list(("uvicorn",) if options.threads else SERVERS)
    if options.threads and "gunicorn" in options.servers:
        parser.error("--threads is about the handler's pool, which Gunicorn's WSGI has not.")

    if options.in_process:
        costs = measure_in_process(options)
        if options.json:
            print(
                json.dumps(
                    {
                        name: {by: one.values for by, one in row.items()}
                        for name, row in costs.items()
                    },
                    indent=2,
                )
            )
        else:
            show_in_process(costs)
        return
    services = measure(options)
    used = versions("Django", "asgiref", *options.servers)
    if options.json:
        print(json.dumps({"versions": used, "services": list(map(plain, services))}, indent=2))
        return
    print(", ".join(f"{name} {number}" for name, number in used.items()))
    show(services, options)


def _end(number: int, _: object) -> None:
    """Ended from outside, it stops its servers and removes its files all the same."""
    sys.exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end)
    with contextlib.suppress(KeyboardInterrupt):
        main()
