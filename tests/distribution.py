"""The distribution under test: built once a run from a copy of the checkout, and environments
that hold nothing but what is installed into them."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import ROOT, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

# What work in a checkout leaves behind, and nobody else is to get.
LEFTOVERS = (
    ".env",
    "site.log",
    ".venv/pyvenv.cfg",
    ".tox/log",
    ".pytest_cache/README.md",
    "build/lib/deploytool/old.py",
    "dist/old.whl",
    "docs/_build/html/index.html",
    "deploytool/__pycache__/apps.cpython-311.pyc",
    "django_deploytool.egg-info/PKG-INFO",
    "db.sqlite3",
    "staticfiles/site.css",
)


def run(*argv: str | Path, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command that sees nothing of this checkout; its output is kept."""
    done = subprocess.run(
        argv,
        cwd=cwd,
        env=environment(PYTHONPATH=None),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if check and done.returncode:
        output = done.stdout + done.stderr
        if any(sign in output for sign in ("NewConnectionError", "NameResolutionError")):
            pytest.skip("the package index cannot be reached")
        raise AssertionError(output)
    return done


def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the source distribution and the wheel that was built from it."""
    with _once(tmp_path_factory, "dist") as (folder, missing):
        if missing:
            checkout = folder / "checkout"
            own = ("__pycache__", "*.egg-info", "_build", "build", "dist", "staticfiles")
            left = (".git", ".venv", ".tox", ".*_cache", ".django-suites", "*.sqlite3")
            ignored = shutil.ignore_patterns(*left, *own)
            shutil.copytree(ROOT, checkout, ignore=ignored)
            for leftover in LEFTOVERS:
                (checkout / leftover).parent.mkdir(parents=True, exist_ok=True)
                (checkout / leftover).write_text("left behind\n")
            run(sys.executable, "-m", "build", "--outdir", folder, cwd=checkout)
    return folder


def installed(tmp_path_factory: pytest.TempPathFactory, name: str, *requirements: str) -> Path:
    """The interpreter of a new virtual environment with ``requirements`` and nothing else."""
    with _once(tmp_path_factory, name) as (folder, missing):
        python = folder / "venv" / "bin" / "python"
        if missing:
            venv.create(folder / "venv", with_pip=True)
            pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
            run(*pip, *requirements, cwd=folder)
    return python


@contextlib.contextmanager
def _once(factory: pytest.TempPathFactory, name: str) -> Iterator[tuple[Path, bool]]:
    """The directory ``name`` that all workers of this run share, and whether it is to be filled.

    Workers take turns, so that one fills it and the others find it filled.
    """
    import fcntl  # not on Windows, where these tests are not run

    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # a worker's own directory lies in that of the run
    folder, done = shared / name, shared / f"{name}.done"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = not done.exists()
        if missing:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        yield folder, missing
        done.touch()
