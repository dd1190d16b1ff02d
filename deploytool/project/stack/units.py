"""systemd units, Procfiles, Supervisor's and uWSGI's configuration: lines of names and values.

By systemd.syntax(7), systemd.service(5), systemd.socket(5), Heroku's "The Procfile",
Supervisor's "Configuration File" and uWSGI's "Configuring uWSGI".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.project.facts import Location
    from deploytool.project.stack.repository import DeployFile


@dataclass(frozen=True, slots=True)
class Entry:
    """A line ``name=value`` of a section."""

    section: str
    name: str
    value: str
    place: Location


@dataclass(frozen=True, slots=True)
class Sections:
    """A file of sections with names and values, of which there may be several."""

    file: DeployFile
    entries: tuple[Entry, ...]

    def all(self, section: str, name: str) -> tuple[Entry, ...]:
        """The entries ``name``, in order; an empty value takes those before it away."""
        found: list[Entry] = []
        for entry in self.entries:
            if entry.section == section and entry.name == name:
                found = [*found, entry] if entry.value else []
        return tuple(found)

    def last(self, section: str, name: str) -> Entry | None:
        """The entry ``name`` in force."""
        found = self.all(section, name)
        return found[-1] if found else None

    def value(self, section: str, name: str) -> str:
        """The value in force, ``""`` where there is none."""
        found = self.last(section, name)
        return found.value if found else ""


def read_unit(file: DeployFile) -> Sections:
    """A unit of systemd."""
    return Sections(file, tuple(_entries(file, comments="#;", continued="\\")))


def read_ini(file: DeployFile) -> Sections:
    """An INI file as Supervisor and uWSGI read it: an indented line goes on with a value."""
    return Sections(file, tuple(_entries(file, comments="#;", indented=True)))


def _entries(
    file: DeployFile, *, comments: str, continued: str = "", indented: bool = False
) -> Iterator[Entry]:
    section = ""
    pending: list[str] = []
    start = 1
    lines = file.text.splitlines()
    for number, line in enumerate([*lines, ""], 1):
        if continued and pending and pending[-1].endswith(continued):
            if line.lstrip()[:1] in set(comments) and line.strip():
                continue
            pending[-1] = pending[-1][:-1].rstrip()
            pending.append(line.strip())
            continue
        if indented and pending and line[:1] in {" ", "\t"} and line.strip():
            pending.append(line.strip())
            continue
        if pending:
            name, _, value = " ".join(pending).partition("=")
            yield Entry(section, name.strip(), value.strip(), file.at(start))
            pending = []
        text = line.strip()
        if not text or text[0] in comments:
            continue
        if found := re.fullmatch(r"\[([^\]]+)\]", text):
            section = found[1]
        else:
            pending, start = [text], number


def read_procfile(file: DeployFile) -> tuple[Entry, ...]:
    """The process types of a Procfile, as entries without a section."""
    found = []
    for number, line in enumerate(file.text.splitlines(), 1):
        match = re.match(r"([A-Za-z0-9_-]+):\s*(.+)$", line)
        if match:
            found.append(Entry("", match[1], match[2].strip(), file.at(number)))
    return tuple(found)


def timespan(text: str) -> float | None:
    """A time of systemd (``90``, ``1min 30s``) in seconds; None for what is none or no limit."""
    if re.fullmatch(r"\d+", text):
        return float(text)
    units = {"ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "hr": 3600}
    parts = re.findall(r"(\d+)\s*([a-z]+)", text)
    if not parts or any(unit not in units for _, unit in parts):
        return None
    return sum(int(number) * units[unit] for number, unit in parts)
