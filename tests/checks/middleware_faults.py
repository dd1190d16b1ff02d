"""What is wrong with which middleware of the zoo, on which interface: for rules and for Django.

One table for both: the tests of the rules want a finding exactly where those of their claims
see Django's own handler fail.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fault:
    """The finding on each interface, None for none, and a request that shows it."""

    asgi: str | None
    wsgi: str | None
    path: str = "/"
    headers: dict[str, str] = field(default_factory=dict)


SOUND = Fault(None, None)


def both(number: str) -> Fault:
    return Fault(number, number)


# Those that Django calls synchronously whatever stands inside of them.
SYNCHRONOUS = {
    "Legacy": both("E102"),
    "Neither": both("E101"),
    "returns_nothing": both("E102"),
    "PureASGI": both("E103"),
    "PureWSGI": both("E103"),
    "UndeclaredAsync": both("E104"),
    "undeclared_function": both("E105"),
    "KeepsNothing": both("E108"),
    "CallWithoutReturn": both("E110"),
    "ShortViewHook": both("E103"),
    "ShortExceptionHook": Fault("W103", "W103", path="/fails/"),
    "AwaitsResponse": both("E105"),
    "HooksOfItsOwn": SOUND,
    "LongViewHook": SOUND,
    "SometimesReturns": Fault("W110", "W110", path="/missing/"),
    "AlwaysReturns": SOUND,
    "synchronous": SOUND,
    "OverridesCallSynchronous": SOUND,
}
# Those that are called asynchronously only.
ASYNCHRONOUS = {
    "unmarked_lambda": both("E104"),
    "forgets_await": both("E111"),
    "asynchronous": SOUND,
}
# Those that are called as what stands inside of them.
EITHER = {
    # Under WSGI nothing is declared that makes Django await it.
    "UnmarkedAsync": both("E104"),
    "UnmarkedHybrid": Fault("E104", None),
    "UnmarkedPassing": Fault("E104", None),
    "always_async": Fault(None, "E105"),
    "MarkedAlways": Fault(None, "E105"),
    "synchronous_inside": Fault("E106", None),
    "SynchronousInside": Fault("E106", None),
    "EarlyResponse": Fault("W106", None, headers={"X-Blocked": "1"}),
    "OverridesCall": Fault("E107", None),
    "NoSuperInit": both("E108"),
    "AsyncRequestHook": both("E109"),
    "AsyncResponseHook": both("E109"),
    "HiddenAsyncHook": both("E109"),
    "HookWithoutReturn": both("E110"),
    "Hybrid": SOUND,
    "RemembersMode": SOUND,
    "hybrid": SOUND,
    "hybrid_partial": SOUND,
    "OverridesCallPassing": SOUND,
    "OverridesBoth": SOUND,
    "OwnInit": SOUND,
    "AsyncViewHook": SOUND,
    "InThread": SOUND,
}
FAULTS = {**SYNCHRONOUS, **ASYNCHRONOUS, **EITHER}
