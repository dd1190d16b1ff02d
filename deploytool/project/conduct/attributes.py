"""What attributes of the values are: of responses, of the request, and of live objects."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

from deploytool.project.conduct.events import Raised
from deploytool.project.conduct.loading import (
    after,
    is_thread_local,
    load,
    model,
    request_attributes,
)
from deploytool.project.conduct.noticing import Reader
from deploytool.project.conduct.values import (
    Awaitable,
    Frame,
    Headers,
    Known,
    Many,
    Method,
    Request,
    RequestPart,
    Response,
    State,
    Stream,
    Super,
    ThreadState,
    Unknown,
    Value,
    is_derived,
    one_of,
    options,
)

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable

    Place = tuple[ast.AST, State, Frame]

# What a coroutine has, and what is asked of futures.
_OF_COROUTINES = frozenset({"send", "throw", "close", "result", "add_done_callback", "cancel"})


class Attributes(Reader):
    """Reads attributes."""

    def _attribute(self, node: ast.Attribute, state: State, frame: Frame) -> Value:
        owner = self.value(node.value, state, frame)
        return self._each(owner, lambda each: self.attribute(each, node, state, frame))

    def _each(self, value: Value, make: Callable[[Value], Value]) -> Value:
        """``make`` of everything that ``value`` may be; Raised where all of it raises."""
        found, last = [], None
        alternatives = list(options(value))
        for each, conditions in alternatives:
            try:
                found.append((make(each), conditions))
            except Raised as raised:
                last = raised
                if len(alternatives) > 1:
                    self.maybe_raises(raised, *conditions)
        if not found and last is not None:
            raise last
        return one_of(found)

    def attribute(self, owner: Value, node: ast.Attribute, state: State, frame: Frame) -> Value:
        """``owner.name``, where ``node`` says so."""
        name, place = node.attr, (node, state, frame)
        if isinstance(owner, Awaitable):
            if name in _OF_COROUTINES or name.startswith(("cr_", "__")):
                return Unknown()
            raise Raised(AttributeError, self.event("uses-coroutine", place))
        if isinstance(owner, Response):
            return self.of_response(owner, name, place)
        if isinstance(owner, Request):
            return self._of_request(name, place)
        if isinstance(owner, Known):
            return self.of_object(owner.obj, name, place)
        if isinstance(owner, Super):
            return self._loaded(after(owner, name), owner.owner, place)
        if isinstance(owner, RequestPart):
            return RequestPart(f"{owner.name}.{name}")
        if isinstance(owner, ThreadState | Headers | Stream | Many):
            return Method(owner, name)
        return Unknown(is_derived(owner))

    def of_response(self, owner: Response, name: str, place: Place) -> Value:
        """An attribute of a response."""
        if name == "headers":
            return Headers(owner)
        if owner.kind == "plain":
            return self._of_plain(owner, name, place)
        if name in ("content", "text"):
            raise Raised(AttributeError, self.event("content", place, name))
        known: dict[str, Value] = {
            "streaming": Known(True),
            "is_async": Known(owner.kind == "async"),
            "streaming_content": Stream(owner.kind, of_response=True),
            "status_code": Known(200),
        }
        if name in known:
            return known[name]
        return Method(owner, name) if hasattr(model(owner.kind), name) else Unknown()

    def _of_plain(self, owner: Response, name: str, place: Place) -> Value:
        if name == "streaming":
            return Known(False)
        if name in ("streaming_content", "is_async"):
            raise Raised(AttributeError)
        if name in ("content", "text") and not owner.own:
            self.note(self.event("reads-content", place, name))
        return Method(owner, name)

    def _of_request(self, name: str, place: Place) -> Value:
        _, state, _ = place
        key = (-1, name)
        if key in state.attributes:
            return state.attributes[key]
        if name not in request_attributes() and not self.is_caught(AttributeError):
            event = self.event("reads", place, name)
            # hasattr(request, "user") and the like look before they read.
            if not any(name in condition.text for condition in event.conditions):
                self.note(event)
        return RequestPart(name)

    def of_object(self, obj: Any, name: str, place: Place) -> Value:
        """An attribute of a live object."""
        _, state, _ = place
        key = (id(obj), name)
        if key in state.attributes:
            return state.attributes[key]
        if is_thread_local(obj):
            found = load(obj, name)
            # Its methods may be the project's own; what it keeps is the thread's.
            if isinstance(found, Known) and isinstance(found.obj, types.MethodType):
                return found
            return Known(obj) if name == "__dict__" else ThreadState(type(obj).__name__)
        if isinstance(obj, dict | list | set | bytes | str) and not name.startswith("_"):
            return Method(Known(obj), name)
        return self._loaded(load(obj, name), obj, place)

    def _loaded(
        self,
        found: Value | Callable[..., Any] | None,
        obj: Any,
        place: Place,
    ) -> Value:
        if isinstance(found, Value):
            return found
        if found is not None:  # a property
            return self.call(Known(found), [Known(obj)], [], place)
        node = place[0]
        name = getattr(node, "attr", "")
        if self.is_subject(obj) and name in ("async_mode", "get_response"):
            raise Raised(AttributeError, self.event("missing", place, name))
        return Unknown()
