"""What the benchmarks share: a clean environment, repeated readings, and a table."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).resolve().parent.parent

# What would decide in the place of the project or of the command line that is measured.
_DECIDING = (
    "DJANGO_SETTINGS_MODULE",
    "DEPLOYTOOL_APPLICATION",
    "FORWARDED_ALLOW_IPS",
    "GUNICORN_CMD_ARGS",
    "PORT",
    "PYTHONDONTWRITEBYTECODE",
    "WEB_CONCURRENCY",
)


@dataclass(frozen=True)
class Readings:
    """The readings of one quantity, one a round."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one, which a busy moment of the machine does not move."""
        return statistics.median(self.values)

    def shown(self, digits: int, sign: str = "") -> str:
        """The median, and the lowest and the highest reading in brackets."""
        form = f"{sign}.{digits}f"
        low, high = min(self.values), max(self.values)
        return f"{self.median:{form}} ({low:{form}} to {high:{form}})"

    def against(self, other: Readings, compare: Callable[[float, float], float]) -> Readings:
        """``compare`` of each reading with the other one of the same round.

        Pairs rather than medians: what slows the machine for a while slows both of a pair.
        """
        return Readings(tuple(map(compare, self.values, other.values)))


def environment(**changes: str) -> dict[str, str]:
    """This environment without what would decide how to serve, plus ``changes``."""
    kept = {name: value for name, value in os.environ.items() if name not in _DECIDING}
    return {**kept, "PYTHONPATH": str(ROOT), **changes}


def run(
    argv: Sequence[str], cwd: Path, env: dict[str, str], limit: float = 120
) -> tuple[float, str]:
    """Run a command; return the seconds that it took and what it wrote to standard output.

    Ends this program with the command's own messages where it fails or takes longer than
    ``limit`` seconds.
    """
    started = time.perf_counter()
    try:
        done = subprocess.run(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        sys.exit(f"{' '.join(argv)} did not end within {limit:g} s")
    elapsed = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stderr}")
    return elapsed, done.stdout


def versions(*distributions: str) -> dict[str, str]:
    """Versions of Python and of ``distributions``, and how many CPUs may be used."""
    found = {"Python": platform.python_version()}
    found |= {name: version(name) for name in distributions}
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    return found | {"CPUs": str(usable)}


def table(rows: Sequence[Sequence[str]]) -> str:
    """``rows`` in columns: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *rest in rows:
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)
