"""The names of one function, and what the expressions in its body stand for."""

from __future__ import annotations

import ast
import functools
import inspect
from dataclasses import dataclass, field
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from asgiref.sync import AsyncToSync, SyncToAsync
from django.db import connections
from django.http import HttpRequest
from django.utils.connection import ConnectionProxy
from django.views import View

from deploytool.project.coroutines.blocking import client_of, made_client
from deploytool.project.coroutines.layers import layer_made_by, layer_of
from deploytool.project.coroutines.values import (
    Called,
    Client,
    Elsewhere,
    Inner,
    Live,
    Looping,
    Made,
    Method,
    Pending,
    Query,
    Request,
    Row,
    Session,
    User,
    live,
    made,
    model_attribute,
    query_call,
)
from deploytool.project.definitions import class_attribute, is_a, is_own, own_attribute
from deploytool.project.scopes import Instance, Local, Parameter, Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploytool.project.definitions import FunctionNode

# Expressions followed one into the other, and functions entered for what they return.
_FUEL = 20
_RETURNS = 3
_LOOPS = (ast.For, ast.AsyncFor, ast.comprehension)
_INNER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
# What a decorator that runs the function in a thread or later has in its code.
_ELSEWHERE = frozenset({"sync_to_async", "to_thread", "run_in_executor", "submit", "Thread"})


@functools.cache
def scope_of(function: FunctionType, owner: type | None) -> Scope:
    """The scope of a function, made once."""
    return Scope(function, owner)


def own_nodes(body: list[ast.stmt] | ast.expr) -> Iterator[ast.AST]:
    """The nodes of a function's body in the order of the source, without those of functions
    and classes that are defined in it."""
    pending: list[ast.AST] = list(reversed(body)) if isinstance(body, list) else [body]
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, _INNER):
            pending += reversed(list(ast.iter_child_nodes(node)))


def is_generator(node: FunctionNode) -> bool:
    """Whether calling what ``node`` defines makes a generator."""
    return any(isinstance(each, ast.Yield | ast.YieldFrom) for each in own_nodes(node.body))


def is_coroutine_function(function: FunctionType) -> bool:
    """Whether calling ``function`` gives a coroutine or an async generator."""
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def runs(function: FunctionType) -> FunctionType | None:
    """The project's function whose body runs when ``function`` is called, as far as its
    decorators show; None where it is not the project's or may run elsewhere."""
    while isinstance(wrapped := function.__dict__.get("__wrapped__"), FunctionType):
        if is_coroutine_function(wrapped) != is_coroutine_function(function):
            return None
        if inspect.isgeneratorfunction(wrapped) or not _ELSEWHERE.isdisjoint(
            function.__code__.co_names
        ):
            return None
        function = wrapped
    return function if is_own(function.__code__.co_filename) else None


