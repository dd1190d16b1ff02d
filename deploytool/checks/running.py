"""Running all rules: a rule that crashes is a finding, and the others still run."""

from __future__ import annotations

import traceback
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING

from django.core import checks

from deploytool.checks.rule import LEVELS, PREFIX, rules, unloaded
from deploytool.checks.served_settings import others_served
from deploytool.project.settings_apart import settings_apart

if TYPE_CHECKING:
    from deploytool.checks.case import Case
    from deploytool.checks.rule import Finding, Rule
    from deploytool.project.settings_apart import SettingsApart

CRASHED = f"{PREFIX}W001"
"""The id of the finding about a rule that crashed (see checks/judging.py)."""


def messages(case: Case) -> list[checks.CheckMessage]:
    """What every rule finds in ``case``, as messages of Django's check framework."""
    with warnings.catch_warnings():
        # To look at what is deprecated is not to use it: ``-W error`` is no crash of a rule.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        with suppress(Exception):  # the rules that want it say so
            _ = case.pending_chain  # under way while the others are judged
        apart = _apart(case)
        found = {rule: _judged(rule, case, apart) for rule in sorted(rules(), key=_waits)}
    ordered = [message for rule in rules() for message in found[rule]]
    return [*ordered, *(_unmade(f"checks of {name}", error) for name, error in unloaded().items())]


def _waits(rule: Rule) -> bool:
    """Whether a rule is about what another process finds out of the middleware."""
    return rule.subject.startswith("middleware")


def _apart(case: Case) -> SettingsApart | None:
    """What the served settings say otherwise, where manage.py loads others for development.

    What these alone say is no fault of what is served. That findings are about them is a
    finding itself (checks/startup.py).
    """
    try:
        loaded, served = case.project.settings_module, others_served(case)
        if loaded is None or served is None:
            return None
        return settings_apart(loaded, served, case.project.base_dir)
    except Exception:  # the rules that want to know it say so
        return None


def _judged(rule: Rule, case: Case, apart: SettingsApart | None) -> list[checks.CheckMessage]:
    try:
        return [
            _message(rule, finding)
            for finding in rule.judge(case)
            if apart is None or not _is_apart(rule, finding, case, apart)
        ]
    except Exception as error:
        return [_unmade(f"check {rule.id} ({rule.name})", error, rule.id)]


def _is_apart(rule: Rule, finding: Finding, case: Case, apart: SettingsApart) -> bool:
    """Whether a finding above INFO rests on what the served settings say otherwise."""
    if (finding.level or rule.letters[0]) == "I":
        return False
    places = [finding.where, case.set_at(finding.rests_on) if finding.rests_on else None]
    return any(map(apart.differs, places))


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
