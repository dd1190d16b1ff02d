"""What ``deploycheck`` does between its options and its report."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.core import checks
from django.core.checks.registry import registry
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.db import connections

from deploytool.checks.registered import judging, make_case, run_each
from deploytool.checks.result import Result, entries
from deploytool.checks.rule import rule_of, rules
from deploytool.plan import Options, PlanError
from deploytool.project import inspect_project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploytool.checks.case import Case
    from deploytool.checks.result import Entry
    from deploytool.project import Project
    from deploytool.project.facts import Interface

COULD_NOT_RUN = 2
"""Exit status of a check that could not be made, as opposed to one that found something."""


def judge(options: dict[str, Any]) -> Result:
    """Everything that Django's checks and ours find, judged as ``options`` say.

    Raises CommandError, with the exit status 2, where that cannot be done at all.
    """
    tags, databases = options["tags"], tuple(options["databases"] or ())
    unknown = [tag for tag in tags or () if not checks.tag_exists(tag, True)]
    if unknown:
        known = ", ".join(sorted(registry.tags_available(True)))
        raise could_not_run(f"There is no tag {unknown[0]!r}. Tags: {known}.")
    missing = [alias for alias in databases if alias not in connections.settings]
    if missing:
        known = ", ".join(connections.settings)
        raise could_not_run(f"There is no database {missing[0]!r} in DATABASES, but {known}.")
    try:
        project = inspect_project()
        case = _case(project, options, options["interface"], databases)
        found, silenced = _run(case, tags)
        other: Interface | None = options["what_if"]
        if other:
            case = _case(project, options, other, databases)
            there, silenced = _run(case, tags)
            found = _compared(found, there)
    except (ImproperlyConfigured, PlanError) as error:
        raise could_not_run(str(error)) from error
    return Result(case, found, silenced, options["fail_level"], other)


def _case(
    project: Project,
    options: dict[str, Any],
    interface: Interface | None,
    databases: tuple[str, ...],
) -> Case:
    asked = Options(interface=interface, server=options["server"], workers=options["workers"])
    return make_case(project, asked, databases, options["replicas"])


def _run(case: Case, tags: Sequence[str] | None) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """What is found, and what of it is silenced."""
    with judging(case):
        found = run_each(tags, case.databases)
    base_dir = case.project.base_dir
    return (
        entries((message for message in found if not message.is_silenced()), base_dir),
        entries((message for message in found if message.is_silenced()), base_dir),
    )


def _compared(here: Sequence[Entry], there: Sequence[Entry]) -> tuple[Entry, ...]:
    """What is found on the other interface, marked where it is new; then what would be gone."""
    before, after = {_key(entry) for entry in here}, {_key(entry) for entry in there}
    marked = [entry if _key(entry) in before else replace(entry, change="new") for entry in there]
    gone = [replace(entry, change="gone") for entry in here if _key(entry) not in after]
    return (*marked, *gone)


def _key(entry: Entry) -> tuple[str, str, str]:
    return entry.id, entry.place, entry.message


def could_not_run(message: str) -> CommandError:
    """The error of a check that could not be made."""
    return CommandError(message, returncode=COULD_NOT_RUN)


def explained(identifier: str) -> str:
    """The page of the rule that ``identifier`` is of; CommandError for an unknown one."""
    rule = rule_of(identifier)
    if rule is not None:
        title, _, rest = rule.page.partition("\n")
        return f"{' '.join(rule.ids)}: {title}\n{rest}"
    if "." in identifier and not identifier.startswith("deploytool."):
        raise could_not_run(
            f"{identifier} is not one of deploytool's checks. Django's are explained in "
            "https://docs.djangoproject.com/en/stable/ref/checks/"
        )
    raise could_not_run(f"There is no check {identifier!r}: manage.py deploycheck --list.")


def listed() -> str:
    """Every rule in a line of its own: ids and title."""
    width = max(len(" ".join(rule.ids)) for rule in rules())
    return "\n".join(f"{' '.join(rule.ids):{width}}  {rule.title}" for rule in rules())
