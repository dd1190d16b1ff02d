"""Our place in Django's registry of checks: ``manage.py check --deploy`` shows our findings.

The project is inspected when the check runs, unless whoever runs it has done so already
or wants nothing of ours (given.py).
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import django
from django.core import checks
from django.core.checks.registry import registry
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connections

from deploytool.checks.case import Case
from deploytool.checks.deployment import inspect_deployment
from deploytool.checks.given import given
from deploytool.checks.rule import PREFIX, rule_of
from deploytool.checks.running import messages
from deploytool.plan import Options, PlanError, make_plan
from deploytool.project import inspect_project
from deploytool.project.source import failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploytool.checks.deployment import Stated
    from deploytool.project import Project

UNREADABLE = f"{PREFIX}E002"
"""The id of the finding about settings that no plan can be made with (checks/judging.py)."""

CHECK_CRASHED = f"{PREFIX}E004"
"""The id of the finding about a check of Django's or of an app that raised."""

URLCONF = 25
"""The number of the rule about a URLconf that cannot be loaded (checks/startup.py)."""

_CRASHED = "A check could not be made: "


def check_deployment(
    app_configs: object = None, databases: Sequence[str] | None = None, **_: Any
) -> list[checks.CheckMessage]:
    """The check that is registered: what all rules find."""
    del app_configs
    case = given.get()
    if not isinstance(case, Case):
        try:
            case = make_case(inspect_project(), Options(), _asked(databases))
        except (ImproperlyConfigured, PlanError) as error:
            return [
                checks.Error(
                    f"The project cannot be judged: {error}",
                    hint="Mend it; everything else is judged once a plan can be made.",
                    obj="settings.DEPLOYTOOL",
                    id=UNREADABLE,
                )
            ]
    return messages(case)


def _asked(databases: Sequence[str] | None) -> tuple[str, ...]:
    """Those of ``databases`` that a person has named, and that may be asked something.

    From 6.1 on, Django hands every alias to a check where the command line names none
    (release notes of Django 6.1, "Management Commands"), so that the command line has to
    tell.
    """
    # argparse takes an option by its first letters too, and this one has no other name.
    named = any(word.startswith("--da") for word in sys.argv[1:])
    return tuple(databases or ()) if named else ()


def run_each(tags: Sequence[str] | None, databases: Sequence[str]) -> list[checks.CheckMessage]:
    """What the registered checks find, deployment checks too; one that crashes is a finding.

    Which of them are run is as in ``CheckRegistry.run_checks()`` (django/core/checks/
    registry.py), which ends at the first that raises: where the URLconf cannot be imported,
    nothing else would be known.
    """
    found: list[checks.CheckMessage] = []
    # As Django hands them on where none is named: all of them from 6.1 on.
    aliases = list(databases) or (list(connections) if django.VERSION >= (6, 1) else None)
    for check in registry.get_checks(include_deployment_checks=True):
        if tags is not None:
            if set(check.tags).isdisjoint(tags):
                continue
        elif not databases and checks.Tags.database in check.tags:
            continue
        try:
            found.extend(map(_message, check(app_configs=None, databases=aliases)))
        except (Exception, SystemExit) as error:
            crash = _crash(check, error)
            # Django's checks of the URLconf all import it, and fail alike.
            if crash.msg not in {message.msg for message in found}:
                found.append(crash)
    return _stated_once(found)


def _stated_once(found: list[checks.CheckMessage]) -> list[checks.CheckMessage]:
    """``found`` without what one of our findings says as well, and more of."""
    ours = [rule_of(message.id or "") for message in found if not message.is_silenced()]
    left_out = {identifier for each in ours if each for identifier in each.supersedes}
    case = given.get()
    error = case.project.views.error if isinstance(case, Case) else None
    if error and any(each and each.number == URLCONF for each in ours):
        crash = f"{_CRASHED}{error.type}: {error.message}"
        found = [message for message in found if message.msg != crash]
    return [message for message in found if message.id not in left_out]


def _message(found: object) -> checks.CheckMessage:
    """``found`` where it is what a check has to return."""
    if isinstance(found, checks.CheckMessage):
        return found
    raise TypeError(f"it returned {found!r}, which is no message of Django's check framework")


def _crash(check: object, error: BaseException) -> checks.CheckMessage:
    place = failure(error, os.getcwd()).location
    hint = "Mend what raised it; manage.py check --deploy --traceback shows all of it."
    if isinstance(error, DatabaseError):
        hint = "Check that the database runs and can be reached, or leave --database off."
    return checks.CheckMessage(
        checks.ERROR,
        f"{_CRASHED}{type(error).__name__}: {error}",
        hint=hint,
        obj=place or f"{getattr(check, '__module__', '')}.{getattr(check, '__name__', check)}",
        id=CHECK_CRASHED,
    )


def make_case(
    project: Project,
    options: Options,
    databases: tuple[str, ...] = (),
    stated: Stated | None = None,
) -> Case:
    """``project`` judged as it is to be served in production.

    ``stated`` is what the command line says of the deployment. Raises PlanError for options
    that contradict each other.
    """
    plan = make_plan(replace(project, debug=False), options)
    return Case(project, plan, inspect_deployment(project, plan, stated), databases)
