"""What is noticed while a middleware's code is read, and the exceptions that it would raise."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from deploytool.project.conduct.values import Condition

EventKind = Literal[
    "uses-coroutine",
    "awaits-value",
    "to-thread",
    "content",
    "reads-content",
    "iterates-async",
    "iterates-sync",
    "writes-content",
    "content-length",
    "encoding",
    "sets-header",
    "gives-away",
    "stores",
    "reads",
    "sets",
    "missing",
]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that the code does, and where.

    ``uses-coroutine``: treats a coroutine as if it were a response. ``awaits-value``: awaits
    what cannot be awaited. ``to-thread``: gives ``sync_to_async`` a coroutine function.
    ``content``: asks a streaming response for its content. ``iterates-async`` and
    ``iterates-sync``: iterates the content in the way of the other kind. ``writes-content``:
    replaces a response's content. ``content-length`` and ``encoding``: heeds that header.
    ``sets-header``: the header ``detail`` of the response, ``?`` where that is not known.
    ``reads-content``: of a response that does not stream. ``gives-away``: passes the response
    to a function of Django's. ``stores``: keeps something of the request in ``detail``.
    ``reads`` and ``sets``: the attribute ``detail`` of the request. ``missing``: the attribute
    ``detail`` of the middleware itself, which nothing has set.
    """

    kind: EventKind
    path: str
    line: int
    text: str
    detail: str = ""
    conditions: tuple[Condition, ...] = ()
    on_loop: bool = False
    inside: bool = False

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


class Raised(Exception):  # noqa: N818 - the code that is read raised, this package did not
    """The code that is read raises ``kind``, because of ``event`` where that is a fault."""

    def __init__(self, kind: type[BaseException], event: Event | None = None) -> None:
        super().__init__(kind.__name__)
        self.kind = kind
        self.event = event


class Exhausted(Exception):  # noqa: N818 - as above
    """There is more to read than is worth it."""
