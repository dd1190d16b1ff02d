"""Reports of findings: one file a format, each a function from a Result to text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploytool.reports.findings.github import report as github
from deploytool.reports.findings.json import report as json
from deploytool.reports.findings.sarif import report as sarif
from deploytool.reports.findings.text import report as text

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploytool.checks.result import Result

FORMATS: dict[str, Callable[[Result, int], str]] = {
    "text": text,
    "json": json,
    "github": github,
    "sarif": sarif,
}
