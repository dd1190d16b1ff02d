"""The only module that starts or replaces a process."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploytool.plan import Plan


def shell_line(plan: Plan) -> str:
    """The command line of ``plan`` with its environment, as a POSIX shell takes it."""
    variables = [f"{name}={shlex.quote(value)}" for name, value in plan.env.items()]
    return " ".join([*variables, shlex.join(plan.argv)])


def replace_process(plan: Plan) -> NoReturn:
    """Become the server of ``plan``: same PID, its signals and exit status are the server's own.

    Raises OSError where the interpreter cannot be executed.
    """
    become(plan.argv, {**os.environ, **plan.env})


def become(argv: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Replace this process by ``argv`` with exactly ``environment``.

    On Windows, which cannot replace a process, it runs as a child whose exit status this
    process ends with. Raises OSError where ``argv[0]`` cannot be executed.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    if os.name == "nt":
        raise SystemExit(_run_child(argv, environment))
    os.execve(argv[0], list(argv), environment)  # noqa: S606 - no shell is involved


def _run_child(argv: Sequence[str], environment: Mapping[str, str]) -> int:
    with subprocess.Popen(argv, env=environment) as child:  # noqa: S603 - as above
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                # Ctrl-C reaches the child as well; its own shutdown decides when it ends.
                continue
