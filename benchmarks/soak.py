"""What many clients who come and go do to a site on PostgreSQL, under each handler.

One Uvicorn process serves ``tests/projects/handler_postgres``, first under
``deploytool.asgi``, then under Django's own handler: synchronous and asynchronous views
that read and write through the ORM, and one that streams from a server-side cursor, with
``CONN_MAX_AGE=60``. Hundreds of clients use it at once, a third of their requests are
left before they are answered. Every answer to those who stay is compared with the only
right one; the database's connections are counted by PostgreSQL itself.

Run from the checkout: ``python benchmarks/soak.py``. Needs Linux, for ``/proc``, and
PostgreSQL's programs. Ends with status 1 where ``deploytool.asgi`` breaks a rule.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import statistics
import sys
import tempfile
from pathlib import Path

from measuring import environment, run, table, versions
from postgresql import Cluster, find_programs, running_cluster
from served import first_response, free_port, running
from soaking import PROJECT, WEIGHTS, Soak, fill, soak

HANDLERS = ("deploytool", "django")
GROWTH = 1.05  # of memory, from the second quarter of the time to the last
MIB = 2**20


def main() -> None:
    """Serve and use it under each handler, and print both beside each other."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, default=500, help="At once. Default: 500.")
    parser.add_argument("--seconds", type=float, default=180, help="Of each. Default: 180.")
    parser.add_argument("--think", type=float, default=1, help="Seconds between requests: 1.")
    parser.add_argument("--threads", type=int, default=8, help="ASGI_THREADS. Default: 8.")
    parser.add_argument(
        "--max-connections", type=int, default=100, help="PostgreSQL's. Default: its own, 100."
    )
    parser.add_argument("--views", nargs="+", choices=WEIGHTS, default=list(WEIGHTS), help="All.")
    parser.add_argument("--handler", choices=HANDLERS, help="Only this one.")
    options = parser.parse_args()
    if not Path("/proc/self/statm").exists():
        parser.error("The site tells its memory from /proc/self/statm, which is not here.")
    if find_programs() is None:
        parser.error("initdb and postgres were not found: install PostgreSQL.")
    if min(options.clients, options.seconds, options.think, options.threads) <= 0:
        parser.error("--clients, --seconds, --think and --threads have to be above 0.")

    results = {}
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as folder,
        running_cluster(options.max_connections) as cluster,
    ):
        for handler in HANDLERS:
            if options.handler in {None, handler}:
                print(f"{handler}: {options.seconds:g} s", file=sys.stderr)
                results[handler] = _measure(handler, cluster, Path(folder), options)

    used = versions("Django", "uvicorn", "psycopg")
    print(", ".join(f"{name} {number}" for name, number in used.items()))
    print(
        f"{options.clients} clients for {options.seconds:g} s, on average {options.think:g} s"
        f" between an answer and the next request; max_connections={options.max_connections}\n"
    )
    print(table(_rows(results)))
    for handler, result in results.items():
        if result.lost:
            print(f"\nlost by {handler}")
            print(table([(how, f"{times:,}") for how, times in result.lost.most_common()]))
    if "deploytool" in results:
        print(f"\ndeploytool, {options.threads} threads")
        verdicts = _verdicts(results["deploytool"], options.threads)
        print(table([(rule, "kept" if kept else "BROKEN") for rule, kept in verdicts.items()]))
        if not all(verdicts.values()):
            sys.exit(1)


def _measure(handler: str, cluster: Cluster, folder: Path, options: argparse.Namespace) -> Soak:
    """One handler, with a database and a server of its own."""
    port, log = free_port(), folder / f"{handler}.log"
    env = environment(
        **cluster.create_database(handler),
        HANDLER=handler,
        CONF=json.dumps({"ASGI_THREADS": options.threads}),
        PYTHONDONTWRITEBYTECODE="1",  # the project is served where it is
    )
    run([sys.executable, "manage.py", "migrate", "--run-syncdb", "-v0"], PROJECT, env)
    with cluster.connect(handler) as connection:
        fill(connection)
    argv = [sys.executable, "-m", "uvicorn", "accounts.asgi:application", f"--port={port}"]
    # Clients keep their connection while they think; whoever closes it shall be the client.
    argv += ["--lifespan=off", "--no-access-log", "--timeout-keep-alive=600"]
    with running(argv, PROJECT, env, log) as process:
        first_response(process, port, log)
        return asyncio.run(
            soak(
                port=port,
                cluster=cluster,
                database=handler,
                clients=options.clients,
                seconds=options.seconds,
                think=options.think,
                views=options.views,
            )
        )


def _rows(results: dict[str, Soak]) -> list[list[str]]:
    columns = list(map(_column, results.values()))
    rows = [["", *results]]
    rows += [[name, *(column[name] for column in columns)] for name in columns[0]]
    return rows


def _column(result: Soak) -> dict[str, str]:
    """What is shown of one handler."""
    seconds = sorted(result.seconds) or [0.0]
    before, after = result.before, result.after
    most = max(result.states, key=lambda state: state.threads)
    return {
        "connections to PostgreSQL, most": str(max(result.connections)),
        "connections, median": f"{statistics.median(result.connections):g}",
        "connections made in all": str(result.sessions),
        "threads: before, most, after": f"{before.threads}, {most.threads}, {after.threads}",
        "tasks: before, after": f"{before.tasks}, {after.tasks}",
        "memory before, MiB": f"{before.memory / MIB:.1f}",
        "memory, most, MiB": f"{max(state.memory for state in result.states) / MIB:.1f}",
        "memory, last quarter / second": f"{result.growth:.3f}",
        "requests": f"{result.requests:,}",
        "left by their clients": f"{result.left:,} ({result.left / result.requests:.0%})",
        "answered rightly": f"{len(result.seconds):,}",
        "refused (503, Retry-After)": f"{result.refused:,}",
        "lost": f"{result.lost.total():,}",
        "transactions torn, missing": f"{result.torn}, {result.missing}",
        "seconds to an answer, median": f"{statistics.median(seconds):.2f}",
        "seconds, 99 of 100 within": f"{seconds[len(seconds) * 99 // 100]:.2f}",
    }


def _verdicts(result: Soak, threads: int) -> dict[str, bool]:
    before, after = result.before, result.after
    return {
        f"never more than {threads} connections": max(result.connections) <= threads,
        "threads return to their number": after.threads == before.threads,
        "tasks return to their number": after.tasks == before.tasks,
        f"memory is flat (up to {GROWTH:g})": result.growth <= GROWTH,
        "no request is lost or refused": not (result.lost or result.refused),
        "no transaction is torn or missing": not (result.torn or result.missing),
    }


if __name__ == "__main__":
    # Ended from outside, it stops its servers and removes its files all the same.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with contextlib.suppress(KeyboardInterrupt):
        main()
