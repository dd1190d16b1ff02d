"""Comparing two runs of the same tests, test by test."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

Outcomes = list[tuple[str, str, str]]
"""(id of the test, outcome, details) in the order in which they were told."""


class Difference(NamedTuple):
    """One test that did not do the same on both sides."""

    test: str
    django: tuple[str, ...]
    ours: tuple[str, ...]
    details: str


def differences(django: Outcomes, ours: Outcomes) -> list[Difference]:
    """The tests whose outcomes are not the same on both sides, missing ones too."""
    theirs, mine = _by_test(django), _by_test(ours)
    found = []
    for test in sorted(theirs.keys() | mine.keys()):
        left = tuple(sorted(outcome for outcome, _ in theirs[test]))
        right = tuple(sorted(outcome for outcome, _ in mine[test]))
        if left != right:
            details = "\n".join(text for _, text in [*theirs[test], *mine[test]] if text)
            found.append(Difference(test, left, right, details))
    return found


def _by_test(outcomes: Outcomes) -> defaultdict[str, list[tuple[str, str]]]:
    grouped: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for test, outcome, details in outcomes:
        grouped[test].append((outcome, details))
    return grouped


def label(test: str) -> str:
    """What ``runtests.py`` is told to run a test again: the class of a failed set-up."""
    name, _, where = test.partition(" (")
    return where.rstrip(")") if where else name
