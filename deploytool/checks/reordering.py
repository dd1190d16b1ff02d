"""An order of MIDDLEWARE with fewer thread hops that means the same.

What may stand where is a matter of what each middleware does. So only the project's own are
moved, and of those only the ones whose code was read to the end and which pass on what they
are given: no response of their own, no content looked at, no hook around the view. And they
are moved past such only, or past those of Django's for which its documentation ("Middleware
ordering") asks for nothing that they could break, and with whose attributes of the request
they have nothing to do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deploytool.checks.entries import used
from deploytool.checks.middleware_order import AUTH, CSRF, MESSAGES, SESSION
from deploytool.plan.hops import count_hops

if TYPE_CHECKING:
    from deploytool.checks.case import Case
    from deploytool.checks.entries import Entry
    from deploytool.project.facts import Middleware, Project

_XFRAME = "django.middleware.clickjacking.XFrameOptionsMiddleware"
_PASSABLE = (SESSION, CSRF, AUTH, MESSAGES, _XFRAME)
"""Those of Django's that something which only passes on may stand above or below.

CommonMiddleware is none: it answers some requests itself, which what is below does not see.
"""

_MOST_MOVES = 3


@dataclass(frozen=True, slots=True)
class Reordering:
    """``moves``: each a middleware and the one that it goes directly ``below`` (None: first).

    ``before`` and ``after`` count the hops of a request to an asynchronous view.
    """

    moves: tuple[tuple[str, str | None], ...]
    before: int
    after: int


def reordering(case: Case) -> Reordering | None:
    """The moves that save hops, None where there are none."""
    chain = list(used(case))
    before = hops(case, [entry.fact for entry in chain])
    if before is None:
        return None
    moves: list[tuple[str, str | None]] = []
    now = before
    for _ in range(_MOST_MOVES):
        best = _best(case, chain, now)
        if best is None:
            break
        now, chain, move = best
        moves.append(move)
    return Reordering(tuple(moves), before, now) if moves else None


def _best(
    case: Case, chain: list[Entry], now: int
) -> tuple[int, list[Entry], tuple[str, str | None]] | None:
    found: list[tuple[int, int, list[Entry], tuple[str, str | None]]] = []
    for index, entry in enumerate(chain):
        # What is in the mode of its neighbours saves nothing anywhere else.
        if not _passes_on(entry) or not _between_modes(chain, index):
            continue
        for target in _reachable(case, chain, index):
            order = [*chain[:index], *chain[index + 1 :]]
            order.insert(target, entry)
            count = hops(case, [each.fact for each in order])
            if count is not None and count < now:
                above = order[target - 1].path if target else None
                found.append((count, abs(target - index), order, (entry.path, above)))
    if not found:
        return None
    count, _, order, move = min(found, key=lambda each: each[:2])
    return count, order, move


def _between_modes(chain: list[Entry], index: int) -> bool:
    mode = chain[index].conduct.mode
    around = [chain[each] for each in (index - 1, index + 1) if 0 <= each < len(chain)]
    return any(each.conduct.mode != mode for each in around)


def _reachable(case: Case, chain: list[Entry], index: int) -> list[int]:
    """The places that the entry at ``index`` can be moved to, one step after the other."""
    found = []
    for step in (-1, 1):
        at = index
        while 0 <= at + step < len(chain) and _commute(case, chain[index], chain[at + step]):
            at += step
            found.append(at)
    return found


def _passes_on(entry: Entry) -> bool:
    """Whether a middleware of the project's own passes on what it is given, for certain."""
    conduct = entry.conduct
    return (
        entry.own
        and not conduct.of(*_TELLING)
        and not any(hook.name not in _AROUND for hook in conduct.hooks)
        and bool(conduct.results)
        and all(
            each.kind.removeprefix("coroutine>") == "response" and not each.kind.count(">") > 1
            for each in conduct.results
        )
    )


_AROUND = ("process_request", "process_response")
_TELLING = (
    *("content", "reads-content", "writes-content", "content-length", "encoding", "gives-away"),
    *("iterates-async", "iterates-sync", "stores"),
)
"""What is noticed only of a middleware whose place in the order matters."""

_OTHERS = frozenset({"?", "vary", "set-cookie", "content-length", "etag", "x-frame-options"})
"""Headers that Django's own set or go by."""


def _commute(case: Case, moved: Entry, passed: Entry) -> bool:
    """Whether ``moved`` may stand on either side of ``passed``."""
    if not _attributes(moved, "sets").isdisjoint(_attributes(passed, "sets", "reads")):
        return False
    if not _attributes(moved, "reads").isdisjoint(_attributes(passed, "sets")):
        return False
    headers = _attributes(moved, "sets-header")
    if not headers.isdisjoint(_attributes(passed, "sets-header") | _OTHERS):
        return False
    if _passes_on(passed):
        return True
    if passed.fact.path not in _PASSABLE:  # itself: a subclass may do more
        return False
    return not (passed.fact.path == SESSION and case.setting("CSRF_USE_SESSIONS", bool, False))


def _attributes(entry: Entry, *kinds: str) -> set[str]:
    return {each.detail for each in entry.conduct.of(*kinds)}


def hops(case: Case, middleware: list[Middleware]) -> int | None:
    """The hops of a request to an async view through ``middleware``, as the site serves it."""
    project: Project = replace(case.project, middleware=tuple(middleware))
    counted = count_hops(project, case.plan.interface)
    total = counted.ordinary if case.own_handler else counted.django
    return total.async_view if total else None
