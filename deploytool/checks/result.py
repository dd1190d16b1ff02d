"""What a run of the checks ends in: every finding as plain data, and what it was judged by."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from django.core import checks

from deploytool.checks.rule import PREFIX
from deploytool.project.definitions import location_of
from deploytool.project.facts import Location
from deploytool.project.source import locate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploytool.checks.case import Case
    from deploytool.plan import Plan
    from deploytool.project.facts import Interface

Level = Literal["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"]

LEVEL_NAMES: dict[int, Level] = {
    checks.CRITICAL: "CRITICAL",
    checks.ERROR: "ERROR",
    checks.WARNING: "WARNING",
    checks.INFO: "INFO",
    checks.DEBUG: "DEBUG",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One finding, Django's or ours.

    ``object`` is what it is about as Django shows it, empty where it is about nothing in
    particular; ``path`` (relative to the project's base directory where it lies in it) and
    ``line`` the place to open, None where there is none.
    """

    id: str
    level: Level
    message: str
    hint: str
    object: str
    path: str | None = None
    line: int | None = None
    change: Literal["new", "gone"] | None = None

    @property
    def severity(self) -> int:
        """Its level as Django's check framework counts it, 10 to 50."""
        return int(getattr(checks, self.level))

    @property
    def ours(self) -> bool:
        """Whether it is one of deploytool's checks."""
        return self.id.startswith(PREFIX)

    @property
    def place(self) -> str:
        """Where to look: ``path:line``, or the object's name."""
        if self.path is None:
            return self.object
        return self.path if self.line is None else f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Result:
    """All findings of a run, sorted; ``silenced`` are those that the settings silence.

    With ``what_if`` they are what would be found on that interface, and after them, with
    the change ``gone``, what is found on the planned one only; ``instead_of`` is the plan
    for that one.
    """

    case: Case
    findings: tuple[Entry, ...]
    silenced: tuple[Entry, ...]
    fail_level: Level
    what_if: Interface | None = None
    instead_of: Plan | None = None

    @property
    def present(self) -> tuple[Entry, ...]:
        """The findings without those that would be gone."""
        return tuple(entry for entry in self.findings if entry.change != "gone")

    @property
    def failing(self) -> tuple[Entry, ...]:
        """The findings at or above the fail level."""
        least = int(getattr(checks, self.fail_level))
        return tuple(entry for entry in self.present if entry.severity >= least)


def entries(messages: Iterable[checks.CheckMessage], base_dir: str) -> tuple[Entry, ...]:
    """``messages`` as entries: the gravest first, then by id and place."""
    return tuple(sorted((_entry(message, base_dir) for message in messages), key=_order))


def _order(entry: Entry) -> tuple[int, str, str, int]:
    return -entry.severity, entry.id, entry.path or "", entry.line or 0


def _entry(message: checks.CheckMessage, base_dir: str) -> Entry:
    where = _where(message.obj, base_dir)
    return Entry(
        id=message.id or "",
        level=level_name(message.level),
        message=str(message.msg),
        hint=str(message.hint or ""),
        object=_name(message.obj),
        path=where.path if where else None,
        line=where.line if where else None,
    )


def level_name(level: int) -> Level:
    """The name of ``level``; of one between Django's levels that of the next below."""
    return LEVEL_NAMES[max((each for each in LEVEL_NAMES if each <= level), default=checks.DEBUG)]


def _name(obj: object) -> str:
    if obj is None:
        return ""
    label = getattr(getattr(obj, "_meta", None), "label", None)
    # As CheckMessage.__str__() shows a model.
    if isinstance(obj, type) and isinstance(label, str):
        return label
    try:
        return str(obj)
    except Exception:  # an app's own object, which may need what is not there
        return object.__repr__(obj)


def _where(obj: object, base_dir: str) -> Location | None:
    """The file of what a finding is about, where it is a file, a class or a model's field."""
    if isinstance(obj, Location):
        return obj
    target = obj if isinstance(obj, type) else getattr(obj, "model", None)
    if isinstance(target, type):
        return location_of(target, base_dir)
    if isinstance(obj, Path) or (isinstance(obj, str) and os.path.isfile(obj)):
        return locate(str(obj), None, base_dir)
    return None
