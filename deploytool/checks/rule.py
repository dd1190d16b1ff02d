"""What a rule is: one function with one number, whose docstring is its page."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, cast

from django.core import checks

import deploytool.checks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from deploytool.checks.case import Case
    from deploytool.project.facts import Location

    Judge = Callable[["Case"], "Iterable[Finding]"]

Letter = Literal["E", "W", "I"]

LEVELS: dict[str, int] = {"E": checks.ERROR, "W": checks.WARNING, "I": checks.INFO}
"""E: requests fail or data is lost as planned. W: so it will be under conditions that the
message names. I: advice."""

PREFIX = "deploytool."

HEADINGS = ("Why is this bad?", "Example", "Use instead", "Source")
"""The headings of a rule's page, in this order; the text before them says what is found."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a rule found.

    ``message`` says what was found and what follows from it, ``hint`` the exact next step.
    ``where`` is the place to change, or a name where there is no file to open. ``level``
    is one of the rule's letters where it has several; its first otherwise. ``rests_on`` is
    the setting that makes it a fault, where ``where`` is not the place of one.
    """

    message: str
    hint: str
    where: Location | str | None = None
    level: Letter | None = None
    rests_on: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: ``number`` is unique whatever the level, and never used again.

    ``supersedes`` are the ids of Django's that need not be shown beside a finding of this
    rule, which says the same and what follows from it.
    """

    number: int
    letters: tuple[Letter, ...]
    judge: Judge
    supersedes: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids that its findings may have, its usual one first."""
        return tuple(f"{PREFIX}{letter}{self.number:03}" for letter in self.letters)

    @property
    def id(self) -> str:
        """Its usual id."""
        return self.ids[0]

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.judge.__name__

    @property
    def subject(self) -> str:
        """The module that it stands in, which is its subject."""
        return self.judge.__module__.rpartition(".")[2]

    @property
    def page(self) -> str:
        """What it finds, why that is bad, an example, what to use instead, and the source."""
        return inspect.getdoc(self.judge) or ""

    @property
    def title(self) -> str:
        """The first line of its page."""
        return self.page.partition("\n")[0].rstrip(".")

    @property
    def sections(self) -> dict[str, str]:
        """The text below each heading of its page; what it finds is below ``""``."""
        parts = re.split(r"^## (.+)$", self.page, flags=re.MULTILINE)
        texts = dict(zip(parts[1::2], map(str.strip, parts[2::2]), strict=True))
        return {"": parts[0].partition("\n")[2].strip(), **texts}


_RULES: dict[int, Rule] = {}
_UNLOADED: dict[str, Exception] = {}


def rule(number: int, letters: str, supersedes: tuple[str, ...] = ()) -> Callable[[Judge], Judge]:
    """Make a function a rule.

    ``letters`` are its levels, the usual one first: ``"E"``, ``"WI"``; ``supersedes`` as
    :class:`Rule` has it. Raises ValueError
    for a number that another rule has, or that lies outside of the blocks of the design.
    """

    def register(judge: Judge) -> Judge:
        made = Rule(number, cast("tuple[Letter, ...]", tuple(letters)), judge, supersedes)
        taken = _RULES.setdefault(number, made)
        if taken.judge.__qualname__ != judge.__qualname__ or not 0 < number < 1000:
            raise ValueError(f"{number} is the number of {taken.name}")
        return judge

    return register


@cache
def rules() -> tuple[Rule, ...]:
    """Every rule of this package, by number."""
    for module in pkgutil.iter_modules(deploytool.checks.__path__):
        name = f"{deploytool.checks.__name__}.{module.name}"
        try:
            importlib.import_module(name)
        except Exception as error:  # that of one subject must not end the others
            _UNLOADED[name] = error
    return tuple(_RULES[number] for number in sorted(_RULES))


def unloaded() -> dict[str, Exception]:
    """The modules of this package that could not be imported, each with its exception."""
    rules()
    return dict(_UNLOADED)


def rule_of(identifier: str) -> Rule | None:
    """The rule that ``identifier`` (``deploytool.E101``, ``E101``, ``101``) is of."""
    digits = identifier.removeprefix(PREFIX).lstrip("EWI")
    known = {str(each.number): each for each in rules()}
    return known.get(digits.lstrip("0"))
