"""The plan and the facts behind it as JSON, for programs: version 1.

Described by ``deployplan.schema.json`` beside this file. A later version may add keys; one
that changes or removes any has another number.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from deploytool.plan.hops import count_hops

if TYPE_CHECKING:
    from deploytool.plan import Plan
    from deploytool.project import Project

VERSION = 1


def report(project: Project, plan: Plan, verbosity: int = 1) -> str:
    """``project`` and ``plan`` as one JSON document."""
    del verbosity
    return json.dumps(document(project, plan), indent=2, ensure_ascii=False)


def document(project: Project, plan: Plan) -> dict[str, Any]:
    """What ``report()`` writes, as plain data.

    Decisions and rejected servers stand beside the plan rather than in it, and no value
    of the environment but those that the plan itself sets.
    """
    data = asdict(plan)
    decisions, rejected = data.pop("decisions"), data.pop("rejected")
    facts = asdict(project)
    for entry in ("wsgi", "asgi"):
        del facts["entrypoints"][entry]["started"]  # no part of a plan
    facts["machine"]["installed"] = dict(facts["machine"]["installed"])
    facts["environment"] = dict(facts["environment"])
    facts["conf"] = {key: value for key, value in facts["conf"].items() if value is not None}
    facts["urlconf"] = facts["views"]["urlconf"]
    facts["views_error"] = facts["views"]["error"]
    facts["views"] = facts["views"]["views"]
    return {
        "version": VERSION,
        "project": facts,
        "plan": data,
        "decisions": decisions,
        "rejected": rejected,
        "hops": asdict(count_hops(project, plan.interface)),
    }
