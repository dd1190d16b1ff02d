"""Reports of findings: one file a format, each a function from a Result to text.

Each takes the verbosity and a style as Django's commands have them; most need neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploytool.reports.findings.github import report as github
from deploytool.reports.findings.json import report as json
from deploytool.reports.findings.sarif import report as sarif
from deploytool.reports.findings.text import report as text

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.core.management.color import Style

    from deploytool.checks.result import Result

FORMATS: dict[str, Callable[[Result, int, Style | None], str]] = {
    "text": text,
    "json": json,
    "github": github,
    "sarif": sarif,
}
