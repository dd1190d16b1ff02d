"""What starting a server through ``manage.py runserver_gateway`` costs.

The same server is started both ways, in turns: by the command, and by hand with the very
command line that the command would run (what its ``--dry-run`` prints). Measured are the
seconds from the start of the process to the first whole response to a GET of ``/``, and
the memory of all of the server's processes after it and a few requests more.

Run from the checkout: ``python benchmarks/launch.py``. POSIX only, as Gunicorn is.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import secrets
import shlex
import signal
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from operator import sub, truediv
from pathlib import Path
from typing import TYPE_CHECKING

from measuring import ROOT, Readings, environment, run, table, versions
from served import Reading, free_port, measure

if TYPE_CHECKING:
    from collections.abc import Sequence

SERVERS = (("gunicorn", "wsgi"), ("gunicorn", "asgi"), ("uvicorn", "asgi"), ("daphne", "asgi"))
MODES = ("production", "development")
MIB = 2**20


@dataclass
class Case:
    """One server in one mode, and its readings: one a round, both ways."""

    mode: str
    server: str
    interface: str
    port: int
    env: dict[str, str]
    line: str = ""
    by_hand: list[Reading] = field(default_factory=list)
    by_command: list[Reading] = field(default_factory=list)

    @property
    def name(self) -> str:
        """How it is called in the table."""
        return f"{self.server} {self.interface}"

    @property
    def command(self) -> list[str]:
        """``manage.py runserver_gateway`` for this server."""
        return [
            sys.executable,
            "manage.py",
            "runserver_gateway",
            f"127.0.0.1:{self.port}",
            *("--server", self.server, "--interface", self.interface),
        ]

    def prepare(self) -> None:
        """Ask the command for the line that is run by hand."""
        self.line = run([*self.command, "--dry-run"], ROOT, self.env)[1].strip()

    def round(self, number: int, log: Path, requests: int) -> None:
        """Measure both ways, first the one and then the other."""
        words = shlex.split(self.line)
        ours = [word for word in words if re.match(r"[A-Z_]+=", word)]
        hand_env = self.env | dict(word.split("=", 1) for word in ours)
        ways = [
            (self.by_hand, words[len(ours) :], hand_env),
            (self.by_command, self.command, self.env),
        ]
        # Each way is as often the first as the second.
        for readings, argv, env in ways if number % 2 else reversed(ways):
            reading = measure(argv, cwd=ROOT, env=env, port=self.port, log=log, requests=requests)
            readings.append(reading)

    def row(self) -> list[str]:
        """Its line of the table."""
        hand, command = _seconds(self.by_hand), _seconds(self.by_command)
        hand_memory, command_memory = _mebibytes(self.by_hand), _mebibytes(self.by_command)
        return [
            self.name,
            hand.shown(2),
            command.shown(2),
            command.against(hand, sub).shown(2, "+"),
            f"{hand_memory.median:.1f}",
            f"{command_memory.median:.1f}",
            command_memory.against(hand_memory, truediv).shown(3),
        ]


def _seconds(readings: Sequence[Reading]) -> Readings:
    return Readings(tuple(reading.seconds for reading in readings))


def _mebibytes(readings: Sequence[Reading]) -> Readings:
    return Readings(tuple(reading.memory / MIB for reading in readings))


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="Readings of each. Default: 7.")
    parser.add_argument("--requests", type=int, default=20, help="Before weighing. Default: 20.")
    parser.add_argument("--mode", choices=MODES, help="Only this one.")
    parser.add_argument("--server", choices=[server for server, _ in SERVERS], help="Only this.")
    parser.add_argument("--json", action="store_true", help="Print every reading as JSON.")
    options = parser.parse_args()
    if os.name != "posix":
        parser.error("Gunicorn and process groups need POSIX.")
    if options.rounds < 1 or options.requests < 0:
        parser.error("--rounds takes at least 1 and --requests at least 0.")

    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        folder = Path(directory)
        cases = [
            Case(mode, server, interface, free_port(), _site(folder, mode))
            for mode in MODES
            if options.mode in {None, mode}
            for server, interface in SERVERS
            if options.server in {None, server}
        ]
        for command in (("migrate", "-v0"), ("collectstatic", "--noinput", "-v0")):
            run([sys.executable, "manage.py", *command], ROOT, _site(folder, "production"))
        checks: dict[str, list[float]] = {mode: [] for mode in MODES}
        for case in cases:
            case.prepare()  # which also compiles everything before the first reading
        for number in range(options.rounds):
            for mode in dict.fromkeys(case.mode for case in cases):
                env = _site(folder, mode)
                checks[mode].append(run([sys.executable, "manage.py", "check"], ROOT, env)[0])
            for case in cases:
                print(f"round {number + 1}: {case.mode} {case.name}", file=sys.stderr)
                case.round(number, folder / "server.log", options.requests)

    used = versions("Django", "gunicorn", "uvicorn", "daphne")
    if options.json:
        print(json.dumps({"versions": used, "cases": [_plain(case) for case in cases]}, indent=2))
        return
    print(", ".join(f"{name} {number}" for name, number in used.items()))
    print(f"medians of {options.rounds} rounds, in brackets the lowest and the highest\n")
    heading = "", "first response, s", "", "", "memory, MiB", "", ""
    columns = "by hand", "command", "later by", "by hand", "command", "ratio"
    for mode in dict.fromkeys(case.mode for case in cases):
        rows = [case.row() for case in cases if case.mode == mode]
        print(table([heading, (mode, *columns), *rows]))
        check = Readings(tuple(checks[mode]))
        print(f"\nmanage.py check, for comparison: {check.shown(2)} s\n")


def _site(folder: Path, mode: str) -> dict[str, str]:
    """The environment that serves the demonstration site in ``mode``, its data in ``folder``."""
    shared = {
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        "STATIC_ROOT": str(folder / "static"),
        "REDIS_URL": "",
    }
    if mode == "development":
        return environment(**shared, DEBUG="1")
    return environment(
        **shared, DEBUG="0", SECRET_KEY=_SECRET, ALLOWED_HOSTS="127.0.0.1", SECURE_COOKIES="0"
    )


_SECRET = secrets.token_urlsafe(50)


def _plain(case: Case) -> dict[str, object]:
    return {
        "mode": case.mode,
        "server": case.server,
        "interface": case.interface,
        "line": case.line,
        "by_hand": [asdict(reading) for reading in case.by_hand],
        "by_command": [asdict(reading) for reading in case.by_command],
    }


if __name__ == "__main__":
    # Ended from outside, it stops its server and removes its files all the same.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with contextlib.suppress(KeyboardInterrupt):
        main()
