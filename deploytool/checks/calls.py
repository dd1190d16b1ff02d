"""What the call of a middleware gives, as the rules about it ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploytool.checks.entries import used

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case
    from deploytool.checks.entries import Entry
    from deploytool.project.chain import Result


def judged(case: Case) -> Iterator[Entry]:
    """The entries whose call can be judged: nothing else is wrong with them already."""
    for entry in used(case):
        conduct = entry.conduct
        if conduct.call_problem is None and not conduct.of("missing") and not wrong_hooks(entry):
            yield entry


def certain(entry: Entry) -> tuple[Result, ...]:
    """What a call gives, as far as it can be told."""
    return tuple(
        each
        for each in entry.conduct.results
        if each.certain and not each.kind.endswith(("unknown", "raises"))
    )


def wrong_hooks(entry: Entry) -> bool:
    """Whether a hook that the mixin's call calls gives a coroutine."""
    conduct = entry.conduct
    if not conduct.mixin:
        return False
    reached = conduct.of("to-thread") or not conduct.own_call
    return bool(reached) and any(
        hook.name in ("process_request", "process_response")
        and (hook.marked or gives_coroutine(hook.results))
        for hook in conduct.hooks
    )


def gives_coroutine(results: tuple[Result, ...]) -> bool:
    """Whether a call gives a coroutine, whichever way it goes."""
    told = [each for each in results if each.certain and each.kind not in ("unknown", "raises")]
    return bool(told) and all(each.is_coroutine for each in told)
