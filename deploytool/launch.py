"""The only module that starts or replaces a process."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

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


class IsolatedProcess:
    """A process that may do anything, in a session of its own, with a limit in seconds.

    Its output goes to the file ``output``: a pipe would stay open as long as something that
    it started holds it. What it started and left behind in its process group ends with it.
    Raises OSError where it cannot be started.
    """

    def __init__(
        self, argv: Sequence[str], env: Mapping[str, str], output: Path, limit: float
    ) -> None:
        with output.open("wb") as file:
            self._process = subprocess.Popen(  # noqa: S603 - no shell, argv is ours
                argv,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._deadline = time.monotonic() + limit
        self.timed_out = False
        # Popen.wait() with a limit sleeps between looks, up to 50 ms; a thread does not.
        self._waiter = threading.Thread(target=self._reap, daemon=True)
        self._waiter.start()

    def wait(self) -> int:
        """The exit status, negative for a signal; kills what has not ended by its limit."""
        self._waiter.join(max(0.0, self._deadline - time.monotonic()))
        if self._waiter.is_alive():
            self.timed_out = True
            self._kill()
            self._waiter.join()
        return self._process.returncode

    def _reap(self) -> None:
        if sys.platform == "linux":
            # Not reaped yet, so that its number cannot be another process's by now.
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        else:
            self._process.wait()
        self._kill()
        self._process.wait()

    def _kill(self) -> None:
        if sys.platform != "win32":
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                self._process.kill()
        else:
            self._process.kill()


def _run_child(argv: Sequence[str], environment: Mapping[str, str]) -> int:
    with subprocess.Popen(argv, env=environment) as child:  # noqa: S603 - as above
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                # Ctrl-C reaches the child as well; its own shutdown decides when it ends.
                continue
