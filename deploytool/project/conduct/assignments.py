"""What assignments do: to names, to responses, and to what outlives the request."""

from __future__ import annotations

import ast
import sys
import types
from typing import Any

from deploytool.project.conduct.calls import Calls
from deploytool.project.conduct.events import Raised
from deploytool.project.conduct.loading import is_thread_local, static
from deploytool.project.conduct.values import (
    Awaitable,
    Frame,
    Headers,
    Known,
    Many,
    Request,
    Response,
    State,
    Stream,
    ThreadIdentity,
    ThreadState,
    Unknown,
    Value,
    is_derived,
    options,
)


class Assignments(Calls):
    """Does what assignments do."""

    def assign(self, target: ast.expr, value: Value, state: State, frame: Frame) -> None:
        """Do what ``target = value`` does."""
        place = (target, state, frame)
        if isinstance(target, ast.Name):
            if target.id in frame.global_names and is_derived(value):
                self.note(self.event("stores", place, f"global:{target.id}"))
            state.names[target.id] = value
        elif isinstance(target, ast.Attribute):
            owner = self.value(target.value, state, frame)
            for each, _ in options(owner):
                self.set_attribute(each, target.attr, value, place)
        elif isinstance(target, ast.Subscript):
            owner = self.value(target.value, state, frame)
            key = self.value(target.slice, state, frame)
            for each, _ in options(owner):
                self._set_item(each, key, value, place)
        elif isinstance(target, ast.Tuple | ast.List):
            items = value.items if isinstance(value, Many) else ()
            for index, part in enumerate(target.elts):
                inner = part.value if isinstance(part, ast.Starred) else part
                known = len(items) == len(target.elts) and inner is part
                one = items[index] if known else Unknown(is_derived(value))
                self.assign(inner, one, state, frame)

    def set_attribute(
        self, owner: Value, name: str, value: Value, place: tuple[ast.AST, State, Frame]
    ) -> None:
        """Do what ``owner.name = value`` does."""
        _, state, _ = place
        if isinstance(owner, Awaitable):
            raise Raised(AttributeError, self.event("uses-coroutine", place))
        if isinstance(owner, Request):
            state.attributes[-1, name] = value
            self.note(self.event("sets", place, name))
        elif isinstance(owner, Response):
            self._set_of_response(owner, name, value, place)
        elif isinstance(owner, Known):
            self._keep(owner.obj, name, value, place)
            if not is_thread_local(owner.obj):
                state.attributes[id(owner.obj), name] = value

    def _set_of_response(
        self, owner: Response, name: str, value: Value, place: tuple[ast.AST, State, Frame]
    ) -> None:
        _, state, _ = place
        if name in ("content", "text"):
            if owner.kind != "plain":
                # The property of StreamingHttpResponse has no setter.
                raise Raised(AttributeError, self.event("content", place, name))
            if not owner.own:
                self.note(self.event("writes-content", place))
        elif name == "streaming_content" and isinstance(value, Stream):
            changed = Response(value.kind, owner.own)
            for key, each in list(state.names.items()):
                if each == owner:
                    state.names[key] = changed

    def _keep(self, obj: Any, name: str, value: Value, place: tuple[ast.AST, State, Frame]) -> None:
        """Note where something of the request is kept for longer than the request."""
        if not is_derived(value):
            return
        if is_thread_local(obj):
            self.note(self.event("stores", place, f"thread:{name}"))
        elif isinstance(obj, types.ModuleType):
            self.note(self.event("stores", place, f"global:{obj.__name__}.{name}"))
        elif self.is_subject(obj):
            self.note(self.event("stores", place, f"self:{name}"))
        elif isinstance(obj, type):
            self.note(self.event("stores", place, f"class:{obj.__name__}.{name}"))
        elif static(type(obj), "__setattr__") is object.__setattr__:
            self.note(self.event("stores", place, f"object:{type(obj).__name__}.{name}"))

    def _set_item(
        self, owner: Value, key: Value, value: Value, place: tuple[ast.AST, State, Frame]
    ) -> None:
        if isinstance(owner, Awaitable):
            raise Raised(TypeError, self.event("uses-coroutine", place))
        if isinstance(owner, Response | Headers):
            self.heeds_header(owner, key, place, sets=True)
        elif is_derived(value):
            if isinstance(owner, ThreadState):
                self.note(self.event("stores", place, f"thread:{owner.owner}"))
            elif isinstance(owner, Known) and is_thread_local(owner.obj):
                self.note(self.event("stores", place, "thread:__dict__"))
            elif isinstance(owner, Known) and isinstance(owner.obj, dict):
                if isinstance(key, ThreadIdentity):
                    self.note(self.event("stores", place, "thread:get_ident()"))
                elif isinstance(key, Known) and isinstance(key.obj, str):
                    self.note(self.event("stores", place, f"object:{key.obj}"))


def imported(node: ast.Import | ast.ImportFrom, alias: ast.alias, frame: Frame) -> Value:
    """What an import inside a function brings, where its module is loaded already."""
    if isinstance(node, ast.Import):
        shown = alias.name if alias.asname else alias.name.partition(".")[0]
        module = sys.modules.get(shown)
        return Unknown() if module is None else Known(module)
    package = str(frame.namespace.get("__package__") or "").split(".")
    around = package[: len(package) - node.level + 1] if node.level else []
    name = ".".join(filter(None, [*around, node.module or ""]))
    module = sys.modules.get(name)
    if module is not None and alias.name in vars(module):
        return Known(vars(module)[alias.name])
    inner = sys.modules.get(f"{name}.{alias.name}")
    return Unknown() if inner is None else Known(inner)