@dataclass(eq=False)
class Frame:
    """A function that is read: its scope, the part of it that runs, and what it was given."""

    scope: Scope
    node: FunctionNode
    given: dict[str, object] = field(default_factory=dict)
    returns: int = _RETURNS

    def __post_init__(self) -> None:
        self._stored: set[str] = set()
        self._fetched: dict[str, int] = {}
        self.set_attributes: set[str] = set()
        self._loops: dict[str, list[ast.expr]] = {}
        for node in self.scope.body:
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self._stored.add(node.id)
            elif isinstance(node, ast.ExceptHandler) and node.name:
                self._stored.add(node.name)
            elif isinstance(node, ast.arg):
                self._stored.add(node.arg)
            self._note_fetched(node)
            if isinstance(node, _LOOPS) and isinstance(node.target, ast.Name):
                self._loops.setdefault(node.target.id, []).append(node.iter)
        self._annotations: dict[str, ast.expr] = {}
        for function in {self.scope.node, self.node}:
            if function is not None:
                arguments = function.args
                for arg in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
                    if arg.annotation is not None:
                        self._annotations.setdefault(arg.arg, arg.annotation)

    def _note_fetched(self, node: ast.AST) -> None:
        """Variables whose rows something async has loaded: ``async for``, or an awaited call
        that was given them; attributes that are assigned, or read in a thread."""
        given: list[ast.expr] = []
        if isinstance(node, ast.AsyncFor) or (
            isinstance(node, ast.comprehension) and node.is_async
        ):
            given = [node.iter]
        elif isinstance(node, ast.Await) and isinstance(node.value, ast.Call):
            given = [*node.value.args, *(each.value for each in node.value.keywords)]
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            self.set_attributes.add(node.attr)
        elif isinstance(node, _INNER) and node is not self.node:
            self.set_attributes |= {
                each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)
            }
        for each in given:
            inside = each.elts if isinstance(each, ast.List | ast.Tuple) else [each]
            for one in inside:
                if isinstance(one, ast.Name):
                    line = min(one.lineno, self._fetched.get(one.id, one.lineno))
                    self._fetched[one.id] = line

    def is_fetched(self, node: ast.expr) -> bool:
        """Whether ``node`` is a variable that something async has loaded above."""
        if not isinstance(node, ast.Name):
            return False
        return self._fetched.get(node.id, node.lineno) < node.lineno

    def line(self, node: ast.AST) -> int:
        """The line of ``node`` in its file."""
        outer = self.scope.node or self.node
        decorators = getattr(outer, "decorator_list", [])
        first: int = min([outer.lineno, *(each.lineno for each in decorators)])
        line = int(getattr(node, "lineno", first))
        return int(self.scope.function.__code__.co_firstlineno) + line - first

    # Expressions

    def value(self, node: ast.expr, fuel: int = _FUEL) -> object:
        """What ``node`` stands for; None where that cannot be told."""
        if fuel <= 0:
            return None
        for kind, read in _EXPRESSIONS:
            if isinstance(node, kind):
                return read(self, node, fuel)
        return None

    def _attribute(self, node: ast.Attribute, fuel: int) -> object:
        return self.attribute(self.value(node.value, fuel - 1), node.attr)

    def _called(self, node: ast.Call, fuel: int) -> object:
        return self.call(self.value(node.func, fuel - 1), node, fuel)

    def _awaited(self, node: ast.Await, fuel: int) -> object:
        pending = self.value(node.value, fuel - 1)
        return pending.result if is_a(pending, Pending) else None

    def _subscript(self, node: ast.Subscript, fuel: int) -> object:
        base = self.value(node.value, fuel - 1)
        if is_a(base, Query) and not base.manager:
            if isinstance(node.slice, ast.Slice):
                return base
            return Row(base.model, base.joined) if base.rows and base.model else None
        if is_a(base, Live) and base.value is connections:
            return Made(ConnectionProxy)
        return None

    def _common(self, nodes: list[ast.expr], fuel: int) -> object:
        """What several expressions have in common: the first, where all are of one kind."""
        found = [self.value(each, fuel - 1) for each in nodes]
        same = len({type(each) for each in found}) == 1
        return found[0] if found and same else None

    def _name(self, node: ast.Name, fuel: int) -> object:
        sources = self.scope.sources(node)
        if sources:
            found = self._common(sources, fuel)
            given = self.given.get(node.id)
            return found if given is None or type(given) is type(found) else None
        if node.id in self.given:
            return self.given[node.id]
        loops = self._loops.get(node.id, ())
        if loops and node.id in self.scope.parameters:
            return None  # now one, now the other
        if loops:
            kinds = [self._element(iterated, fuel) for iterated in loops]
            return kinds[0] if len({type(kind) for kind in kinds}) == 1 else None
        annotation = self._annotations.get(node.id)
        if annotation is not None:
            return self._annotated(annotation, fuel)
        found = self.scope.resolve(node)
        if is_a(found, Local):
            # One that is decorated may be run in a thread, or anything else.
            plain = not getattr(found.node, "decorator_list", ())
            inside = plain and any(each is found.node for each in self.scope.body)
            return Inner(found.node) if inside else None
        if is_a(found, Instance):
            return made(found.cls)
        if is_a(found, Parameter) or (node.id in self._stored and node.id not in _defined(self)):
            return None
        return live(found)

    def _element(self, node: ast.expr, fuel: int) -> object:
        """What iterating over ``node`` gives."""
        base = self.value(node, fuel - 1)
        if is_a(base, Query) and base.rows and base.model is not None and not base.manager:
            return Row(base.model, base.joined)
        return None

    def _annotated(self, node: ast.expr, fuel: int) -> object:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                node = ast.parse(node.value, mode="eval").body
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return None
        cls = self.value(node, fuel - 1)
        if not is_a(cls, Live) or not is_a(cls.value, type):
            return None
        if issubclass(cls.value, HttpRequest):
            return Request()
        return self._instance(cls.value)

    def _instance(self, cls: type) -> object:
        instead = client_of(cls)
        return Client(instead) if instead else made(cls)

    # Attributes

    def attribute(self, base: object, name: str) -> object:
        """What ``base.name`` stands for."""
        if is_a(base, Request):
            return {"user": User(), "session": Session()}.get(name) or (
                Called(_auser) if name == "auser" else None
            )
        if is_a(base, Row):
            related = model_attribute(base.model, name, base.joined)
            return related if related is not None else self._member(base, base.model, name)
        if is_a(base, Query):
            own = class_attribute(base.owner, name)
            if is_a(own, FunctionType) and runs(own) is not None:
                return Called(own, base, base.owner)
            return Method(base, name)
        if is_a(base, Session):
            return Method(base, name)
        if is_a(base, Client):
            return base
        if is_a(base, Made):
            return self._of_instance(base, name)
        if is_a(base, Live):
            return self._of_live(base.value, name)
        return None

    def _of_live(self, value: object, name: str) -> object:
        if is_a(value, ModuleType):
            return live(vars(value).get(name))
        if is_a(value, type):
            found = class_attribute(value, name)
            if is_a(found, classmethod):
                function: object = found.__func__
                if client_of(value):
                    return Live(value)  # redis.Redis.from_url() makes one as calling it does
                if is_a(function, FunctionType) and runs(function) is not None:
                    return Called(function, Live(value), value)
                return None
            return live(found.__func__ if is_a(found, staticmethod) else found)
        if is_a(value, ConnectionProxy):  # of databases; caches have one too
            is_database = own_attribute(value, "_connections") is connections
            return Method(Made(ConnectionProxy), name) if is_database else None
        instead = client_of(type(value))
        if instead:
            return Client(instead)
        own = own_attribute(value, name)
        if own is not None:
            return live(own)
        return self._member(Made(type(value)), type(value), name)

    def _of_instance(self, base: Made, name: str) -> object:
        cls = base.cls
        if name == "request" and issubclass(cls, View):
            return None if _is_drf(cls) else Request()
        found = base.attribute(name)
        if issubclass(cls, ConnectionProxy):
            return Method(base, name)
        if found is None and name == "channel_layer" and (layer := layer_of(cls)) is not None:
            return Made(layer)
        if found is None:
            return self._assigned(cls, name) if base.after is None else None
        return self._member(base, cls, name, found)

    def _member(self, base: object, cls: type, name: str, found: object = None) -> object:
        found = class_attribute(cls, name) if found is None else found
        if is_a(found, FunctionType):
            if runs(found) is None:
                return Method(base, name) if is_a(base, Row) or is_a(base, Made) else None
            return Called(found, base, cls)
        if is_a(found, staticmethod) or is_a(found, classmethod):
            function = found.__func__
            if not is_a(function, FunctionType) or runs(function) is None:
                return None
            return Called(function, None if is_a(found, staticmethod) else Live(cls), cls)
        if is_a(found, SyncToAsync) or is_a(found, AsyncToSync):
            return Live(found)
        if is_a(base, Row) or is_a(found, property) or hasattr(type(found), "__get__"):
            return Method(base, name) if is_a(base, Row) else None
        return live(found)

    def _assigned(self, cls: type, name: str) -> object:
        """What ``__init__`` of the project's assigns to ``self.name``."""
        initialiser = class_attribute(cls, "__init__")
        if not is_a(initialiser, FunctionType) or not is_own(initialiser.__code__.co_filename):
            return None
        scope = scope_of(initialiser, cls)
        if scope.node is None or self.returns <= 0:
            return None
        frame = Frame(scope, scope.node, {}, self.returns - 1)
        values = [
            node.value
            for node in scope.body
            if isinstance(node, ast.Assign)
            and any(isinstance(t, ast.Attribute) and t.attr == name for t in node.targets)
        ]
        return frame.value(values[0]) if len(values) == 1 else None

    # Calls

    def call(self, callee: object, node: ast.Call, fuel: int = _FUEL) -> object:
        """What calling ``callee`` as ``node`` does gives."""
        if is_a(callee, Method):
            arguments = [self.value(each, fuel - 1) for each in node.args]
            if is_a(callee.of, Query):
                return query_call(callee.of, callee.name, arguments)
            if is_a(callee.of, Row):
                known = callable(class_attribute(callee.of.model, callee.name))
                is_async = callee.name.startswith("a") and known
                return (
                    Pending() if is_async and _is_coroutine(callee.of.model, callee.name) else None
                )
            if is_a(callee.of, Made) and is_coroutine_method(callee.of.attribute(callee.name)):
                return Pending()
            return None
        if is_a(callee, Client):
            return callee
        if is_a(callee, Inner):
            return self._of_inner(callee.node)
        if is_a(callee, Called):
            return self._returned(callee, node, fuel)
        return self._of_object(callee.value, node, fuel) if is_a(callee, Live) else None

    def _of_object(self, value: object, node: ast.Call, fuel: int) -> object:
        if is_a(value, type):
            return self._of_class(value, node, fuel)
        if is_a(value, FunctionType):
            name = value.__name__
            if name in {"sync_to_async", "database_sync_to_async"}:
                return Elsewhere()
            if name == "async_to_sync" and value.__module__.startswith("asgiref"):
                return Looping() if node.args else None
            if layer := layer_made_by(value, node):
                return Made(layer)
            instead = made_client(value)
            return Client(instead) if instead else self._returned(Called(value), node, fuel)
        if is_a(value, MethodType) and is_a(value.__func__, FunctionType):
            owner = value.__self__
            if is_a(owner, type):
                instead = client_of(owner)  # redis.Redis.from_url
                return Client(instead) if instead else None
            return self._returned(
                Called(value.__func__, Made(type(owner)), type(owner)), node, fuel
            )
        return None

    def _of_class(self, cls: type, node: ast.Call, fuel: int) -> object:
        if issubclass(cls, functools.partial):
            return self.value(node.args[0], fuel - 1) if node.args else None
        if cls is super:
            return self._super()
        if issubclass(cls, SyncToAsync):
            return Elsewhere()
        return Looping() if issubclass(cls, AsyncToSync) else self._instance(cls)

    def _super(self) -> object:
        owner = self.scope.owner
        if owner is None:
            return None
        code = self.scope.function.__code__
        closure = self.scope.function.__closure__ or ()
        defining = owner
        for name, cell in zip(code.co_freevars, closure, strict=False):
            if name == "__class__" and isinstance(cell.cell_contents, type):
                defining = cell.cell_contents
        return Made(owner, defining)

    def _of_inner(self, node: FunctionNode) -> object:
        if isinstance(node, ast.AsyncFunctionDef):
            return None if is_generator(node) else Pending(self._returned_by(node, self))
        return None if is_generator(node) else self._returned_by(node, self)

    def _returned(self, callee: Called, node: ast.Call, fuel: int) -> object:
        """What the function ``callee`` returns."""
        outer = callee.function
        if outer is _auser:
            return Pending()
        function = runs(outer)
        if function is None:
            return Pending() if inspect.iscoroutinefunction(outer) else None
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            return None
        frame = self.inside(callee, function, node, fuel)
        result = None
        if frame is not None and self.returns > 0:
            result = self._returned_by(frame.node, frame)
        return Pending(result) if inspect.iscoroutinefunction(outer) else result

    def inside(
        self, callee: Called, function: FunctionType, node: ast.Call, fuel: int = _FUEL
    ) -> Frame | None:
        """The frame of a call of ``function``; None where its source cannot be read."""
        owner = callee.owner
        scope = scope_of(function, owner)
        if scope.node is None:
            return None
        arguments = scope.node.args
        names = [arg.arg for arg in (*arguments.posonlyargs, *arguments.args)]
        given: dict[str, object] = {}
        if callee.first is not None and names:
            given[names.pop(0)] = callee.first
        for name, argument in zip(names, node.args, strict=False):
            if isinstance(argument, ast.Starred):
                break
            given[name] = self.value(argument, fuel - 1)
        for keyword in node.keywords:
            if keyword.arg:
                given[keyword.arg] = self.value(keyword.value, fuel - 1)
        known = {name: value for name, value in given.items() if _is_passed(value)}
        return Frame(scope, scope.node, known, self.returns - 1)

    def _returned_by(self, node: FunctionNode, frame: Frame) -> object:
        if isinstance(node, ast.Lambda):
            return frame.value(node.body)
        values = [
            each.value
            for each in own_nodes(node.body)
            if isinstance(each, ast.Return) and each.value is not None
        ]
        if not values or frame.returns <= 0:
            return None
        frame = Frame(frame.scope, frame.node, frame.given, frame.returns - 1)
        found = [frame.value(each) for each in values]
        return found[0] if len({type(each) for each in found}) == 1 else None


