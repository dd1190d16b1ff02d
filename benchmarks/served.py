"""One server under measurement: started, asked, weighed and stopped, on 127.0.0.1 only."""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

START_LIMIT = 60.0  # seconds until the first response
STOP_LIMIT = 15.0  # seconds from SIGTERM to SIGKILL


@dataclass(frozen=True)
class Reading:
    """Seconds from the start of the process to the first whole response; memory in bytes."""

    seconds: float
    memory: int


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measure(
    argv: Sequence[str], *, cwd: Path, env: dict[str, str], port: int, log: Path, requests: int
) -> Reading:
    """Start ``argv``, wait for ``/`` on ``port``, send ``requests`` more, weigh it, stop it."""
    started = time.perf_counter()
    with running(argv, cwd, env, log) as process:
        first_response(process, port, log)
        seconds = time.perf_counter() - started
        for _ in range(requests):
            get(port)
        return Reading(seconds, _settled_memory(process.pid))


@contextlib.contextmanager
def running(
    argv: Sequence[str], cwd: Path, env: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """``argv`` in a session of its own, of which nothing is left at the end."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # Safe here: a benchmark has no threads.
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
        )
    try:
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_LIMIT)
        if process.poll() is None or group(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _end_with_parent() -> None:
    """In a process about to become a server: ask for SIGTERM when the benchmark ends, however."""
    ctypes.CDLL(None).prctl(1, int(signal.SIGTERM))  # PR_SET_PDEATHSIG, linux/prctl.h


def first_response(process: subprocess.Popen[bytes], port: int, log: Path, path: str = "/") -> None:
    """Wait until ``path`` is answered 200; end this program with the log if that does not come."""
    deadline = time.monotonic() + START_LIMIT
    reason = f"no response within {START_LIMIT:g} s"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            reason = f"it ended with {process.returncode}"
            break
        try:
            status, _ = get(port, path)
        except (OSError, http.client.HTTPException):
            time.sleep(0.005)
            continue
        if status == 200:
            return
        reason = f"it answered {status}"
        break
    sys.exit(f"{reason}:\n{log.read_text(errors='replace')}")


def get(port: int, path: str = "/") -> tuple[int, bytes]:
    """The status and the body of ``path``, on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_LIMIT)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _settled_memory(group: int) -> int:
    """The memory of all processes of ``group`` once it has stopped growing.

    Workers other than the one that answered first may still be starting.
    """
    last = 0
    for _ in range(40):
        time.sleep(0.25)
        now = sum(map(_memory, group(group)))
        if last and abs(now - last) < last / 200:
            return now
        last = now
    return last


def group(leader: int) -> list[int]:
    """The processes of the group that ``leader`` leads, those that have ended aside."""
    found = subprocess.run(
        ["ps", "-A", "-o", "pid=,pgid=,stat="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 2) for line in found.stdout.splitlines()]
    return [int(pid) for pid, group, state in rows if int(group) == leader and "Z" not in state]


def cpu_seconds(leader: int) -> float:
    """CPU seconds, user's and system's, that the processes of a group have used; Linux only."""
    ticks = 0
    for pid in group(leader):
        with contextlib.suppress(OSError):
            # After the name, which may hold anything; utime and stime, proc_pid_stat(5).
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> int:
    """The bytes that the process ``pid`` accounts for; 0 where it has ended.

    PSS, which splits what processes share among them, so that a sum over processes is
    true; where the system does not tell it, RSS, which counts shared pages for each.
    """
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    found = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return int(found.stdout.strip() or 0) * 1024
