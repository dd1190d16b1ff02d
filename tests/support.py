"""What the tests share: whole small projects, run for real in processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
PROJECTS = ROOT / "tests" / "projects"


def copy_project(name: str, tmp_path: Path) -> Path:
    """A copy of ``tests/projects/NAME`` that the test may change."""
    return Path(shutil.copytree(PROJECTS / name, tmp_path / name))


def environment(**changes: str | None) -> dict[str, str]:
    """The environment for a project's process: this checkout importable, nothing inherited
    that would decide in the project's place."""
    dropped = {
        "DEPLOYTOOL_ASGI_THREADS",
        "DJANGO_SETTINGS_MODULE",
        "FORWARDED_ALLOW_IPS",
        "PORT",
        "PYTHONUNBUFFERED",
        "WEB_CONCURRENCY",
    }
    env = {key: value for key, value in os.environ.items() if key not in dropped}
    env["PYTHONPATH"] = str(ROOT)
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    for key, value in changes.items():
        env.pop(key, None)
        if value is not None:
            env[key] = value
    return env


def run_python(
    *words: str,
    cwd: Path | None = None,
    timeout: float = 60,
    stdin: str = "",
    **env: str | None,
) -> subprocess.CompletedProcess[str]:
    """Run this Python with ``words``, and return what it printed and its exit status.

    ``stdin`` is what it reads; ``env`` changes :func:`environment`.
    """
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env=environment(**env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def manage(
    project: Path, *args: str, timeout: float = 60, cwd: Path | None = None, **env: str | None
) -> subprocess.CompletedProcess[str]:
    """Run ``manage.py ARGS`` of ``project`` and return what it printed and its exit status."""
    return run_python(str(project / "manage.py"), *args, cwd=cwd or project, timeout=timeout, **env)


def facts(project: Path, imports: str, expression: str, **env: str | None) -> Any:
    """The dataclass that ``expression`` gives inside ``project`` after ``django.setup()``.

    ``imports`` is the import line it needs. Returned as JSON gives it back: dicts, lists.
    """
    script = (
        "import dataclasses, json, os, re, sys\n"
        "sys.path.insert(0, os.getcwd())\n"
        "text = open('manage.py').read()\n"
        "module = re.search(r'DJANGO_SETTINGS_MODULE.*?[\"\\']([\\w.]+)[\"\\']\\)', text)[1]\n"
        "os.environ.setdefault('DJANGO_SETTINGS_MODULE', module)\n"
        "import django\n"
        "django.setup()\n"
        f"{imports}\n"
        f"answer = {expression}\n"
        "plain = lambda x: dataclasses.asdict(x) if dataclasses.is_dataclass(x) else "
        "[plain(i) for i in x] if isinstance(x, (tuple, list)) else x\n"
        "sys.__stdout__.write('\\n@@' + json.dumps(plain(answer)))\n"
    )
    done = run_python("-c", script, cwd=project, **env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.rsplit("\n@@", 1)[1])


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Served:
    """A project that is being served: its process, its address, and where its output goes."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str = "/", **headers: str) -> tuple[int, str]:
        """Status and body of a GET."""
        request = urllib.request.Request(self.url + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def stop(self, timeout: float = 40) -> int:
        """Send SIGTERM and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)


@contextlib.contextmanager
def serving(
    project: Path,
    *args: str,
    path: str = "/",
    log: Path | None = None,
    cwd: Path | None = None,
    **env: str | None,
) -> Iterator[Served]:
    """``manage.py runserver_gateway ARGS`` on a free port, answering; stopped at the end."""
    port = free_port()
    log = log or project / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                sys.executable,
                str(project / "manage.py"),
                "runserver_gateway",
                f"127.0.0.1:{port}",
                *args,
            ],
            cwd=cwd or project,
            env=environment(**env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    served = Served(process, port, log)
    try:
        wait_until_answering(served, path)
        yield served
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(5)


def wait_until_answering(served: Served, path: str = "/", timeout: float = 40) -> None:
    """Return once ``path`` is answered, whatever the status."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if served.process.poll() is not None:
            break
        try:
            served.get(path)
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"no answer on {served.url}{path}:\n{served.log.read_text()}")
