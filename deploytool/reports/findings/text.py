"""Findings as a person reads them: each with its place and next step, then one line in sum."""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import fields
from typing import TYPE_CHECKING

from django.core.management.color import no_style

from deploytool.checks.rule import PREFIX
from deploytool.reports import hops
from deploytool.reports.text import server_title
from deploytool.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from django.core.management.color import Style

    from deploytool.checks.result import Entry, Result
    from deploytool.plan import Plan

_WIDTH = 100
_LEVELS = ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG")


def report(result: Result, verbosity: int = 1, style: Style | None = None) -> str:
    """The findings, the deployment that they are judged by, and one line in sum.

    Under ASGI the middleware too, with how each is called and what that costs. With
    ``verbosity`` 2 or more also what is silenced, and the middleware under WSGI. Coloured by
    ``style``, if any.
    """
    return "\n".join(_lines(result, verbosity, style or no_style()))


def _lines(result: Result, verbosity: int, style: Style) -> Iterator[str]:
    if result.what_if:
        yield from _difference(result, style)
    else:
        yield from _entries(result.findings, style)
    if verbosity > 1:
        yield from _entries(result.silenced, style, "silenced: ")
    if verbosity and (ours := next((entry for entry in result.present if entry.ours), None)):
        short = ours.id.removeprefix(PREFIX)
        yield f"What a check of deploytool means: manage.py deploycheck --explain {short}"
        yield ""
    plan = result.case.plan
    # Under WSGI there is nothing to tell of most chains: a request stays in its thread.
    if verbosity and (plan.interface == "asgi" or verbosity > 1):
        yield "Middleware, in its order:"
        yield from textwrap.indent(hops.report(result.case.project, plan), "  ").splitlines()
        yield ""
    yield f"Judged as: {judged_as(result)}."
    paint = style.ERROR if result.failing else style.WARNING if result.present else style.SUCCESS
    yield paint(summary(result))


def _difference(result: Result, style: Style) -> Iterator[str]:
    """What the other interface would bring, what it would take away, and what it would leave."""
    there, here = result.case.plan, result.instead_of
    if here is None or here.interface == there.interface:
        yield f"The plan is {_served(there)} as it is: nothing would change."
        yield ""
        yield from _entries(result.findings, style)
        return
    yield f"As if served by {_served(there)}, instead of {_served(here)}:"
    yield ""
    for change, title in (("new", "New"), ("gone", "Gone"), (None, "The same")):
        found = [entry for entry in result.findings if entry.change == change]
        yield f"{title}: {counted(len(found), 'finding') if found else 'nothing'}"
        yield ""
        yield from _entries(found, style, f"{change}: " if change else "")


def _served(plan: Plan) -> str:
    return f"{plan.interface.upper()} ({server_title(plan)})"


def _entries(found: Iterable[Entry], style: Style, mark: str = "") -> Iterator[str]:
    for entry in found:
        place = f"  {entry.place}" if entry.place else ""
        yield f"{mark}{_paint(entry, style)(f'{entry.level} {entry.id}'.rstrip())}{place}"
        yield from _wrapped(entry.message)
        if entry.hint:
            yield from _wrapped(f"→ {entry.hint}")
        yield ""


def _paint(entry: Entry, style: Style) -> Callable[[str], str]:
    names = {"CRITICAL": "ERROR", "ERROR": "ERROR", "WARNING": "WARNING"}
    paint: Callable[[str], str] = getattr(style, names.get(entry.level, "NOTICE"))
    return paint


def _wrapped(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if line.startswith(" "):  # an example, to be copied as it is
            yield f"    {line}"
        else:
            yield from textwrap.wrap(
                line,
                _WIDTH,
                initial_indent="    ",
                subsequent_indent="    ",
                break_long_words=False,
                break_on_hyphens=False,
            )


def judged_as(result: Result) -> str:
    """Interface, server, processes and deployment, each with where it comes from."""
    plan, deployment = result.case.plan, result.case.deployment
    parts = [
        f"{plan.interface.upper()} ({plan.decision('interface').source})",
        f"{server_title(plan)} ({plan.decision('server').source})",
        f"{counted(plan.workers, 'worker')} ({plan.decision('workers').source})",
    ]
    for field in fields(deployment):
        fact = getattr(deployment, field.name)
        if fact.source != "default":
            # A setting or an option says so itself; what is inferred, a reader may doubt.
            evidence = f": {fact.evidence}" if fact.source == "inferred" and fact.evidence else ""
            name = field.name.replace("_", " ")
            parts.append(f"{name} {_value(fact.value)} ({fact.source}{evidence})")
    return ", ".join(parts)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "unknown" if value is None else str(value)


def summary(result: Result) -> str:
    """How many findings there are of each level, and how many are silenced."""
    levels: Counter[str] = Counter(entry.level for entry in result.present)
    # "1 info" and "2 infos" read oddly in any number.
    counts = ", ".join(
        f"{levels[level]} info" if level == "INFO" else counted(levels[level], level.lower())
        for level in _LEVELS
        if levels[level]
    )
    silenced = f" {len(result.silenced)} silenced." if result.silenced else ""
    if not counts:
        return f"No findings.{silenced}"
    fails = len(result.failing)
    verdict = f"; {fails} at or above {result.fail_level}" if fails else ""
    return f"{counts}{verdict}.{silenced}"