# What each kind of expression is read by.
_EXPRESSIONS: tuple[tuple[type, Callable[[Frame, Any, int], object]], ...] = (
    (ast.Name, Frame._name),
    (ast.Attribute, Frame._attribute),
    (ast.Call, Frame._called),
    (ast.Await, Frame._awaited),
    (ast.Subscript, Frame._subscript),
    (ast.NamedExpr, lambda frame, node, fuel: frame.value(node.value, fuel - 1)),
    (ast.IfExp, lambda frame, node, fuel: frame._common([node.body, node.orelse], fuel)),
    (ast.Lambda, lambda frame, node, fuel: Inner(node)),
    (ast.Constant, lambda frame, node, fuel: Live(node.value)),
)


def _auser_stands_for() -> FunctionType:
    def auser() -> None:
        """``request.auser``, which AuthenticationMiddleware makes for each request."""

    return auser  # type: ignore[return-value]


_auser = _auser_stands_for()


def is_auser(callee: object) -> bool:
    """Whether ``callee`` is ``request.auser``."""
    return is_a(callee, Called) and callee.function is _auser


def _defined(frame: Frame) -> set[str]:
    """Names that are bound by an import or a nested function rather than by assignment."""
    names: set[str] = set()
    for node in frame.scope.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
    return names


def _is_passed(value: object) -> bool:
    kinds = (Query, Row, Request, User, Session, Made, Client)
    return any(is_a(value, kind) for kind in kinds) or (
        is_a(value, Live) and is_a(value.value, type)
    )


def _is_coroutine(cls: type, name: str) -> bool:
    return is_coroutine_method(class_attribute(cls, name))


def is_coroutine_method(found: object) -> bool:
    """Whether what a class has under a name makes a coroutine when it is called."""
    return is_a(found, FunctionType) and inspect.iscoroutinefunction(found)


def _is_drf(cls: type) -> bool:
    return any(base.__module__.partition(".")[0] == "rest_framework" for base in cls.__mro__)
