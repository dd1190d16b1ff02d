"""Many variants of one project's settings, judged in one process of the project."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.support import run_python

if TYPE_CHECKING:
    from pathlib import Path

_SCRIPT = """
import dataclasses, json, os, sys
from contextlib import nullcontext
sys.path.insert(0, os.getcwd())
os.environ["DJANGO_SETTINGS_MODULE"] = "site1.settings"
import django
django.setup()
from django.test import override_settings
from deploytool.checks.deployment import Stated
from deploytool.checks.registered import make_case
from deploytool.checks.rule import rules
from deploytool.conf import read_conf
from deploytool.plan import Options
from deploytool.project import inspect_project

first, last, variants = json.loads(sys.stdin.read())
project = inspect_project()
answers = []
for variant in variants:
    changed = eval(variant["settings"], {"settings": __import__("site1.settings").settings})
    given = variant["options"]
    options = {k: given[k] for k in ("interface", "server", "workers") if k in given}
    stated = {k: v for k, v in given.items() if k not in options}
    # Where a setting is written is not told of one that is overridden.
    with override_settings(**changed) if changed else nullcontext():
        anew = inspect_project() if variant.get("anew") else project
        judged = dataclasses.replace(anew, conf=read_conf())
        case = make_case(judged, Options(**options), (), Stated(**stated))
        answers.append([
            (
                f"{found.level or rule.letters[0]}{rule.number:03}",
                found.message,
                found.hint,
                str(found.where or ""),
            )
            for rule in rules() if first <= rule.number <= last for found in rule.judge(case)
        ])
sys.__stdout__.write("\\n@@" + json.dumps(answers))
"""

Found = list[tuple[str, str, str]]


def variant(settings: str, **options: Any) -> dict[str, Any]:
    """The settings that differ, as the source of a dict; ``options`` are the command's.

    With a key ``anew`` added the project is inspected again, for facts that they change.
    """
    return {"settings": settings, "options": options}


def judged_each(
    project: Path, first: int, last: int, variants: list[dict[str, Any]]
) -> list[Found]:
    """For each variant what the rules from ``first`` to ``last`` find: id, message, hint.

    The project is inspected once, so that a variant may change whatever is no fact of it.
    """
    answers = placed_each(project, first, last, variants)
    return [[(one, two, three) for one, two, three, _ in answer] for answer in answers]


def placed_each(
    project: Path, first: int, last: int, variants: list[dict[str, Any]], **env: str | None
) -> list[list[tuple[str, str, str, str]]]:
    """The same, each finding with its place, ``path:line``."""
    done = run_python(
        "-W",
        "ignore",
        "-c",
        _SCRIPT,
        cwd=project,
        timeout=120,
        stdin=json.dumps([first, last, variants]),
        **env,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.rsplit("\n@@", 1)[1])
    return [[tuple(found) for found in answer] for answer in answers]
