"""Reading the statements of a function, on every way through it."""

from __future__ import annotations

import ast
import contextlib
from typing import TYPE_CHECKING, Any

from deploytool.project.conduct.assignments import Assignments, imported
from deploytool.project.conduct.events import Raised
from deploytool.project.conduct.loading import compare, truth
from deploytool.project.conduct.values import (
    Awaitable,
    Condition,
    Frame,
    Headers,
    Known,
    Local,
    OneOf,
    Response,
    State,
    Unknown,
    Value,
    is_derived,
    options,
)
from deploytool.project.conduct.ways import (
    WAYS,
    Ends,
    classes,
    global_names,
    going_on,
    merged,
    narrow,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploytool.project.definitions import FunctionNode


_ENDED = Condition("it ends without a return", "end")


class Interpreter(Assignments):
    """Reads functions."""

    def run(self, node: FunctionNode, state: State, frame: Frame) -> list[tuple[Value, State]]:
        """What the body of a function returns, on each way through it.

        Raised where every way ends in an exception; one that some ways end in is noted.
        """
        if isinstance(node, ast.Lambda):
            return [(self.value(node.body, state, frame), state)]
        frame.global_names = global_names(node)
        ends = self._block(node.body, [state], frame)
        # Only of the function that Django calls is it of interest that it ends.
        ended = (_ENDED,) if len(self.around) == 1 else ()
        found = ends.returned + [(Known(None), end.under(*ended)) for end in ends.going_on]
        if not found and ends.raised:
            raise next((each for each, _ in ends.raised if each.event), ends.raised[0][0])
        for raised, end in ends.raised:
            self.maybe_raises(raised, *end.conditions)
        return found

    def _block(self, body: list[ast.stmt], states: list[State], frame: Frame) -> Ends:
        ends = Ends()
        for statement in body:
            following: list[State] = []
            for state in states[:WAYS]:
                one = self._statement(statement, state, frame)
                ends.take(one)
                following += one.going_on
            states = merged(following)
            if not states:
                break
        ends.going_on = states
        return ends

    def _statement(self, node: ast.stmt, state: State, frame: Frame) -> Ends:
        execute: Callable[[Any, State, Frame], Ends] | None = getattr(
            self, f"_do_{type(node).__name__.lower()}", None
        )
        ends = Ends()
        try:
            if execute is not None:
                return execute(node, state, frame)
            ends.going_on.append(state)
        except Raised as raised:
            ends.raised.append((raised, state))
        return ends

    # Statements that end a way

    def _do_return(self, node: ast.Return, state: State, frame: Frame) -> Ends:
        ends = Ends()
        for value, conditions in options(self.value(node.value, state, frame)):
            ends.returned.append((value, state.under(*conditions)))
        return ends

    def _do_raise(self, node: ast.Raise, state: State, frame: Frame) -> Ends:
        raised = self.value(node.exc, state, frame) if node.exc is not None else Unknown()
        cls = raised.obj if isinstance(raised, Known) else None
        if isinstance(node.exc, ast.Call):
            made = self.value(node.exc.func, state, frame)
            cls = made.obj if isinstance(made, Known) else None
        is_exception = isinstance(cls, type) and issubclass(cls, BaseException)
        raise Raised(cls if is_exception else Exception)  # type: ignore[arg-type]

    def _do_break(self, node: ast.stmt, state: State, frame: Frame) -> Ends:
        ends = Ends()
        ends.left.append(state)
        return ends

    _do_continue = _do_break

    # Statements that go on

    def _do_expr(self, node: ast.Expr, state: State, frame: Frame) -> Ends:
        ends = Ends()
        self.value(node.value, state, frame)
        ends.going_on.append(state)
        return ends

    def _do_functiondef(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, state: State, frame: Frame
    ) -> Ends:
        state.names[node.name] = Unknown() if node.decorator_list else Local(node, state, frame)
        ends = Ends()
        ends.going_on.append(state)
        return ends

    _do_asyncfunctiondef = _do_functiondef

    def _do_classdef(self, node: ast.ClassDef, state: State, frame: Frame) -> Ends:
        state.names[node.name] = Unknown()
        ends = Ends()
        ends.going_on.append(state)
        return ends

    def _do_import(self, node: ast.Import | ast.ImportFrom, state: State, frame: Frame) -> Ends:
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            state.names[name] = imported(node, alias, frame)
        ends = Ends()
        ends.going_on.append(state)
        return ends

    _do_importfrom = _do_import

    def _do_assign(self, node: ast.Assign, state: State, frame: Frame) -> Ends:
        ends = Ends()
        value = self.value(node.value, state, frame)
        for each, conditions in options(value):
            inner = state.under(*conditions) if isinstance(value, OneOf) else state
            for target in node.targets:
                self.assign(target, each, inner, frame)
            ends.going_on.append(inner)
        return ends

    def _do_annassign(self, node: ast.AnnAssign, state: State, frame: Frame) -> Ends:
        if node.value is None:
            return going_on(state)
        plain = ast.copy_location(ast.Assign([node.target], node.value), node)
        return self._do_assign(plain, state, frame)

    def _do_augassign(self, node: ast.AugAssign, state: State, frame: Frame) -> Ends:
        value = self.value(node.value, state, frame)
        if isinstance(node.target, ast.Name):
            before = state.names.get(node.target.id, Unknown())
            if isinstance(before, Awaitable):
                raise Raised(TypeError, self.event("uses-coroutine", (node, state, frame)))
            state.names[node.target.id] = Unknown(is_derived(before) or is_derived(value))
        elif isinstance(node.target, ast.Attribute):
            owner = self.value(node.target.value, state, frame)
            if isinstance(owner, Response | Awaitable):
                load = ast.copy_location(ast.Attribute(node.target.value, node.target.attr), node)
                self.value(load, state, frame)
                self.set_attribute(owner, node.target.attr, Unknown(), (node, state, frame))
        ends = Ends()
        ends.going_on.append(state)
        return ends

    def _do_delete(self, node: ast.Delete, state: State, frame: Frame) -> Ends:
        for target in node.targets:
            if isinstance(target, ast.Name):
                state.names.pop(target.id, None)
            elif isinstance(target, ast.Subscript):
                owner = self.value(target.value, state, frame)
                key = self.value(target.slice, state, frame)
                if isinstance(owner, Awaitable):
                    raise Raised(TypeError, self.event("uses-coroutine", (node, state, frame)))
                if isinstance(owner, Response | Headers):
                    self.heeds_header(owner, key, (node, state, frame), sets=True)
        ends = Ends()
        ends.going_on.append(state)
        return ends

    # Branches and loops

    def _do_if(self, node: ast.If, state: State, frame: Frame) -> Ends:
        answer = truth(self._decided(node.test, state, frame))
        if answer is not None:
            return self._block(node.body if answer else node.orelse, [state], frame)
        ends = Ends()
        before = state.conditions
        for body, negated in ((node.body, False), (node.orelse, True)):
            inner = state.under(self.condition(node.test, negated=negated))
            narrow(node.test, inner, is_true=not negated)
            one = self._block(body, [inner], frame) if body else going_on(inner)
            ends.take(one)
            ends.going_on += one.going_on
        if len(ends.going_on) > 1 and all(
            each.is_like(ends.going_on[0]) for each in ends.going_on[1:]
        ):
            ends.going_on = ends.going_on[:1]
            ends.going_on[0].conditions = before
        return ends

    def _decided(self, test: ast.expr, state: State, frame: Frame) -> Value:
        return self.value(test, state, frame)

    def _do_for(self, node: ast.For | ast.AsyncFor, state: State, frame: Frame) -> Ends:
        iterable = self.value(node.iter, state, frame)
        is_async = isinstance(node, ast.AsyncFor)
        item = self.iterated(iterable, (node, state, frame), is_async=is_async)
        skipped = state.copy()
        self.assign(node.target, item, state, frame)
        ends = self._block(node.body, [state], frame)
        for left in (*ends.left, skipped):
            if not any(left.is_like(each) for each in ends.going_on):
                ends.going_on.append(left)
        ends.left = []
        return ends

    _do_asyncfor = _do_for

    def _do_while(self, node: ast.While, state: State, frame: Frame) -> Ends:
        answer = truth(self.value(node.test, state, frame))
        skipped = [] if answer is True else [state.copy()]
        if answer is False:
            return going_on(state)
        ends = self._block(node.body, [state], frame)
        if answer is True:
            ends.going_on = []  # only a break leads out
        ends.going_on += [*ends.left, *skipped]
        ends.left = []
        return ends

    def _do_match(self, node: ast.Match, state: State, frame: Frame) -> Ends:
        subject = self.value(node.subject, state, frame)
        ends = Ends()
        for case in node.cases:
            pattern = case.pattern
            if isinstance(pattern, ast.MatchSingleton):
                same = ast.copy_location(ast.Constant(pattern.value), pattern)
                if compare(subject, ast.Is(), self.value(same, state, frame)) is False:
                    continue
            text = ast.unparse(pattern)
            asked = ast.Name(f"{ast.unparse(node.subject)} is {text}")
            inner = state.under(self.condition(asked))
            for name in ast.walk(case.pattern):
                if isinstance(name, ast.MatchAs) and name.name:
                    inner.names[name.name] = Unknown()
            one = self._block(case.body, [inner], frame)
            ends.take(one)
            ends.going_on += one.going_on
        last = node.cases[-1].pattern
        if not (isinstance(last, ast.MatchAs) and last.pattern is None):
            # The cases may well be all that there are.
            ends.going_on.append(state.under(Condition("no case", "exception")))
        return ends

    # try and with

    def _do_with(self, node: ast.With | ast.AsyncWith, state: State, frame: Frame) -> Ends:
        suppressed: list[Any] = []
        for item in node.items:
            manager = item.context_expr
            if isinstance(manager, ast.Call):
                made = self.value(manager.func, state, frame)
                if isinstance(made, Known) and made.obj is contextlib.suppress:
                    suppressed += [self.value(each, state, frame) for each in manager.args]
            opened = self.value(manager, state, frame)
            if item.optional_vars is not None:
                entered = Unknown(is_derived(opened))
                self.assign(item.optional_vars, entered, state, frame)
        if not suppressed:
            return self._block(node.body, [state], frame)
        return self._guarded(node.body, [(classes(suppressed), None, [])], [], state, frame)

    _do_asyncwith = _do_with

    def _do_try(self, node: ast.Try, state: State, frame: Frame) -> Ends:
        handlers: list[tuple[tuple[type[BaseException], ...], str | None, list[ast.stmt]]] = []
        for handler in node.handlers:
            kinds: tuple[type[BaseException], ...] = (BaseException,)
            if handler.type is not None:
                kinds = classes([self.value(handler.type, state, frame)])
            handlers.append((kinds, handler.name, handler.body))
        ends = self._guarded(node.body, handlers, node.orelse, state, frame)
        if not node.finalbody:
            return ends
        return self._finally(node.finalbody, ends, frame)

    _do_trystar = _do_try

    def _guarded(
        self,
        body: list[ast.stmt],
        handlers: list[tuple[tuple[type[BaseException], ...], str | None, list[ast.stmt]]],
        orelse: list[ast.stmt],
        state: State,
        frame: Frame,
    ) -> Ends:
        start = state.copy()
        self.catching += [kinds for kinds, _, _ in handlers]
        try:
            inner = self._block(body, [state], frame)
        finally:
            del self.catching[len(self.catching) - len(handlers) :]
        ends = Ends()
        ends.returned, ends.left = inner.returned, inner.left
        after = self._block(orelse, inner.going_on, frame) if orelse else inner
        if orelse:
            ends.take(after)
        ends.going_on = after.going_on
        caught: list[tuple[int, State]] = []
        for raised, end in inner.raised:
            index = next(
                (i for i, (kinds, _, _) in enumerate(handlers) if issubclass(raised.kind, kinds)),
                None,
            )
            if index is None:
                ends.raised.append((raised, end))
            else:
                caught.append((index, end))
        certain = {index for index, _ in caught}
        for index, (kinds, _, _) in enumerate(handlers):
            if index not in certain and kinds:
                # Anything in the body may have raised.
                text = "/".join(kind.__name__ for kind in kinds)
                caught.append((index, start.under(Condition(f"after {text}", "exception"))))
        for index, end in caught:
            _, name, handler_body = handlers[index]
            if name:
                end.names[name] = Unknown()
            one = self._block(handler_body, [end], frame)
            ends.take(one)
            ends.going_on += one.going_on
        ends.going_on = merged(ends.going_on)
        return ends

    def _finally(self, body: list[ast.stmt], inner: Ends, frame: Frame) -> Ends:
        ends = Ends()
        for value, state in inner.returned:
            one = self._block(body, [state], frame)
            ends.take(one)
            ends.returned += [(value, each) for each in one.going_on]
        for raised, state in inner.raised:
            one = self._block(body, [state], frame)
            ends.take(one)
            ends.raised += [(raised, each) for each in one.going_on]
        one = self._block(body, inner.going_on, frame)
        ends.take(one)
        ends.going_on = one.going_on
        ends.left += inner.left
        return ends
