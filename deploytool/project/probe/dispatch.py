"""What the source of an ASGI callable does with each scope type.

Reads ``if scope["type"] == ...``, ``match scope["type"]`` and their variants without
running them. The answer is a guess by nature; it is asked for only where an application
does its own dispatching, or cannot be imported.
"""

from __future__ import annotations

import ast
from typing import NamedTuple, TypeGuard

from .inner import PROTOCOLS
from .patterns import (
    is_string,
    mapped,
    message_type,
    path_pattern,
    pattern_strings,
    strings,
    takes_all,
    tested_path,
)

Function = ast.FunctionDef | ast.AsyncFunctionDef
_REFUSALS = {"websocket.close", "http.disconnect", "websocket.http.response.start"}
_REFUSALS |= {"websocket.http.response.body", "lifespan.startup.failed"}


class Answer(NamedTuple):
    """Something that is done for a connection of one of ``types``.

    ``target`` is the expression that is called with the connection, None where the function
    sends an answer itself; ``call`` that whole call. ``path`` is the literal of a
    ``startswith`` around it, ``keyed`` True where ``target`` is a mapping looked up by type.
    """

    types: frozenset[str]
    target: ast.expr | None
    call: ast.Call
    path: str = ""
    keyed: bool = False

    @property
    def line(self) -> int:
        """The line of the call."""
        return self.call.lineno


class Parameters(NamedTuple):
    """What the function calls the three arguments of ASGI; None where it has none."""

    scope: str | None
    receive: str | None
    send: str | None


def is_function(node: ast.AST) -> TypeGuard[Function]:
    """Whether ``node`` is a ``def`` or an ``async def``."""
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))


def parameters(function: Function, *, bound: bool) -> Parameters:
    """The ASGI arguments of ``function`` by position; ``bound`` where it has a ``self``."""
    names = [arg.arg for arg in [*function.args.posonlyargs, *function.args.args]]
    names = names[1:] if bound else names
    rest = function.args.vararg.arg if function.args.vararg else None
    first, second, third = [*names, rest, rest, rest][:3]
    return Parameters(first, second, third)


