"""Where in the project's files something is written: paths, lines, and failures.

Shared by the modules that inspect a project, so that every fact points at files the
same way.
"""

from __future__ import annotations

import os
import sysconfig
import traceback
from functools import cache
from pathlib import Path

from deploytool.project.facts import Failure, Location

_PACKAGE = str(Path(__file__).resolve().parent.parent)


@cache
def _installed_prefixes() -> tuple[str, ...]:
    """Directories that hold Python itself and installed distributions."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    paths = {os.path.realpath(sysconfig.get_path(name)) for name in names}
    return tuple(path + os.sep for path in sorted(paths))


@cache
def is_installed(path: str) -> bool:
    """Whether the file ``path`` is Python's or a distribution's, not the project's own."""
    real = os.path.realpath(path)
    return (
        real.startswith((*_installed_prefixes(), _PACKAGE + os.sep))
        or f"{os.sep}site-packages{os.sep}" in real
        or f"{os.sep}dist-packages{os.sep}" in real
        or path.startswith("<")
    )


def locate(path: str, line: int | None, base_dir: str) -> Location:
    """The Location of ``path``, relative to ``base_dir`` when it lies inside it."""
    real, base = os.path.realpath(path), os.path.realpath(base_dir)
    if real.startswith(base + os.sep):
        return Location(os.path.relpath(real, base).replace(os.sep, "/"), line)
    return Location(path, line)


def failure(error: BaseException, base_dir: str) -> Failure:
    """The Failure of an exception, placed at the project's own frames."""
    frames = traceback.extract_tb(error.__traceback__)
    trail = [
        locate(frame.filename, frame.lineno, base_dir)
        for frame in frames
        if not is_installed(frame.filename)
    ]
    if isinstance(error, SyntaxError) and error.filename:
        trail.append(locate(error.filename, error.lineno, base_dir))
    message = str(error).strip() or type(error).__name__
    return Failure(type(error).__name__, message, trail[-1] if trail else None, tuple(trail))
