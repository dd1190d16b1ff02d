"""The ways through a function: where they end, and which of them are alike."""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING, Any

from deploytool.project.conduct.loading import truth
from deploytool.project.conduct.values import (
    Known,
    Many,
    OneOf,
    State,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploytool.project.conduct.events import Raised


WAYS = 24
"""Ways through one function that are told apart; further ones are left out."""


class Ends:
    """Where the ways through some statements end."""

    def __init__(self) -> None:
        self.going_on: list[State] = []
        self.returned: list[tuple[Value, State]] = []
        self.raised: list[tuple[Raised, State]] = []
        self.left: list[State] = []  # break and continue

    def take(self, other: Ends) -> None:
        """Those that leave the statements around as well."""
        self.returned += other.returned
        self.raised += other.raised
        self.left += other.left


def going_on(state: State) -> Ends:
    """The one way that goes on in ``state``."""
    ends = Ends()
    ends.going_on.append(state)
    return ends


def merged(states: list[State]) -> list[State]:
    """Without those that nothing but their conditions tells from an earlier one."""
    kept: list[State] = []
    for state in states:
        like = next((each for each in kept if each.is_like(state)), None)
        if like is None:
            kept.append(state)
        else:
            like.conditions = tuple(each for each in like.conditions if each in state.conditions)
    return kept


def narrow(test: ast.expr, state: State, *, is_true: bool) -> None:
    """Leave of a local name what can be so where ``test`` is (or is not) true."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        narrow(test.operand, state, is_true=not is_true)
    elif isinstance(test, ast.Name) and isinstance(state.names.get(test.id), OneOf):
        value: Any = state.names[test.id]
        left = tuple(each for each in value.options if truth(each[0]) is not (not is_true))
        if left:
            state.names[test.id] = left[0][0] if len(left) == 1 else OneOf(left)


def classes(values: Iterable[Value]) -> tuple[type[BaseException], ...]:
    """The exception classes in what an ``except`` names; BaseException for what is unknown."""
    found: list[type[BaseException]] = []
    for value in values:
        if isinstance(value, Many):
            found += classes(value.items)
        elif isinstance(value, Known) and isinstance(value.obj, tuple):
            found += classes(map(Known, value.obj))
        elif isinstance(value, Known) and isinstance(value.obj, type):
            if issubclass(value.obj, BaseException):
                found.append(value.obj)
        else:
            found.append(BaseException)
    return tuple(found)


@cache
def global_names(node: ast.AST) -> frozenset[str]:
    """The names that a function declares global."""
    found = (each.names for each in ast.walk(node) if isinstance(each, ast.Global))
    return frozenset(name for names in found for name in names)
