"""Findings as annotations of a pull request.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploytool.reports.findings.places import in_repository
from deploytool.reports.findings.text import summary

if TYPE_CHECKING:
    from django.core.management.color import Style

    from deploytool.checks.result import Entry, Result

_COMMANDS = {"CRITICAL": "error", "ERROR": "error", "WARNING": "warning"}


def report(result: Result, verbosity: int = 1, style: Style | None = None) -> str:
    """One workflow command a finding, then the line in sum."""
    del verbosity, style
    lines = [_command(entry, result) for entry in result.present]
    return "\n".join([*lines, summary(result)])


def _command(entry: Entry, result: Result) -> str:
    place = in_repository(entry, result.case.project)
    properties = {"title": f"{entry.id} {entry.level}".lstrip()}
    if place:
        properties = {"file": place.path, "line": str(place.line or 1), **properties}
    stated = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    text = "\n".join(filter(None, [entry.message, entry.hint]))
    return f"::{_COMMANDS.get(entry.level, 'notice')} {stated}::{_data(text)}"


def _data(text: str) -> str:
    # As the toolkit of GitHub's actions escapes it (packages/core/src/command.ts).
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
