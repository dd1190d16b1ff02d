"""One reading of a middleware: what is noticed on the way, and what the readers share."""

from __future__ import annotations

import ast
import re
from abc import ABC, abstractmethod
from functools import cache
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest

from deploytool.project.conduct.events import Event, EventKind, Raised
from deploytool.project.conduct.values import (
    Condition,
    Frame,
    State,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploytool.project.conduct.values import Headers, Kind, Response

    Place = tuple[ast.AST, State, Frame]

FUEL = 3000
"""Expressions read for one middleware in one way before it is given up."""

INSIDE = (0, "inside")
"""Where a State keeps whether the rest of the chain has been called."""

_ABOUT = (
    ("mode", re.compile(r"async|coroutine|awaitable", re.IGNORECASE)),
    (
        "type",
        re.compile(
            r"content.?type|mime|accept|is_rendered|template|html|json"
            # What asks whether the response streams in a way that is not followed.
            r"|stream|FileResponse|\btype\(|__class__|__mro__",
            re.IGNORECASE,
        ),
    ),
    ("path", re.compile(r"path|resolver_match|url|route|view_name|method", re.IGNORECASE)),
)


class Reader(ABC):
    """One reading of a middleware; the classes that follow do it, each a part.

    ``handler`` is the object that stands for the rest of the chain, asynchronous where
    ``is_async``; the response that it gives is of ``kind``.
    """

    def __init__(self, handler: object, *, is_async: bool, kind: Kind) -> None:
        self.handler = handler
        self.is_async = is_async
        self.kind: Kind = kind
        self.events: dict[Event, None] = {}
        self.subjects: list[object] = []
        self.request_class: type[HttpRequest] = HttpRequest
        self.catching: list[type[BaseException] | tuple[type[BaseException], ...]] = []
        self.around: list[tuple[Condition, ...]] = []
        self._fuel = FUEL

    @abstractmethod
    def call(
        self,
        function: Value,
        args: Sequence[Value],
        keywords: Sequence[tuple[str, Value]],
        place: Place,
    ) -> Value:
        """What a call gives; Raised where it raises."""

    @abstractmethod
    def value(self, node: ast.expr | None, state: State, frame: Frame) -> Value:
        """What ``node`` stands for; Raised where it raises for certain."""

    @abstractmethod
    def to_async(
        self,
        function: Value,
        args: Sequence[Value],
        keywords: Sequence[tuple[str, Value]],
        place: Place,
    ) -> Value:
        """What a call of ``sync_to_async(function)`` gives."""

    @abstractmethod
    def set_attribute(self, owner: Value, name: str, value: Value, place: Place) -> None:
        """Do what ``owner.name = value`` does."""

    def is_subject(self, obj: object) -> bool:
        """Whether ``obj`` is the middleware itself, or what a tool has wrapped of it."""
        return any(obj is each for each in self.subjects)

    @abstractmethod
    def heeds_header(
        self, owner: Response | Headers, name: Value, place: Place, *, sets: bool = False
    ) -> None:
        """Note that the code looks at, sets or deletes a header of a response."""

    # What is noticed

    def event(self, kind: EventKind, place: Place, detail: str = "") -> Event:
        """The Event of ``kind`` at a place in the source."""
        node, state, frame = place
        around = [each for conditions in self.around for each in conditions]
        return Event(
            kind,
            frame.path,
            frame.line(node),
            text_of(node),
            detail,
            tuple(dict.fromkeys([*around, *state.conditions])),
            frame.on_loop,
            INSIDE in state.attributes,
        )

    def note(self, event: Event) -> None:
        """Keep ``event``."""
        self.events[event] = None

    def maybe_raises(self, raised: Raised, *conditions: Condition) -> None:
        """Note what is raised under ``conditions`` alone, unless the code would catch it."""
        if raised.event is not None and not self.is_caught(raised.kind):
            event = raised.event
            met = tuple(dict.fromkeys([*event.conditions, *conditions]))
            self.note(
                Event(
                    event.kind,
                    event.path,
                    event.line,
                    event.text,
                    event.detail,
                    met,
                    event.on_loop,
                    event.inside,
                )
            )

    def is_caught(self, kind: type[BaseException]) -> bool:
        """Whether a ``try`` around catches an exception of this kind."""
        return any(issubclass(kind, each) for each in self.catching)

    def condition(self, node: ast.expr, *, negated: bool = False) -> Condition:
        """The test ``node``, which could not be decided."""
        text = text_of(node)
        about: Any = next(
            (name for name, words in _ABOUT if words.search(_source_of(node))), "other"
        )
        return Condition(f"not ({text})" if negated else text, about)


@cache
def _source_of(node: ast.AST) -> str:
    try:
        return ast.unparse(node)
    except Exception:
        return ""


@cache
def text_of(node: ast.AST) -> str:
    """The source of ``node`` in one line, shortened."""
    text = _source_of(node).partition("\n")[0]
    return text if len(text) <= 80 else text[:79] + "…"
