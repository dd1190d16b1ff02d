"""Whether an entry point can be imported without what manage.py adds to the import path."""

from __future__ import annotations

import os
import secrets
import sysconfig
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploytool.project.probing import Asked, failure_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.project.facts import EntryPoint, Failure, Project


@dataclass(frozen=True, slots=True)
class NotAlone:
    """Why an entry point cannot be imported alone; ``missing`` is what is not on the path then."""

    error: Failure
    missing: tuple[str, ...]


def import_alone(project: Project, entry: EntryPoint) -> NotAlone | None:
    """Import ``entry``, sound as it is here, from the base directory alone.

    None where it can be, and where manage.py has added nothing: nothing is started then.
    """
    if entry.status != "ok" or entry.application is None or not _added(project):
        return None
    module, _, attribute = entry.application.partition(":")
    request = {
        "module": module,
        "attribute": attribute,
        "role": entry.interface,
        "salt": secrets.token_hex(32),
    }
    changes = {"DJANGO_SETTINGS_MODULE": project.settings_module}
    answer = Asked(project, request, changes, import_path=[project.base_dir]).answer()
    if answer is None or "status" in answer:
        return None
    error = failure_of(answer["error"], project.base_dir)
    if error.type not in {"ModuleNotFoundError", "ImportError"}:
        return None
    there = set(map(os.path.realpath, answer["path"]))
    missing = [path for path in project.import_path if os.path.realpath(path) not in there]
    return NotAlone(error, tuple(missing)) if missing else None


def _by_python() -> Iterator[str]:
    """The directories that ``.pth`` files name, as an editable installation leaves one."""
    for kind in ("purelib", "platlib"):
        for file in Path(sysconfig.get_path(kind)).glob("*.pth"):
            with suppress(OSError, ValueError):
                yield from (line.strip() for line in file.read_text("utf-8").splitlines())


def _added(project: Project) -> list[str]:
    """The directories of the import path that neither the environment nor Python puts there."""
    given = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    known = {os.path.realpath(path) for path in (*given, *_by_python(), project.base_dir)}
    return [path for path in project.import_path if os.path.realpath(path) not in known]