class Reader:
    """The answers of one function, in the order of its source.

    ``explicit`` are the types that it names in a comparison, ``imports`` its local imports
    (name to module, attribute and level), ``aliases`` what its variables are given, and for
    which types.
    """

    def __init__(self, function: Function, names: Parameters) -> None:
        self.function = function
        self.names = names
        self.answers: list[Answer] = []
        self.explicit: set[str] = set()
        self.imports: dict[str, tuple[str | None, str, int]] = {}
        self.globals: set[str] = set()
        self.aliases: dict[str, list[tuple[frozenset[str], ast.expr]]] = {}
        self._type_names: set[str] = set()
        self._carriers = {name for name in (names.receive, names.send) if name}
        self._collect()
        self._flow(function.body, frozenset(PROTOCOLS) | self.explicit, "")

    # What the function names, before its branches are followed

    def _collect(self) -> None:
        nodes = list(ast.walk(self.function))
        for node in nodes:
            if isinstance(node, ast.ImportFrom):
                found = {n.asname or n.name: (node.module, n.name, node.level) for n in node.names}
                self.imports |= found
            elif isinstance(node, ast.Global):
                self.globals.update(node.names)
            elif isinstance(node, (ast.Assign, ast.NamedExpr, ast.AnnAssign)):
                self._collect_assignment(node)
            elif is_function(node) and node is not self.function and self._mentions(node):
                self._carriers.add(node.name)
        for node in nodes:
            if isinstance(node, ast.Compare):
                self._collect_types([node.left, *node.comparators])
            elif isinstance(node, ast.Match) and self._is_matched(node.subject):
                for case in node.cases:
                    self.explicit |= self._named(node.subject, case.pattern)

    def _collect_types(self, sides: list[ast.expr]) -> None:
        if any(map(self._is_type, sides)):
            for side in sides:
                self.explicit |= strings(side)

    def _collect_assignment(self, node: ast.Assign | ast.NamedExpr | ast.AnnAssign) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if node.value is None:
            return
        for target in targets:
            if not isinstance(target, ast.Name):
                continue
            if self._is_type(node.value):
                self._type_names.add(target.id)
            elif isinstance(node.value, ast.Call) and self._mentions(node.value):
                self._carriers.add(target.id)

    def _mentions(self, node: ast.AST) -> bool:
        return any(isinstance(n, ast.Name) and n.id in self._carriers for n in ast.walk(node))

    def _is_scope(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            return (
                isinstance(node.value, ast.Name)
                and node.slice.value == 0
                and (
                    node.value.id == self.names.scope  # args[0] of *args
                )
            )
        return isinstance(node, ast.Name) and node.id == self.names.scope

    def _is_type(self, node: ast.expr) -> bool:
        """Whether ``node`` is ``scope["type"]`` in one of its spellings."""
        if isinstance(node, ast.NamedExpr):
            return self._is_type(node.value)
        if isinstance(node, ast.Name):
            return node.id in self._type_names
        if isinstance(node, ast.Subscript):
            return self._is_scope(node.value) and is_string(node.slice, "type")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "get" and self._is_scope(node.func.value):
                return bool(node.args) and is_string(node.args[0], "type")
            return node.func.attr in {"lower", "strip"} and self._is_type(node.func.value)
        return False

    # Following the branches: which types reach a statement

    def _flow(self, body: list[ast.stmt], types: frozenset[str], path: str) -> frozenset[str]:
        """Follow ``body``, reached by ``types``; return the types that leave at its end."""
        for statement in body:
            if not types:
                break
            types = self._statement(statement, types, path)
        return types

    def _statement(self, node: ast.stmt, types: frozenset[str], path: str) -> frozenset[str]:
        match node:
            case ast.If():
                self._expression(node.test, types, path)
                yes, no = self._test(node.test, types)
                inner = tested_path(node.test) or path
                return self._flow(node.body, yes, inner) | self._flow(node.orelse, no, path)
            case ast.Match():
                return self._match(node, types, path)
            case ast.While() | ast.For() | ast.AsyncFor():
                self._flow(node.body, types, path)
                return self._flow(node.orelse, types, path)
            case ast.With() | ast.AsyncWith():
                return self._flow(node.body, types, path)
            case ast.Try() | ast.TryStar():
                return self._try(node, types, path)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                return types
        return self._simple(node, types, path)

    def _simple(self, node: ast.stmt, types: frozenset[str], path: str) -> frozenset[str]:
        """A statement without others in it."""
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            self._assign(node, types)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self._expression(child, types, path)
        if isinstance(node, ast.Assert):
            return self._test(node.test, types)[0]
        return frozenset() if isinstance(node, (ast.Return, ast.Raise)) else types

    def _try(self, node: ast.Try | ast.TryStar, types: frozenset[str], path: str) -> frozenset[str]:
        left = self._flow([*node.body, *node.orelse], types, path)
        for handler in node.handlers:
            left |= self._flow(handler.body, types, path)
        self._flow(node.finalbody, types, path)
        return left

    def _assign(self, node: ast.Assign | ast.AnnAssign, types: frozenset[str]) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Name) and target.id not in self.globals and node.value:
                self.aliases.setdefault(target.id, []).append((types, node.value))

    def _match(self, node: ast.Match, types: frozenset[str], path: str) -> frozenset[str]:
        left: frozenset[str] = frozenset()
        matched = self._is_matched(node.subject)
        for case in node.cases:
            named = self._named(node.subject, case.pattern) if matched else set()
            reach = types & named if named else types
            left |= self._flow(case.body, reach, path_pattern(case.pattern) or path)
            if case.guard is None and (named or takes_all(case.pattern)):
                # A mapping with more than the type in it lets connections of that type by
                types -= named or types
                partial = isinstance(case.pattern, ast.MatchMapping) and len(case.pattern.keys) > 1
                types |= reach if partial else frozenset()
        return left | types

    def _is_matched(self, subject: ast.expr) -> bool:
        """Whether ``match`` looks at the scope type, or at the scope with the type in it."""
        return self._is_type(subject) or self._is_scope(subject)

    def _named(self, subject: ast.expr, pattern: ast.pattern) -> set[str]:
        """The scope types that ``pattern`` names; none where it takes every type."""
        return pattern_strings(pattern) if self._is_type(subject) else mapped(pattern, "type")

    def _test(self, test: ast.expr, types: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
        """Those of ``types`` with which ``test`` can be true, and can be false."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            yes, no = self._test(test.operand, types)
            return no, yes
        if isinstance(test, ast.BoolOp):
            return self._bool_op(test, types)
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            left, right = test.left, test.comparators[0]
            if self._is_type(left) or self._is_type(right):
                named = strings(right) | strings(left)
                if not named:  # a variable: either may be
                    return types, types
                if isinstance(test.ops[0], (ast.Eq, ast.In, ast.Is)):
                    return types & named, types - named
                if isinstance(test.ops[0], (ast.NotEq, ast.NotIn, ast.IsNot)):
                    return types - named, types & named
        return types, types

    def _bool_op(
        self, test: ast.BoolOp, types: frozenset[str]
    ) -> tuple[frozenset[str], frozenset[str]]:
        if isinstance(test.op, ast.And):
            yes, no = types, frozenset[str]()
            for value in test.values:
                yes, missed = self._test(value, yes)
                no |= missed
            return yes, no
        yes, no = frozenset[str](), types
        for value in test.values:
            met, no = self._test(value, no)
            yes |= met
        return yes, no

    # What is done with a connection

    def _expression(self, node: ast.expr, types: frozenset[str], path: str) -> None:
        """Record the calls within ``node`` that answer a connection or pass it on."""
        inner: list[ast.Call] = []
        for call in ast.walk(node):
            if not isinstance(call, ast.Call):
                continue
            if isinstance(call.func, ast.Name) and call.func.id == self.names.send:
                message = message_type(call.args[0]) if call.args else ""
                if message not in _REFUSALS:
                    self.answers.append(Answer(_answered_with(message, types), None, call, path))
            elif self._passes(call):
                inner.append(call)
        for call in inner:
            # create_task(app(scope, receive, send)): what is called there is the inner one
            arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
            if any(other in ast.walk(arg) for arg in arguments for other in inner):
                continue
            self._emit(call.func, call, types, path)

    def _passes(self, call: ast.Call) -> bool:
        values = [*call.args, *(keyword.value for keyword in call.keywords)]
        return any(self._mentions(value) for value in values)

    def _emit(
        self, target: ast.expr, call: ast.Call, types: frozenset[str], path: str, depth: int = 0
    ) -> None:
        if not types or depth > 8:
            return
        if isinstance(target, ast.IfExp):
            yes, no = self._test(target.test, types)
            self._emit(target.body, call, yes, path, depth + 1)
            self._emit(target.orelse, call, no, path, depth + 1)
        elif isinstance(target, ast.Name) and target.id in self.aliases:
            for reach, value in self.aliases[target.id]:
                self._emit(value, call, types & reach, path, depth + 1)
        elif isinstance(target, ast.Await):
            self._emit(target.value, call, types, path, depth + 1)
        elif isinstance(target, ast.Subscript) and self._is_type(target.slice):
            self._keyed(target.value, call, types, path)
        elif (
            isinstance(target, ast.Call)
            and isinstance(target.func, ast.Attribute)
            and target.func.attr == "get"
            and target.args
            and self._is_type(target.args[0])
        ):
            keys = self._keyed(target.func.value, call, types, path)
            if len(target.args) > 1:
                self._emit(target.args[1], call, types - keys, path, depth + 1)
        elif isinstance(target, ast.Call) and any(map(self._is_scope, target.args)):
            self._emit(target.func, call, types, path, depth + 1)  # ASGI 2: app(scope)(...)
        else:
            self.answers.append(Answer(types, target, call, path))

    def _keyed(
        self, mapping: ast.expr, call: ast.Call, types: frozenset[str], path: str
    ) -> frozenset[str]:
        """Record a look-up by type; return the keys, as far as the source shows them."""
        if isinstance(mapping, ast.Name) and mapping.id in self.aliases:
            mapping = self.aliases[mapping.id][-1][1]
        if not isinstance(mapping, ast.Dict):
            self.answers.append(Answer(types, mapping, call, path, keyed=True))
            return frozenset()
        keys: set[str] = set()
        for key, value in zip(mapping.keys, mapping.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                keys.add(key.value)
                self.explicit.add(key.value)
                self._emit(value, call, types & {key.value}, path)
        return frozenset(keys)


def _answered_with(message: str, types: frozenset[str]) -> frozenset[str]:
    """Those of ``types`` that a message of this type answers (``http.response.start``)."""
    protocol = message.partition(".")[0]
    return types & {protocol} if protocol in PROTOCOLS else types
