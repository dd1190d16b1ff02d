"""Findings for programs: version 1, described by ``deploycheck.schema.json`` in ``reports``.

A later version may add keys; one that changes or removes any has another number.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from deploytool.reports.json import document as plan_document

if TYPE_CHECKING:
    from django.core.management.color import Style

    from deploytool.checks.result import Result

VERSION = 1


def report(result: Result, verbosity: int = 1, style: Style | None = None) -> str:
    """``result`` as one JSON document."""
    del verbosity, style
    return json.dumps(document(result), indent=2, ensure_ascii=False)


def document(result: Result) -> dict[str, Any]:
    """What ``report()`` writes, as plain data: no fact about the project but the plan."""
    case = result.case
    planned = plan_document(case.project, case.plan)
    return {
        "version": VERSION,
        "settings_module": case.project.settings_module,
        "base_dir": case.project.base_dir,
        "fail_level": result.fail_level,
        "failed": bool(result.failing),
        "what_if": result.what_if,
        "instead_of": result.instead_of.interface if result.instead_of else None,
        "plan": planned["plan"],
        "decisions": planned["decisions"],
        "deployment": asdict(case.deployment),
        "findings": [asdict(entry) for entry in result.findings],
        "silenced": [asdict(entry) for entry in result.silenced],
    }
