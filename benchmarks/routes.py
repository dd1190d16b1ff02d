"""What ``manage.py deployplan`` costs on projects of many routes.

Projects of 10, 1,000 and 10,000 routes are generated, and measured in turns: ``manage.py
check``, which imports the same URLconf, ``manage.py deployplan --format json``, and in a
process of its own the walk through the URLconf alone.

Run from the checkout: ``python benchmarks/routes.py``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from operator import sub, truediv
from pathlib import Path

from generated import PACKAGE, generate
from measuring import Readings, environment, run, table, versions

ROUTES = (10, 1_000, 10_000)
WALK = Path(__file__).with_name("walk.py")


@dataclass
class Case:
    """One generated project, and the seconds of each round."""

    routes: int
    root: Path
    check: list[float] = field(default_factory=list)
    deployplan: list[float] = field(default_factory=list)
    imported: list[float] = field(default_factory=list)
    walk: list[float] = field(default_factory=list)
    asynchronous: int = 0
    streaming: int = 0

    def round(self, number: int) -> None:
        """Run each of the three once; the two commands in turns first."""
        for command in ("check", "deployplan") if number % 2 else ("deployplan", "check"):
            getattr(self, command).append(getattr(self, f"run_{command}")())
        self.run_walk()

    def run_check(self) -> float:
        """Seconds of ``manage.py check``."""
        return run([sys.executable, "manage.py", "check"], self.root, environment())[0]

    def run_deployplan(self) -> float:
        """Seconds of ``manage.py deployplan``; ends this program if it misses a route."""
        argv = [sys.executable, "manage.py", "deployplan", "--format", "json"]
        seconds, answer = run(argv, self.root, environment())
        self._require(len(json.loads(answer)["project"]["views"]))
        return seconds

    def run_walk(self) -> None:
        """Read the walk's own measurement."""
        env = environment(DJANGO_SETTINGS_MODULE=f"{PACKAGE}.settings")
        answer = json.loads(run([sys.executable, str(WALK)], self.root, env)[1])
        self._require(answer["routes"])
        self.imported.append(answer["import"])
        self.walk.append(answer["walk"])
        self.asynchronous, self.streaming = answer["async"], answer["streaming"]

    def _require(self, found: int) -> None:
        if found != self.routes:
            sys.exit(f"{found} routes were found where {self.routes} are")

    def row(self) -> list[str]:
        """Its line of the table."""
        check, plan = Readings(tuple(self.check)), Readings(tuple(self.deployplan))
        return [
            f"{self.routes:,} ({self.asynchronous:,} async, {self.streaming:,} streaming)",
            check.shown(2),
            plan.shown(2),
            plan.against(check, sub).shown(2, "+"),
            f"{plan.against(check, truediv).median:.2f}",
            f"{Readings(tuple(self.imported)).median:.3f}",
            Readings(tuple(self.walk)).shown(3),
        ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="Readings of each. Default: 7.")
    parser.add_argument("--json", action="store_true", help="Print every reading as JSON.")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds takes at least 1.")

    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        cases = [Case(routes, generate(Path(directory), routes)) for routes in ROUTES]
        for case in cases:
            case.run_deployplan()  # compiles everything before the first reading
        for number in range(options.rounds):
            for case in cases:
                print(f"round {number + 1}: {case.routes} routes", file=sys.stderr)
                case.round(number)

    used = versions("Django")
    if options.json:
        plain = [asdict(case) for case in cases]
        print(json.dumps({"versions": used, "cases": plain}, indent=2, default=str))
        return
    print(", ".join(f"{name} {number}" for name, number in used.items()))
    print(f"seconds; medians of {options.rounds} rounds, in brackets the lowest and the highest\n")
    columns = "check", "deployplan", "later by", "ratio", "import", "walk"
    print(table([("routes", *columns), *(case.row() for case in cases)]))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
