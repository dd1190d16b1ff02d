"""Running all rules: a rule that crashes is a finding, and the others still run."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from django.core import checks

from deploytool.checks.rule import LEVELS, PREFIX, Finding, Rule, rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploytool.checks.case import Case

CRASHED = f"{PREFIX}W001"
"""The id of the finding about a rule that crashed (see checks/judging.py)."""


def messages(case: Case) -> list[checks.CheckMessage]:
    """What every rule finds in ``case``, as messages of Django's check framework."""
    return [message for rule in rules() for message in _judged(rule, case)]


def _judged(rule: Rule, case: Case) -> Iterator[checks.CheckMessage]:
    try:
        found: Iterable[Finding] = list(rule.judge(case))
    except Exception as error:
        yield _crashed(rule, error)
        return
    for finding in found:
        letter = finding.level or rule.letters[0]
        yield checks.CheckMessage(
            LEVELS[letter],
            finding.message,
            hint=finding.hint,
            obj=finding.where,
            id=f"{PREFIX}{letter}{rule.number:03}",
        )


def _crashed(rule: Rule, error: Exception) -> checks.CheckMessage:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{frame.filename}:{frame.lineno}"
    return checks.CheckMessage(
        checks.WARNING,
        f"The check {rule.id} ({rule.name}) could not be made: "
        f"{type(error).__name__}: {error} ({where}).",
        hint="The other checks were made. Please report this, with this message.",
        obj=rule.id,
        id=CRASHED,
    )
