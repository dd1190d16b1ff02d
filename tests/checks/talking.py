"""Processes of a project that a test talks to, for what goes wrong between processes."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from tests.support import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOOP = """
import json, os, sys, traceback, warnings
sys.path.insert(0, os.getcwd())
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")
answers, sys.stdout = sys.stdout, sys.stderr
import django
django.setup()
names = {}
for line in sys.stdin:
    code, expression = json.loads(line)
    try:
        exec(code, names)
        answer = eval(expression, names)
        json.dumps(answer)
    except BaseException as error:
        traceback.print_exc()
        answer = f"{type(error).__module__}.{type(error).__qualname__}: {error}"
    answers.write(json.dumps(answer) + "\\n")
    answers.flush()
"""


class Process:
    """A Python process with the project of ``directory`` set up in it."""

    def __init__(self, directory: Path, **env: str | None) -> None:
        with (directory / "process.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _LOOP],
                cwd=directory,
                env=environment(**env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def ask(self, expression: str, code: str = "") -> Any:
        """The value of ``expression`` there, after ``code``; of an exception its text."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([code, expression]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def end(self) -> None:
        """End it."""
        self._process.communicate(timeout=20)


@contextmanager
def processes(directory: Path, number: int = 1, **env: str | None) -> Iterator[list[Process]]:
    """``number`` processes, each set up by itself, as the workers of a server are."""
    with ExitStack() as stack:
        made = [Process(directory, **env) for _ in range(number)]
        for each in made:
            stack.callback(each.end)
        yield made
