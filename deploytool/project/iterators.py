"""What a streaming response iterates over, read from the source of the function that makes it.

An expression is followed through local variables, conditions, helper functions and their
parameters to the generator, list or object at its end. Nothing is called.
"""

from __future__ import annotations

import ast
import functools
import inspect
from types import BuiltinFunctionType, FunctionType
from typing import TYPE_CHECKING, Literal

from django.utils import functional

from deploytool.project.definitions import FunctionNode, class_attribute, is_a
from deploytool.project.scopes import (
    Bound,
    Instance,
    Local,
    Parameter,
    Scope,
    functions_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Kind = Literal["sync", "async", "unknown"]
# A parameter stands for the kind of whatever the caller passes.
Kinds = frozenset[Kind | Parameter]

_SYNC: Kinds = frozenset({"sync"})
_ASYNC: Kinds = frozenset({"async"})
_UNKNOWN: Kinds = frozenset({"unknown"})
_NONE: Kinds = frozenset()

# Expressions followed one into the other before giving up.
_FUEL = 25

_COLLECTIONS = (
    ast.List,
    ast.Tuple,
    ast.Set,
    ast.Dict,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.JoinedStr,
    ast.Constant,
)


class Iterators:
    """Finds the streaming responses that functions create and what they iterate over."""

    def __init__(
        self, classes: frozenset[type], is_followed: Callable[[FunctionType], bool], depth: int
    ) -> None:
        self._classes = classes
        self._is_followed = is_followed
        self._depth = depth
        self._created: dict[tuple[FunctionType, type | None, int], Kinds] = {}
        self._scopes: dict[tuple[FunctionType, type | None], Scope] = {}

    def created(self, function: FunctionType, owner: type | None) -> frozenset[Kind]:
        """The kinds of iterator in the responses that a call of ``function`` may create.

        ``owner`` is the class that it is a method of, if any. Empty where it creates none.
        """
        found: set[Kind] = set()
        for kind in self._created_by(function, owner, self._depth):
            found.add("unknown" if isinstance(kind, Parameter) else kind)
        return frozenset(found)

    def _scope(self, function: FunctionType, owner: type | None) -> Scope:
        key = (function, owner)
        if key not in self._scopes:
            self._scopes[key] = Scope(function, owner)
        return self._scopes[key]

    def _created_by(self, function: FunctionType, owner: type | None, depth: int) -> Kinds:
        key = (function, owner, depth)
        if key not in self._created:
            self._created[key] = _NONE  # for a function that leads back to itself
            self._created[key] = self._look(self._scope(function, owner), depth)
        return self._created[key]

    def _look(self, scope: Scope, depth: int) -> Kinds:
        if scope.node is None:
            names = scope.function.__code__.co_names
            known = {cls.__name__ for cls in self._classes}
            return _NONE if known.isdisjoint(names) else _UNKNOWN
        found: set[Kind | Parameter] = set()
        assigned = self._assigned_content(scope)
        for call in scope.body:
            if not isinstance(call, ast.Call):
                continue
            target = scope.resolve(call.func)
            cls = self._response_class(target)
            if cls is not None:
                content = self._content(cls, target, call, scope)
                # A response made empty gets its content later.
                found |= content if content != _NONE else assigned or _UNKNOWN
            elif depth:
                found |= self._followed(target, call, scope, depth - 1)
                for argument in call.args:  # run_in_executor(None, helper)
                    if isinstance(argument, ast.Name | ast.Attribute):
                        found |= self._followed(scope.resolve(argument), None, scope, depth - 1)
        return frozenset(found | assigned) if found else _NONE

    def _response_class(self, target: object) -> type | None:
        if is_a(target, functools.partial):
            target = target.func
        if is_a(target, Instance) and target.after is None:
            # partial(StreamingHttpResponse, ...)(rows): see Scope.resolve
            return None
        return target if is_a(target, type) and target in self._classes else None

    def _followed(self, target: object, call: ast.Call | None, scope: Scope, depth: int) -> Kinds:
        """The responses that a called helper creates."""
        owner = target.owner if is_a(target, Bound) else None
        function = target.function if is_a(target, Bound) else _innermost(target)
        if function is None or not self._is_followed(function):
            return _NONE
        found = self._created_by(function, owner, depth)
        return self._given(found, self._scope(function, owner), call, scope)

    def _given(
        self, kinds: Kinds, inner: Scope, call: ast.Call | None, scope: Scope, fuel: int = _FUEL
    ) -> Kinds:
        """``kinds`` with the parameters of ``inner`` replaced by what ``call`` passes for them."""
        found: set[Kind | Parameter] = set()
        for kind in kinds:
            if not is_a(kind, Parameter):
                found.add(kind)
                continue
            argument = _argument(call, kind.name, inner.parameters) if call else None
            found |= self.kinds(argument, scope, fuel - 1) if argument else _UNKNOWN
        return frozenset(found)

    def _content(self, cls: type, target: object, call: ast.Call, scope: Scope) -> Kinds:
        """What the response that ``call`` makes iterates over; empty if it is given nothing."""
        if is_a(target, functools.partial) and target.args:
            return _object_kinds(target.args[0])
        own = next((base for base in cls.__mro__ if "__init__" in base.__dict__), cls)
        initialiser = own.__dict__.get("__init__")
        if is_a(initialiser, FunctionType) and self._is_followed(initialiser):
            inner = self._scope(initialiser, cls)
            passed = self._passed_up(inner)
            if passed != _NONE:
                return self._given(passed, inner, call, scope)
        content = _argument(call, "streaming_content", ["streaming_content"])
        return _NONE if content is None else self.kinds(content, scope)

    def _passed_up(self, scope: Scope) -> Kinds:
        """What a subclass's ``__init__`` gives to StreamingHttpResponse as its content."""
        found: set[Kind | Parameter] = set(self._assigned_content(scope))
        for call in scope.body:
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and call.func.attr == "__init__"
            ):
                content = _argument(call, "streaming_content", ["streaming_content"])
                if content is not None:
                    found |= self.kinds(content, scope)
        return frozenset(found)

    def _assigned_content(self, scope: Scope) -> Kinds:
        found: set[Kind | Parameter] = set()
        for node in scope.body:
            if isinstance(node, ast.Assign) and any(
                isinstance(target, ast.Attribute) and target.attr == "streaming_content"
                for target in node.targets
            ):
                found |= self.kinds(node.value, scope)
        return frozenset(found)

    def kinds(self, node: ast.expr, scope: Scope, fuel: int = _FUEL) -> Kinds:
        """The kinds of iterator that an expression may be."""
        if fuel <= 0:
            return _UNKNOWN
        if isinstance(node, _COLLECTIONS):
            return _SYNC
        if isinstance(node, ast.GeneratorExp):
            return _ASYNC if _is_async_generator_expression(node) else _SYNC
        if isinstance(node, ast.Call):
            return self._call_kinds(node, scope, fuel)
        sources = scope.sources(node)
        if sources:
            return _NONE.union(*(self.kinds(each, scope, fuel - 1) for each in sources))
        found = scope.resolve(node)
        return (
            self._returned(found, None, scope, fuel)
            if _is_property(found)
            else _object_kinds(found)
        )

    def _call_kinds(self, call: ast.Call, scope: Scope, fuel: int) -> Kinds:
        target = scope.resolve(call.func)
        if is_a(target, type):
            return _class_kinds(target)
        if is_a(target, Local):
            return self._node_kinds(target.node, scope, fuel)
        if is_a(target, BuiltinFunctionType):
            return {"aiter": _ASYNC, "iter": _SYNC, "sorted": _SYNC, "open": _SYNC}.get(
                target.__name__, _UNKNOWN
            )
        if is_a(target, Instance):
            target = class_attribute(target.cls, "__call__")
        if target is not None and not is_a(target, Parameter):
            return self._returned(target, call, scope, fuel)
        # A method of something unknown: iterator(), aiterator(), iter_bytes(), aiter_lines().
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if name.startswith("aiter"):
            return _ASYNC
        return _SYNC if name.startswith("iter") else _UNKNOWN

    def _returned(self, target: object, call: ast.Call | None, scope: Scope, fuel: int) -> Kinds:
        """What a call of the function, method or property ``target`` gives back."""
        owner = target.owner if is_a(target, Bound) else None
        function = target.function if is_a(target, Bound) else _innermost(target)
        if function is None:
            return _UNKNOWN
        if owner is None and _is_property(target):
            owner = scope.owner
        if inspect.isasyncgenfunction(function):
            return _ASYNC
        if inspect.isgeneratorfunction(function):
            return _SYNC
        inner = self._scope(function, owner)
        if inner.node is None or not self._is_followed(function):
            return _UNKNOWN
        return self._given(self._node_kinds(inner.node, inner, fuel), inner, call, scope, fuel)

    def _node_kinds(self, node: FunctionNode, scope: Scope, fuel: int) -> Kinds:
        """What a call of the function defined by ``node`` gives back."""
        if isinstance(node, ast.Lambda):
            return self.kinds(node.body, scope, fuel - 1)
        own = list(_own_body(node))
        if any(isinstance(each, ast.Yield | ast.YieldFrom) for each in own):
            return _ASYNC if isinstance(node, ast.AsyncFunctionDef) else _SYNC
        returned = [each.value for each in own if isinstance(each, ast.Return) and each.value]
        found = _NONE.union(*(self.kinds(value, scope, fuel - 1) for value in returned))
        return found or _UNKNOWN


