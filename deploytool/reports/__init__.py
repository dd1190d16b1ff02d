"""Reports: one file a format, each a function from a project and its plan to text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploytool.reports.json import report as json
from deploytool.reports.text import report as text

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploytool.plan import Plan
    from deploytool.project import Project

FORMATS: dict[str, Callable[[Project, Plan, int], str]] = {"text": text, "json": json}
