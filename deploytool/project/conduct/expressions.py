"""What the expressions of a middleware's code stand for, for the objects at hand."""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING, Any

from deploytool.project.conduct.attributes import Attributes
from deploytool.project.conduct.events import Exhausted, Raised
from deploytool.project.conduct.loading import (
    compare,
    truth,
)
from deploytool.project.conduct.values import (
    Awaitable,
    Condition,
    Frame,
    Headers,
    Keywords,
    Known,
    Local,
    Many,
    OneOf,
    Request,
    RequestPart,
    Response,
    State,
    Stream,
    Unknown,
    Value,
    is_derived,
    one_of,
    options,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Place = tuple[ast.AST, State, Frame]


class Expressions(Attributes):
    """Evaluates expressions."""

    def value(self, node: ast.expr | None, state: State, frame: Frame) -> Value:
        """What ``node`` stands for; Raised where it raises for certain."""
        if node is None:
            return Known(None)
        self._fuel -= 1
        if self._fuel < 0:
            raise Exhausted
        evaluate: Callable[[Any, State, Frame], Value] | None = getattr(
            self, f"_{type(node).__name__.lower()}", None
        )
        if evaluate is not None:
            return evaluate(node, state, frame)
        derived = [
            is_derived(self.value(each, state, frame))
            for each in ast.iter_child_nodes(node)
            if isinstance(each, ast.expr)
        ]
        return Unknown(any(derived))

    def _constant(self, node: ast.Constant, state: State, frame: Frame) -> Value:
        return Known(node.value)

    def _name(self, node: ast.Name, state: State, frame: Frame) -> Value:
        if node.id in state.names:
            return state.names[node.id]
        if node.id in frame.namespace:
            return Known(frame.namespace[node.id])
        if hasattr(builtins, node.id):
            return Known(getattr(builtins, node.id))
        return Unknown()

    def _lambda(self, node: ast.Lambda, state: State, frame: Frame) -> Value:
        return Local(node, state, frame)

    def _await(self, node: ast.Await, state: State, frame: Frame) -> Value:
        return self.awaited(self.value(node.value, state, frame), (node, state, frame))

    def awaited(self, value: Value, place: Place) -> Value:
        """What ``await`` makes of ``value``."""
        found = [
            (each.value, conditions)
            if isinstance(each, Awaitable)
            else (Unknown(is_derived(each)), conditions)
            for each, conditions in options(value)
            if not _not_awaitable(each)
        ]
        if not found:
            raise Raised(TypeError, self.event("awaits-value", place))
        if isinstance(value, OneOf) and len(found) < len(value.options):
            self.maybe_raises(
                Raised(TypeError, self.event("awaits-value", place)), Condition("on one way")
            )
        return one_of(found)

    def _subscript(self, node: ast.Subscript, state: State, frame: Frame) -> Value:
        owner = self.value(node.value, state, frame)
        key = self.value(node.slice, state, frame)
        return self._each(owner, lambda each: self._item(each, key, node, state, frame))

    def _item(
        self, owner: Value, key: Value, node: ast.Subscript, state: State, frame: Frame
    ) -> Value:
        if isinstance(owner, Awaitable):
            raise Raised(TypeError, self.event("uses-coroutine", (node, state, frame)))
        self._heeds(owner, key, (node, state, frame))
        held: Any = owner.items if isinstance(owner, Many) else getattr(owner, "obj", None)
        if isinstance(key, Known) and type(held) in (dict, tuple, list):
            try:
                found = held[key.obj]
            except (LookupError, TypeError):
                return Unknown(is_derived(owner))
            return found if isinstance(found, Value) else Known(found)
        return Unknown(is_derived(owner))

    def _heeds(self, owner: Value, key: Value, place: Place) -> None:
        """Note the header that ``key in owner`` and ``owner[key]`` ask for."""
        for each, _ in options(owner):
            if isinstance(each, Response | Headers):
                self.heeds_header(each, key, place)

    def _tuple(self, node: ast.Tuple | ast.List, state: State, frame: Frame) -> Value:
        items: list[Value] = []
        for each in node.elts:
            if isinstance(each, ast.Starred):
                inner = self.value(each.value, state, frame)
                if not isinstance(inner, Many):
                    return Unknown(is_derived(inner))
                items += inner.items
            else:
                items.append(self.value(each, state, frame))
        return Many(tuple(items))

    _list = _tuple

    def _namedexpr(self, node: ast.NamedExpr, state: State, frame: Frame) -> Value:
        value = self.value(node.value, state, frame)
        state.names[node.target.id] = value
        return value

    def _unaryop(self, node: ast.UnaryOp, state: State, frame: Frame) -> Value:
        value = self.value(node.operand, state, frame)
        if isinstance(node.op, ast.Not):
            answer = truth(value)
            return Unknown() if answer is None else Known(not answer)
        return Unknown(is_derived(value))

    def _compare(self, node: ast.Compare, state: State, frame: Frame) -> Value:
        left = self.value(node.left, state, frame)
        answer: bool | None = True
        for operator, each in zip(node.ops, node.comparators, strict=True):
            right = self.value(each, state, frame)
            if isinstance(operator, ast.In | ast.NotIn):
                self._heeds(right, left, (node, state, frame))
            one = compare(left, operator, right)
            if one is False:
                return Known(False)
            answer = None if one is None else answer
            left = right
        return Unknown() if answer is None else Known(answer)

    def _boolop(self, node: ast.BoolOp, state: State, frame: Frame) -> Value:
        decisive = isinstance(node.op, ast.Or)
        found: list[tuple[Value, tuple[Condition, ...]]] = []
        reached: tuple[Condition, ...] = ()
        for index, each in enumerate(node.values):
            value = self._under(each, state, frame, reached)
            if value is None:
                break
            last = index == len(node.values) - 1
            going_on = last
            for inner, conditions in options(value):
                answer = truth(inner)
                if last or answer is not (not decisive):
                    found.append((inner, reached + conditions))
                going_on = going_on or answer is not decisive
            if not going_on:
                break
            if truth(value) is None:
                reached += (self.condition(each, negated=decisive),)
        if value is not None and truth(value) is decisive:
            # Each of them ended it by being so too, or it went on to the last, which is so.
            found = [(_being(inner, decisive), conditions) for inner, conditions in found]
        return one_of(found)

    def _under(
        self, node: ast.expr, state: State, frame: Frame, conditions: tuple[Condition, ...]
    ) -> Value | None:
        """What ``node`` stands for under ``conditions``; None where it raises under them."""
        if not conditions:
            return self.value(node, state, frame)
        inner = state.under(*conditions)
        try:
            value = self.value(node, inner, frame)
        except Raised as raised:
            self.maybe_raises(raised)
            return None
        state.names.update(inner.names)
        return value

    def _ifexp(self, node: ast.IfExp, state: State, frame: Frame) -> Value:
        answer = truth(self.value(node.test, state, frame))
        if answer is not None:
            return self.value(node.body if answer else node.orelse, state, frame)
        found: list[tuple[Value, tuple[Condition, ...]]] = []
        for branch, negated in ((node.body, False), (node.orelse, True)):
            conditions = (self.condition(node.test, negated=negated),)
            value = self._under(branch, state, frame, conditions)
            if value is not None:
                found.append((value, conditions))
        if not found:
            raise Raised(Exception)
        return one_of(found)

    def _call(self, node: ast.Call, state: State, frame: Frame) -> Value:
        function = self.value(node.func, state, frame)
        args: list[Value] = []
        for each in node.args:
            if isinstance(each, ast.Starred):
                inner = self.value(each.value, state, frame)
                args += inner.items if isinstance(inner, Many) else [Unknown(is_derived(inner))]
            else:
                args.append(self.value(each, state, frame))
        keywords: list[tuple[str, Value]] = []
        for keyword in node.keywords:
            given = self.value(keyword.value, state, frame)
            if keyword.arg is not None:
                keywords.append((keyword.arg, given))
            elif isinstance(given, Keywords):
                keywords += given.items
        place = (node, state, frame)
        return self._each(function, lambda each: self.call(each, args, keywords, place))

    # Comprehensions, and whatever else iterates

    def iterated(self, value: Value, place: Place, *, is_async: bool) -> Value:
        """One item of ``value``; Raised where it cannot be iterated in this way."""
        for each, _ in options(value):
            if isinstance(each, Stream):
                if each.kind == "async" and not is_async:
                    raise Raised(TypeError, self.event("iterates-async", place))
                if each.kind == "sync" and is_async:
                    raise Raised(TypeError, self.event("iterates-sync", place))
            if isinstance(each, Awaitable):
                raise Raised(TypeError, self.event("uses-coroutine", place))
        return Unknown(is_derived(value))

    def _comprehension(
        self,
        node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp,
        state: State,
        frame: Frame,
    ) -> Value:
        inner = state.copy()
        made_async = False
        for each in node.generators:
            iterable = self.value(each.iter, inner, frame)
            self.iterated(iterable, (node, inner, frame), is_async=bool(each.is_async))
            made_async = made_async or bool(each.is_async)
            for name in ast.walk(each.target):
                if isinstance(name, ast.Name):
                    inner.names[name.id] = Unknown(is_derived(iterable))
        if isinstance(node, ast.GeneratorExp):
            return Stream("async" if made_async else "sync")
        return Unknown()

    _listcomp = _setcomp = _dictcomp = _generatorexp = _comprehension

    def _yield(self, node: ast.Yield, state: State, frame: Frame) -> Value:
        self.value(node.value, state, frame)
        return Unknown()

    def _yieldfrom(self, node: ast.YieldFrom, state: State, frame: Frame) -> Value:
        self.iterated(self.value(node.value, state, frame), (node, state, frame), is_async=False)
        return Unknown()


def _being(value: Value, answer: bool) -> Value:
    """``value``, where it is known to be true, or not."""
    is_open = isinstance(value, Unknown | RequestPart) and truth(value) is None
    return Unknown(is_derived(value), answer) if is_open else value


def _not_awaitable(value: Value) -> bool:
    if isinstance(value, Known):
        obj = value.obj
        return obj is None or type(obj) in (bool, int, str, bytes, dict, list, tuple)
    return isinstance(value, Response | Request | Many)
