"""What the check in Django's registry is to judge, where whoever runs it knows.

In a module of its own, that ``runserver_gateway`` loads without the checks.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case

given: ContextVar[Case | Literal["nothing"] | None] = ContextVar("given", default=None)
"""The case to judge; None where the project has to be inspected."""


@contextmanager
def judging(case: Case | Literal["nothing"]) -> Iterator[None]:
    """Let the check judge ``case`` instead of inspecting the project again."""
    token = given.set(case)
    try:
        yield
    finally:
        given.reset(token)
