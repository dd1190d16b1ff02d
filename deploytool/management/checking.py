"""What ``deploycheck`` does between its options and its report."""

from __future__ import annotations

import gc
from collections import Counter
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from django.core import checks
from django.core.checks.registry import registry
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.db import connections

from deploytool.checks.deployment import Stated
from deploytool.checks.given import judging
from deploytool.checks.registered import make_case, run_each
from deploytool.checks.result import Result, entries
from deploytool.checks.rule import PREFIX, rule_of, rules
from deploytool.plan import Options, PlanError
from deploytool.project import inspect_project
from deploytool.project.source import failure
from deploytool.servers import server_named

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
    _require_known(tags, databases)
    # Much is made and kept until the end, and to look through it for cycles again and again
    # is an eighth of the time of a large project (benchmarks/checks.py).
    collected = gc.isenabled()
    gc.disable()
    try:
        return _judged(options, tags, databases)
    except (ImproperlyConfigured, PlanError) as error:
        raise could_not_run(str(error)) from error
    except (Exception, SystemExit) as error:
        # Not a rule and not a check, whose exceptions are findings: what they rest on.
        place = failure(error, "").location
        raise could_not_run(
            f"The project cannot be judged: {type(error).__name__}: {error}"
            f"{f' ({place})' if place else ''}. --traceback shows where."
        ) from error
    finally:
        if collected:
            gc.enable()


def _require_known(tags: Sequence[str] | None, databases: Sequence[str]) -> None:
    unknown = [tag for tag in tags or () if not checks.tag_exists(tag, True)]
    if unknown:
        known = ", ".join(sorted(registry.tags_available(True)))
        raise could_not_run(f"There is no tag {unknown[0]!r}. Tags: {known}.")
    missing = [alias for alias in databases if alias not in connections.settings]
    if missing:
        known = ", ".join(connections.settings)
        raise could_not_run(f"There is no database {missing[0]!r} in DATABASES, but {known}.")


def _judged(
    options: dict[str, Any], tags: Sequence[str] | None, databases: tuple[str, ...]
) -> Result:
    project = inspect_project()
    stated = Stated(**{field.name: options[field.name] for field in fields(Stated)})
    asked = Options(
        interface=options["interface"], server=options["server"], workers=options["workers"]
    )
    case = make_case(project, asked, databases, stated)
    found, silenced = _run(case, tags)
    other: Interface | None = options["what_if"]
    if other is None:
        return Result(case, found, silenced, options["fail_level"])
    there = make_case(*_served_by(other, project, asked), databases, stated)
    found_there, silenced = _run(there, tags)
    compared = _compared(found, found_there)
    return Result(there, compared, silenced, options["fail_level"], other, case.plan)


def _served_by(interface: Interface, project: Project, asked: Options) -> tuple[Project, Options]:
    """``project`` and ``asked`` for ``interface``, without a setting that speaks against it.

    A server that the settings name because the other interface is served need not be able
    to serve this one; one that the command line names is to be taken at its word.
    """
    conf = replace(project.conf, interface=None)
    if conf.server and interface not in server_named(conf.server).interfaces:
        conf = replace(conf, server=None)
    return replace(project, conf=conf), replace(asked, interface=interface)


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
    """What is found on the other interface, marked where it is new; then what would be gone.

    A finding is the same when its id and place are: its message may speak of the plan.
    """
    here_too, there_too = Counter(map(_key, here)), Counter(map(_key, there))
    marked = [entry if _taken(here_too, entry) else replace(entry, change="new") for entry in there]
    gone = [replace(entry, change="gone") for entry in here if not _taken(there_too, entry)]
    return (*marked, *gone)


def _key(entry: Entry) -> tuple[str, str]:
    return entry.id, entry.place


def _taken(counts: Counter[tuple[str, str]], entry: Entry) -> bool:
    """Whether one of ``counts`` is left for ``entry``; it is used up then."""
    counts[_key(entry)] -= 1
    return counts[_key(entry)] >= 0


def could_not_run(message: str) -> CommandError:
    """The error of a check that could not be made."""
    return CommandError(message, returncode=COULD_NOT_RUN)


def explained(identifier: str) -> str:
    """The page of the rule that ``identifier`` is of; CommandError for an unknown one."""
    rule = rule_of(identifier)
    if rule is not None:
        title, _, rest = rule.page.partition("\n")
        return f"{' '.join(rule.ids)}: {title}\n{rest}"
    if "." in identifier and not identifier.startswith(PREFIX):
        raise could_not_run(
            f"{identifier} is not one of deploytool's checks. Django's are explained in "
            "https://docs.djangoproject.com/en/stable/ref/checks/"
        )
    raise could_not_run(f"There is no check {identifier!r}: manage.py deploycheck --list.")


def listed() -> str:
    """Every rule in a line of its own: ids and title."""
    width = max(len(" ".join(rule.ids)) for rule in rules())
    return "\n".join(f"{' '.join(rule.ids):{width}}  {rule.title}" for rule in rules())
