"""Running all rules: a rule that crashes is a finding, and the others still run."""

from __future__ import annotations

import traceback
import warnings
from typing import TYPE_CHECKING

from django.core import checks

from deploytool.checks.rule import LEVELS, PREFIX, rules, unloaded

if TYPE_CHECKING:
    from deploytool.checks.case import Case
    from deploytool.checks.rule import Finding, Rule

CRASHED = f"{PREFIX}W001"
"""The id of the finding about a rule that crashed (see checks/judging.py)."""


def messages(case: Case) -> list[checks.CheckMessage]:
    """What every rule finds in ``case``, as messages of Django's check framework."""
    with warnings.catch_warnings():
        # To look at what is deprecated is not to use it: ``-W error`` is no crash of a rule.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        found = [message for rule in rules() for message in _judged(rule, case)]
    return [*found, *(_unmade(f"checks of {name}", error) for name, error in unloaded().items())]


def _judged(rule: Rule, case: Case) -> list[checks.CheckMessage]:
    try:
        return [_message(rule, finding) for finding in rule.judge(case)]
    except Exception as error:
        return [_unmade(f"check {rule.id} ({rule.name})", error, rule.id)]


def _message(rule: Rule, finding: Finding) -> checks.CheckMessage:
    letter = finding.level or rule.letters[0]
    return checks.CheckMessage(
        LEVELS[letter],
        finding.message,
        hint=finding.hint,
        obj=finding.where,
        id=f"{PREFIX}{letter}{rule.number:03}",
    )


def _unmade(what: str, error: Exception, obj: str | None = None) -> checks.CheckMessage:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return checks.CheckMessage(
        checks.WARNING,
        f"The {what} could not be made: {type(error).__name__}: {error} "
        f"({frame.filename}:{frame.lineno}).",
        hint="The other checks were made. Please report this, with this message.",
        obj=obj,
        id=CRASHED,
    )
