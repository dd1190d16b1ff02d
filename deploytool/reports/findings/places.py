"""Where a finding stands in the repository: tools that annotate files ask for it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from deploytool.project.facts import Location

if TYPE_CHECKING:
    from deploytool.checks.result import Entry
    from deploytool.project import Project


def in_repository(entry: Entry, project: Project) -> Location | None:
    """The file of ``entry``, relative to the repository's root.

    Findings about no file in particular stand at the settings module, as most of them are
    about settings. None where the file lies outside of the repository.
    """
    root = repository(project)
    if entry.path is not None:
        file = Path(project.base_dir, entry.path)
    else:
        settings = getattr(sys.modules.get(project.settings_module or ""), "__file__", None)
        if not settings:
            return None
        file = Path(settings)
    real = Path(os.path.realpath(file))
    if not real.is_relative_to(root):
        return None
    return Location(real.relative_to(root).as_posix(), entry.line)


def repository(project: Project) -> str:
    """The root of the checkout that the project lies in, else the project's base directory."""
    base = Path(os.path.realpath(project.base_dir))
    found = (path for path in (base, *base.parents) if (path / ".git").exists())
    return str(next(found, base))
