"""The entries of MIDDLEWARE as the rules about them see them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploytool.project.facts import Location, Middleware

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploytool.checks.case import Case
    from deploytool.checks.rule import Letter
    from deploytool.project.chain import Conduct, Noticed, Test


@dataclass(frozen=True, slots=True)
class Entry:
    """One middleware: what is written of it (``fact``), and what came of it (``conduct``)."""

    fact: Middleware
    conduct: Conduct

    @property
    def path(self) -> str:
        """Its dotted path in the settings."""
        return self.conduct.path

    @property
    def index(self) -> int:
        """Its place in the chain, 0 for the outermost."""
        return self.conduct.index

    @property
    def own(self) -> bool:
        """Whether its class or function is the project's own."""
        return is_own(self.fact.location)

    def is_a(self, *classes: str) -> bool:
        """Whether it is one of these classes or a subclass, by their dotted paths."""
        return any(base in classes for base in self.fact.bases)

    def place(self, *preferred: Location | None) -> Location | str:
        """The place to change: of ``preferred`` the first in the project, else its setting."""
        for each in (*preferred, self.fact.location):
            if each is not None and is_own(each):
                return each
        return self.listed

    @property
    def listed(self) -> Location | str:
        """The line of the settings that names it."""
        return self.fact.set_at or self.fact.setting


def is_own(location: Location | None) -> bool:
    """Whether a place is in the project: the paths of others are absolute."""
    return location is not None and not os.path.isabs(location.path)


def entries(case: Case) -> tuple[Entry, ...]:
    """Every entry that the process could say something of, the outermost first."""
    facts = case.project.middleware
    return tuple(Entry(_fact(facts, each), each) for each in case.chain.entries)


def used(case: Case) -> tuple[Entry, ...]:
    """The entries that requests go through, the outermost first."""
    return tuple(entry for entry in entries(case) if entry.conduct.used)


def _fact(facts: tuple[Middleware, ...], conduct: Conduct) -> Middleware:
    if conduct.index < len(facts) and facts[conduct.index].path == conduct.path:
        return facts[conduct.index]
    named = (fact for fact in facts if fact.path == conduct.path)
    return next(named, Middleware(conduct.path, f"settings.MIDDLEWARE[{conduct.index}]"))


def level_of(noticed: Noticed) -> Letter:
    """E for what ordinary requests meet, W where a test of the code's own leads to it."""
    return "E" if noticed.always else "W"


def where_so(tests: Iterable[Test]) -> str:
    """The conditions of a finding in words, for the end of a clause; empty without any."""
    shown = [test.text for test in tests if test.about not in ("end", "exception")]
    return f" where {' and '.join(f'`{text}`' for text in shown[-2:])}" if shown else ""


def names(paths: Iterable[str], most: int = 3) -> str:
    """A few names of many, as a sentence lists them."""
    listed = list(paths)
    shown = listed[:most]
    if len(listed) > most:
        return f"{', '.join(shown)} and {len(listed) - most} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)
