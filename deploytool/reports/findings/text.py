"""Findings as a person reads them: each with its place and next step, then one line in sum."""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import fields
from typing import TYPE_CHECKING

from deploytool.reports.text import server_title
from deploytool.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.result import Entry, Result

_WIDTH = 100
_CHANGES = {"new": "new: ", "gone": "gone: ", None: ""}


def report(result: Result, verbosity: int = 1) -> str:
    """The findings, the deployment that they are judged by, and one line in sum."""
    return "\n".join(_lines(result, verbosity))


def _lines(result: Result, verbosity: int) -> Iterator[str]:
    for entry in result.findings:
        yield from _entry(entry)
    if verbosity > 1:
        for entry in result.silenced:
            yield from _entry(entry, "silenced: ")
    yield f"Judged as: {judged_as(result)}."
    yield summary(result)


def _entry(entry: Entry, mark: str = "") -> Iterator[str]:
    place = f"  {entry.place}" if entry.place else ""
    yield f"{mark}{_CHANGES[entry.change]}{entry.level} {entry.id}{place}"
    yield from _wrapped(entry.message)
    if entry.hint:
        yield from _wrapped(f"→ {entry.hint}")
    yield ""


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
            parts.append(f"{field.name.replace('_', ' ')} {_value(fact.value)} ({fact.source})")
    return ", ".join(parts)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "unknown" if value is None else str(value)


def summary(result: Result) -> str:
    """How many findings there are of each level, and how many are silenced."""
    present = [entry for entry in result.findings if entry.change != "gone"]
    levels: Counter[str] = Counter(entry.level for entry in present)
    counts = ", ".join(counted(levels[level], level.lower()) for level in _ORDER if levels[level])
    silenced = f" {len(result.silenced)} silenced." if result.silenced else ""
    if not counts:
        return f"No findings.{silenced}"
    fails = len(result.failing)
    verdict = f"; {fails} at or above {result.fail_level}" if fails else ""
    return f"{counts}{verdict}.{silenced}"


_ORDER = ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG")
