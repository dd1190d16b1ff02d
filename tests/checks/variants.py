"""Many variants of one project's settings, judged in one process of the project."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.support import environment

if TYPE_CHECKING:
    from pathlib import Path

_SCRIPT = """
import dataclasses, json, os, sys
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
    options = {k: v for k, v in variant["options"].items() if k in ("interface", "server")}
    stated = {k: v for k, v in variant["options"].items() if k not in options}
    with override_settings(**changed):
        judged = dataclasses.replace(project, conf=read_conf())
        case = make_case(judged, Options(**options), (), Stated(**stated))
        answers.append([
            (f"{found.level or rule.letters[0]}{rule.number}", found.message, found.hint)
            for rule in rules() if first <= rule.number <= last for found in rule.judge(case)
        ])
sys.__stdout__.write("\\n@@" + json.dumps(answers))
"""

Found = list[tuple[str, str, str]]


def variant(settings: str, **options: Any) -> dict[str, Any]:
    """The settings that differ, as the source of a dict; ``options`` are the command's."""
    return {"settings": settings, "options": options}


def judged_each(
    project: Path, first: int, last: int, variants: list[dict[str, Any]]
) -> list[Found]:
    """For each variant what the rules from ``first`` to ``last`` find: id, message, hint.

    The project is inspected once, so that a variant may change whatever is no fact of it.
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _SCRIPT],
        cwd=project,
        env=environment(),
        input=json.dumps([first, last, variants]),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: list[Found] = json.loads(done.stdout.rsplit("\n@@", 1)[1])
    return [[(one, two, three) for one, two, three in answer] for answer in answers]
