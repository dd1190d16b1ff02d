"""Replacing a process: same PID, exactly the environment, and a line that a shell understands."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

from deploytool.launch import shell_line
from tests.support import environment, run_python


def run(script: str) -> subprocess.CompletedProcess[str]:
    return run_python("-c", script, timeout=30, LEFT_BEHIND="1", PYTHONUNBUFFERED=None)


def test_the_line_survives_a_shell():
    show = "import os, sys; print(sys.argv[1:], os.environ['ODD'])"
    odd = "a 'b' \"c\" $HOME `id` \\ *; é\n"
    plan = SimpleNamespace(argv=(sys.executable, "-c", show, odd, "*", ""), env={"ODD": odd})
    done = subprocess.run(
        ["sh", "-c", shell_line(plan)], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{[odd, '*', '']} {odd}\n"
    assert shlex.split(shell_line(plan))[1] == sys.executable


def test_becoming_keeps_the_pid_and_only_the_environment_that_is_named():
    done = run(
        "import os, sys\n"
        "from deploytool.launch import become\n"
        "print('first', os.getpid())\n"
        "show = 'import os; print(os.getpid(), sorted(os.environ)); raise SystemExit(7)'\n"
        "become([sys.executable, '-c', show], {'ONLY': '1', 'LC_ALL': 'C.UTF-8'})\n"
    )
    first, second = done.stdout.splitlines()
    pid = first.removeprefix("first ")
    assert second == f"{pid} ['LC_ALL', 'ONLY']"
    assert done.returncode == 7


def test_what_cannot_be_executed_is_an_error():
    done = run(
        "from deploytool.launch import become\n"
        "try: become(['/nonexistent/python'], {})\n"
        "except OSError as error: print(error.strerror)\n"
    )
    assert done.stdout == "No such file or directory\n"


def test_a_child_stands_in_where_a_process_cannot_be_replaced():
    """What happens on Windows; the child decides when it ends, and with which status."""
    child = (
        "import signal, time\n"
        "def late(*_):\n    time.sleep(0.3)\n    raise SystemExit(5)\n"
        "signal.signal(signal.SIGINT, late)\n"
        "print('ready', flush=True)\n"
        "time.sleep(30)\n"
    )
    script = (
        "import os, sys\n"
        "from deploytool.launch import _run_child\n"
        f"raise SystemExit(_run_child([sys.executable, '-c', {child!r}], os.environ))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(10) == 5
        assert process.stderr.read() == b""