def _innermost(target: object) -> FunctionType | None:
    functions = list(functions_of(target))
    return functions[-1] if functions else None


def _is_property(value: object) -> bool:
    return (
        is_a(value, property)
        or is_a(value, functools.cached_property)
        or is_a(value, functional.cached_property)
    )


def _argument(call: ast.Call, name: str, parameters: list[str]) -> ast.expr | None:
    """What ``call`` passes for the parameter ``name`` of a function with ``parameters``."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    position = parameters.index(name) if name in parameters else len(call.args)
    before = call.args[: position + 1]
    if len(before) <= position or any(isinstance(each, ast.Starred) for each in before):
        return None
    return before[position]


def _own_body(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    """The nodes of a function's body, without the bodies of functions defined in it."""
    pending: list[ast.AST] = list(node.body)
    while pending:
        each = pending.pop()
        yield each
        if not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            pending += ast.iter_child_nodes(each)


def _is_async_generator_expression(node: ast.GeneratorExp) -> bool:
    # The first iterable is evaluated outside; an await in it makes nothing asynchronous.
    inside = [node.elt, *node.generators[0].ifs, *node.generators[1:]]
    return any(each.is_async for each in node.generators) or any(
        isinstance(each, ast.Await) for part in inside for each in ast.walk(part)
    )


def _class_kinds(cls: type) -> Kinds:
    # StreamingHttpResponse tries iter() first.
    if class_attribute(cls, "__iter__") is not None:
        return _SYNC
    return _UNKNOWN if class_attribute(cls, "__aiter__") is None else _ASYNC


def _object_kinds(value: object) -> Kinds:
    if is_a(value, Parameter):
        return frozenset({value})
    if is_a(value, Instance):
        return _class_kinds(value.cls)
    return _UNKNOWN if value is None else _class_kinds(type(value))
