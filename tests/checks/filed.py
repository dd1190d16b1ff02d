"""Many sets of deployment files around one project, judged in one process of the project."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.support import run_python

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SCRIPT = """
import json, os, sys, textwrap
from contextlib import nullcontext
sys.path.insert(0, os.getcwd())
os.environ["DJANGO_SETTINGS_MODULE"] = "site1.settings"
import django
django.setup()
from django.test import override_settings
from deploytool.checks.registered import make_case
from deploytool.checks.rule import rules
from deploytool.plan import Options
from deploytool.project import inspect_project
from deploytool.project.stack import read_stack

first, last, sets = json.loads(sys.stdin.read())
project = inspect_project()
answers = []
for files, interface, changed in sets:
    for name, text in files.items():
        os.makedirs(os.path.dirname(os.path.abspath(name)), exist_ok=True)
        with open(name, "w") as file:
            file.write(textwrap.dedent(text).lstrip("\\n"))
    read_stack.cache_clear()
    # Where a setting is written is not told while any is overridden.
    with override_settings(**changed) if changed else nullcontext():
        case = make_case(project, Options(interface=interface))
        assert not case.files.stack.unreadable, case.files.stack.unreadable
        answers.append([
            (
                f"{found.level or rule.letters[0]}{rule.number:03}",
                str(found.where or ""),
                f"{found.message} {found.hint}",
            )
            for rule in rules() if first <= rule.number <= last for found in rule.judge(case)
        ])
    for name in files:
        os.remove(name)
sys.__stdout__.write("\\n@@" + json.dumps(answers))
"""


class Found(dict[tuple[str, str], str]):
    """What was found: by id and place the message with its hint."""

    @property
    def ids(self) -> list[tuple[str, str]]:
        """Each id with its place, in order of the places."""
        return sorted(self, key=lambda each: (each[1].rpartition(":")[0], _line(each[1]), each[0]))


def _line(place: str) -> int:
    number = place.rpartition(":")[2]
    return int(number) if number.isdecimal() else 0


def files(text: Mapping[str, str], interface: str = "wsgi", **changed: Any) -> list[Any]:
    """A set of deployment files, the planned interface, and settings that differ."""
    return [dict(text), interface, changed]


def judged(project: Path, sets: list[list[Any]], first: int = 700, last: int = 749) -> list[Found]:
    """What the rules from ``first`` to ``last`` find with each set of files.

    The project is inspected once; the files of a set are removed before the next one.
    """
    done = run_python(
        "-W",
        "ignore",
        "-c",
        _SCRIPT,
        cwd=project,
        timeout=120,
        stdin=json.dumps([first, last, sets]),
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.rsplit("\n@@", 1)[1])
    return [Found({(each[0], each[1]): each[2] for each in answer}) for answer in answers]


def marked(files: Mapping[str, str]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """``files`` without the marks ``#! E700, W701`` at the ends of lines, and what they say.

    A mark is what is to be found in that line.
    """
    plain: dict[str, str] = {}
    expected: list[tuple[str, str]] = []
    for name, text in files.items():
        lines = []
        for number, line in enumerate(text.lstrip("\n").splitlines(), 1):
            content, _, marks = line.partition("  #! ")
            lines.append(content)
            expected += [(mark.strip(), f"{name}:{number}") for mark in marks.split(",") if mark]
        plain[name] = "\n".join(lines) + "\n"
    found = Found(dict.fromkeys(expected, ""))
    return plain, found.ids
