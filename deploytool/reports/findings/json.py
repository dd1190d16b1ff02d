"""Findings for programs: versioned, described by ``deploycheck.schema.json`` in ``reports``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from deploytool.reports.json import document as plan_document

if TYPE_CHECKING:
    from deploytool.checks.result import Result

VERSION = 1


def report(result: Result, verbosity: int = 1) -> str:
    """``result`` as one JSON document."""
    del verbosity
    return json.dumps(document(result), indent=2, ensure_ascii=False)


def document(result: Result) -> dict[str, Any]:
    """What ``report()`` writes, as plain data: no fact about the project but the plan."""
    case = result.case
    planned = plan_document(case.project, case.plan)
    return {
        "version": VERSION,
        "fail_level": result.fail_level,
        "failed": bool(result.failing),
        "what_if": result.what_if,
        "plan": planned["plan"],
        "decisions": planned["decisions"],
        "deployment": asdict(case.deployment),
        "findings": [asdict(entry) for entry in result.findings],
        "silenced": [asdict(entry) for entry in result.silenced],
    }
