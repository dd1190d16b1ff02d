"""Starting a part of ``probe/`` in a fresh interpreter, and reading what it wrote down."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploytool.launch import IsolatedProcess
from deploytool.project.facts import Failure, Location
from deploytool.project.source import is_installed, locate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploytool.project import Project

PROBE = Path(__file__).resolve().parent / "probe" / "__main__.py"
GRACE = 3.0
"""Seconds beyond the limit before a probe that did not end itself is killed."""


class Asked:
    """A request under way in a process of its own; :meth:`answer` has to be called.

    ``changes`` to the environment: None takes a variable away. ``import_path`` is the
    project's unless another is given. Nothing raises; a process that cannot be started has
    no answer.
    """

    def __init__(
        self,
        project: Project,
        request: Mapping[str, Any],
        changes: Mapping[str, str | None],
        import_path: Sequence[str] | None = None,
    ) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="deploytool-")
        directory = Path(self._directory.name)
        timeout = project.conf.entrypoint_timeout
        whole = {
            **request,
            "timeout": timeout,
            "result": str(directory / "result"),
            "trace": str(directory / "trace"),
        }
        argv = [sys.executable, "-P", "-u", str(PROBE), json.dumps(whole)]
        env = environment(project.import_path if import_path is None else import_path, changes)
        self._process: IsolatedProcess | None = None
        try:
            self._process = IsolatedProcess(argv, env, directory / "output", timeout + GRACE)
        except OSError:
            return

    def answer(self) -> dict[str, Any] | None:
        """What it wrote down, None where it wrote nothing within its limit."""
        with self._directory as directory:
            if self._process is None:
                return None
            self._process.wait()
            try:
                raw: dict[str, Any] = json.loads(Path(directory, "result").read_text("utf-8"))
            except (OSError, ValueError):
                return None
            return raw


def environment(
    import_path: Sequence[str], changes: Mapping[str, str | None] | None = None
) -> dict[str, str]:
    """This process' environment with ``import_path`` ahead of PYTHONPATH, and ``changes``."""
    env = dict(os.environ)
    for name, value in (changes or {}).items():
        env.pop(name, None)
        if value is not None:
            env[name] = value
    before = filter(None, env.get("PYTHONPATH", "").split(os.pathsep))
    env["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([*import_path, *before]))
    return env


def failure_of(raw: Mapping[str, Any], base_dir: str) -> Failure:
    """The Failure of an exception that a probe wrote down, placed at the project's own frames."""
    trails = [own_places(frames, base_dir) for frames in (raw["frames"], *raw.get("causes", ()))]
    trail = next((each for each in trails if each), ())
    return Failure(raw["type"], raw["message"], trail[-1] if trail else None, trail)


def own_places(frames: Sequence[tuple[str, int | None]], base_dir: str) -> tuple[Location, ...]:
    """Those of ``frames`` that are the project's own."""
    return tuple(locate(path, line, base_dir) for path, line in frames if not is_installed(path))
