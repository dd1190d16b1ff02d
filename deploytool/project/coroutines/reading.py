"""Walks the body of a coroutine, and of the project's functions that it calls, for what
holds up the event loop or fails on it."""

from __future__ import annotations

import ast
import builtins
import inspect
import threading
from dataclasses import dataclass, replace
from types import FunctionType
from typing import TYPE_CHECKING, Any

import django.core.mail
from asgiref.sync import AsyncToSync, SyncToAsync
from django.contrib.sessions.backends.base import SessionBase
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Model, QuerySet
from django.utils.connection import ConnectionProxy

from deploytool.project.coroutines.blocking import function_waits, is_local, method_waits
from deploytool.project.coroutines.frames import (
    Frame,
    is_auser,
    is_generator,
    own_nodes,
    runs,
    scope_of,
)
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
    asks,
    fetches,
)
from deploytool.project.definitions import class_attribute, is_a

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from deploytool.project.coroutines.facts import UseKind
    from deploytool.project.definitions import FunctionNode

# Calls followed one into the other.
_DEPTH = 5
_CODE = 60  # characters of an expression that are shown
_EVALUATING = frozenset(
    getattr(builtins, name)
    for name in [
        "list",
        "tuple",
        "set",
        "frozenset",
        "sorted",
        "len",
        "bool",
        "dict",
        "str",
        "repr",
        "sum",
        "any",
        "all",
        "min",
        "max",
        "enumerate",
        "zip",
        "iter",
        "map",
        "filter",
        "reversed",
    ]
)
# What DatabaseWrapper guards with async_unsafe() (django/db/backends/base/base.py).
_CONNECTION = frozenset(
    [
        "cursor",
        "connect",
        "ensure_connection",
        "commit",
        "rollback",
        "close",
        "savepoint",
        "savepoint_commit",
        "savepoint_rollback",
        "set_autocommit",
        "get_autocommit",
        "chunked_cursor",
    ]
)
# Methods of a user that ask for permissions; superusers have them without asking.
_PERMISSIONS = frozenset(
    {
        *("has_perm", "has_perms", "has_module_perms", "get_user_permissions"),
        *("get_group_permissions", "get_all_permissions"),
    }
)
_INNER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Use:
    """Something that a function does on the event loop; see ``facts.OnLoop``.

    ``loads`` stands for what makes later uses of the request's user or session harmless.
    """

    kind: UseKind | str
    code: str
    what: str
    instead: str
    path: str
    line: int
    via: tuple[str, ...] = ()


class Reader:
    """Reads functions, remembering those that several coroutines share."""

    def __init__(self) -> None:
        self._known: dict[object, tuple[Use, ...]] = {}

    def function(
        self,
        function: FunctionType,
        owner: type | None,
        given: dict[str, object],
        depth: int = _DEPTH,
    ) -> tuple[Use, ...]:
        """What a call of ``function`` does; ``given`` are parameters that are known."""
        scope = scope_of(function, owner)
        if scope.node is None:
            return ()
        return self.frame(Frame(scope, scope.node, given), depth)

    def frame(self, frame: Frame, depth: int = _DEPTH) -> tuple[Use, ...]:
        """What running ``frame`` does."""
        given = frozenset((k, v) for k, v in frame.given.items() if not is_a(v, Live))
        key = (frame.scope.function, frame.scope.owner, frame.node, given, depth)
        if key not in self._known:
            self._known[key] = ()  # for a function that leads back to itself
            walk = _Walk(self, frame, depth)
            walk.body()
            self._known[key] = tuple(dict.fromkeys(walk.uses))
        return self._known[key]

    def returned(self, frame: Frame) -> tuple[Use, ...]:
        """Where an async view returns a coroutine rather than what it gives."""
        walk = _Walk(self, frame, 0)
        for node in own_nodes(frame.node.body):
            if isinstance(node, ast.Return) and node.value is not None:
                walk.returns(node.value)
        return tuple(walk.uses)


class _Walk:
    """One walk through the body of a function."""

    def __init__(self, reader: Reader, frame: Frame, depth: int) -> None:
        self._reader = reader
        self._frame = frame
        self._depth = depth
        self._path = frame.scope.function.__code__.co_filename
        self.uses: list[Use] = []

    def body(self) -> None:
        """Visit every statement."""
        body = self._frame.node.body
        for each in body if isinstance(body, list) else [body]:
            self._visit(each)

    def returns(self, value: ast.expr) -> None:
        """Note ``value``, which the view returns, where it is a coroutine."""
        if is_a(self._frame.value(value), Pending):
            self._note("returned", value, f"await {' '.join(ast.unparse(value).split())}")

    def _note(self, kind: UseKind | str, node: ast.AST, instead: str = "", what: str = "") -> None:
        code = " ".join(ast.unparse(node).split())
        shown = code if len(code) <= _CODE else code[: _CODE - 1] + "…"
        self.uses.append(Use(kind, shown, what, instead, self._path, self._frame.line(node)))

    # Nodes

    def _visit(self, node: ast.AST, *, awaited: bool = False) -> None:
        if isinstance(node, _INNER):
            self._inside(node)
            return
        if isinstance(node, ast.Call):
            self._call(node, awaited=awaited)
        else:
            for kind, look in _STATEMENTS:
                if isinstance(node, kind):
                    look(self, node)
        self._children(node)

    def _test(self, node: ast.If | ast.While | ast.IfExp | ast.Assert) -> None:
        self._tested(node.test)

    def _operands(self, node: ast.BoolOp | ast.UnaryOp) -> None:
        if isinstance(node, ast.BoolOp):
            for each in node.values[:-1]:
                self._tested(each)
        elif isinstance(node.op, ast.Not):
            self._tested(node.operand)

    def _shown(self, node: ast.FormattedValue | ast.Starred) -> None:
        self._tested(node.value)

    def _children(self, node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.GeneratorExp):
                # Whoever consumes it may do so in a thread; its first iterable is entered here.
                self._iterated(child.generators[0])
                self._visit(child.generators[0].iter)
                continue
            self._visit(child, awaited=isinstance(node, ast.Await))

    def _inside(self, node: ast.AST) -> None:
        """A function that is defined here may be what loads the user, in a thread."""
        for each in ast.walk(node):
            if isinstance(each, ast.Attribute) and each.attr in {"user", "session"}:
                self._note("loads", each)

    def _dropped(self, node: ast.Expr) -> None:
        call = node.value
        if not isinstance(call, ast.Call):
            return
        if is_a(self._frame.value(call), Pending):
            self._note("unawaited", call, f"await {ast.unparse(call.func)}(...)")

    def _iterated(self, node: ast.For | ast.comprehension) -> None:
        if not getattr(node, "is_async", False) and self._is_query(node.iter):
            self._asks(node.iter, "async for ... in ...")

    def _tested(self, node: ast.expr) -> None:
        value = self._frame.value(node)
        if self._is_query(node):
            self._asks(node, f"await {ast.unparse(node)}.aexists()")
        elif is_a(value, User):
            self._note("user", node, "await request.auser()")

    def _compared(self, node: ast.Compare) -> None:
        for operator, right in zip(node.ops, node.comparators, strict=False):
            if isinstance(operator, ast.In | ast.NotIn) and self._is_query(right):
                self._asks(right, f"await {ast.unparse(right)}.acontains(...)")
            if isinstance(operator, ast.Eq | ast.NotEq):
                for side in (node.left, right):
                    if is_a(self._frame.value(side), User):
                        self._note("user", side, "await request.auser()")

    def _subscript(self, node: ast.Subscript) -> None:
        base = self._frame.value(node.value)
        if is_a(base, Query) and not isinstance(node.slice, ast.Slice) and not base.empty:
            if not base.manager and self._is_query(node.value):
                self._asks(node, "afirst() of the query, or async for")
        elif is_a(base, Session):
            self._note("session", node, "await request.session.aget(...) or aset(...)")

    def _attribute(self, node: ast.Attribute) -> None:
        base = self._frame.value(node.value)
        if is_a(base, User):
            self._note("user", node, "await request.auser()")
        elif is_a(base, Request) and node.attr == "user" and isinstance(node.ctx, ast.Store):
            self._note("loads", node)
        elif is_a(base, Row):
            known = self._frame.is_fetched(node.value)
            known = known or node.attr in self._frame.set_attributes
            if fetches(base, node.attr) and isinstance(node.ctx, ast.Load) and not known:
                self._asks(node, f"select_related({node.attr!r}) in the query")
            found = class_attribute(base.model, node.attr)
            if is_a(found, property) and is_a(found.fget, FunctionType) and self._depth:
                self._follow(Called(found.fget, base, base.model), ast.Call(node, [], []))

    def _entered(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            value = item.context_expr
            function = value.func if isinstance(value, ast.Call) else value
            found = self._frame.value(function)
            if is_a(found, Live) and found.value is transaction.atomic:
                self._note(
                    "transaction",
                    value,
                    "put the whole transaction into a sync function and await "
                    "sync_to_async(...)() of it",
                )
            lock = self._frame.value(value)
            if isinstance(node, ast.With) and _locks_threads(lock) and _awaits(node.body):
                self._note(
                    *("wait", value, "asyncio.Lock with async with"),
                    what="a lock of threads, held while others run",
                )

    # Calls

    def _call(self, node: ast.Call, *, awaited: bool) -> None:
        callee = self._frame.value(node.func)
        if is_a(callee, Live):
            self._object(callee.value, node, awaited=awaited)
        elif is_a(callee, Method):
            self._method(callee, node)
        elif is_a(callee, Inner):
            self._inner(callee.node)
        elif is_auser(callee):
            self._note("loads session", node)
        elif is_a(callee, Called):
            self._called(callee, node)
        elif is_a(callee, Looping):
            self._note("loop", node, "await the coroutine itself")
        elif is_a(callee, Client):
            self._client(callee, node)
        else:
            if awaited or is_a(callee, Elsewhere):
                self._passes_request(node)
            if isinstance(node.func, ast.Attribute):
                self._unknown(node, node.func)

    def _client(self, client: Client, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute) and not is_local(node.func.attr):
            self._note("wait", node, client.instead)

    def _unknown(self, node: ast.Call, function: ast.Attribute) -> None:
        base = function.value
        if function.attr == "join" and node.args and self._is_query(node.args[0]):
            self._asks(node.args[0], "[... async for ... in ...]")
        if function.attr == "run_until_complete" and isinstance(base, ast.Call):
            made = self._frame.value(base.func)
            if is_a(made, Live) and getattr(made.value, "__name__", "").endswith("_event_loop"):
                self._note("loop", node, "await the coroutine itself")

    def _method(self, callee: Method, node: ast.Call) -> None:
        of, name = callee.of, callee.name
        if is_a(of, Query):
            self._query_method(of, name, node)
        elif is_a(of, Row):
            self._row_method(of.model, name, node)
        elif is_a(of, Session):
            if name.startswith("a") and callable(getattr(SessionBase, name, None)):
                self._note("loads session", node)
            elif callable(getattr(SessionBase, f"a{name}", None)):
                self._note("session", node, f"await {self._with_a(node.func)}(...)")
        elif is_a(of, Made):
            self._instance_method(of.cls, name, node)

    def _row_method(self, model: type, name: str, node: ast.Call) -> None:
        if asks(Model, name) or (name in _PERMISSIONS and class_attribute(model, f"a{name}")):
            self._asks(node, f"await {self._with_a(node.func)}(...)")

    def _instance_method(self, cls: type, name: str, node: ast.Call) -> None:
        if issubclass(cls, ConnectionProxy):
            if name in _CONNECTION:
                self._asks(node, "a sync function, called through sync_to_async()")
        elif issubclass(cls, Model):  # super().save()
            self._row_method(cls, name, node)
        elif issubclass(cls, EmailMessage) and name == "send":
            self._note("mail", node, "await asyncio.to_thread(message.send)")
        elif instead := method_waits(cls, name):
            self._note("wait", node, instead)

    def _query_method(self, query: Query, name: str, node: ast.Call) -> None:
        related = query.related and name in {"add", "remove", "set", "clear"}
        if not query.empty and (related or asks(QuerySet, name)):
            self._asks(node, f"await {self._with_a(node.func)}(...)")
        elif query.locks and name.startswith("a") and asks(QuerySet, name[1:]):
            self._note("lock", node, "one sync function with transaction.atomic()")
        for argument in (*node.args, *(each.value for each in node.keywords)):
            if is_a(self._frame.value(argument), User):
                self._note("user", argument, "await request.auser()")

    def _inner(self, node: FunctionNode) -> None:
        # A sync generator is consumed by whoever gets it, perhaps in a thread.
        if self._depth and (isinstance(node, ast.AsyncFunctionDef) or not is_generator(node)):
            inner = Frame(self._frame.scope, node, self._frame.given)
            self.uses += self._reader.frame(inner, self._depth - 1)

    def _called(self, callee: Called, node: ast.Call) -> None:
        first, name = callee.first, callee.function.__name__
        if runs(callee.function) is None:
            self._passes_request(node)
            return
        if is_a(first, Row) and asks(Model, name):
            self._asks(node, f"await {self._with_a(node.func)}(...)")
            return
        if is_a(first, Query) and asks(QuerySet, name):
            self._query_method(first, name, node)
            return
        self._follow(callee, node)

    def _follow(self, callee: Called, node: ast.Call) -> None:
        function = runs(callee.function)
        if function is None or not self._depth or inspect.isgeneratorfunction(function):
            return
        inside = self._frame.inside(callee, function, node)
        if inside is None:
            return
        inside.returns = 3
        name = function.__qualname__.replace(".<locals>", "")
        for use in self._reader.frame(inside, self._depth - 1):
            self.uses.append(replace(use, via=(name, *use.via)))

    def _object(self, value: object, node: ast.Call, *, awaited: bool) -> None:
        if is_a(value, AsyncToSync):
            self._note("loop", node, "await the coroutine itself")
        elif is_a(value, SyncToAsync):
            self._passes_request(node)
        elif is_a(value, type):
            self._class(value, node)
        elif is_a(value, FunctionType) and runs(value) is not None:
            self._follow(Called(value), node)
        elif instead := function_waits(value):
            self._note("wait", node, instead, _name_of(value, node))
        elif self._is_evaluating(value) and any(self._is_query(each) for each in node.args):
            argument = next(each for each in node.args if self._is_query(each))
            self._asks(argument, f"[... async for ... in {ast.unparse(argument)}]")
        elif is_a(value, FunctionType):
            self._djangos(value, node, awaited=awaited)
        elif awaited:
            self._passes_request(node)

    def _class(self, cls: type, node: ast.Call) -> None:
        if cls in _EVALUATING:
            for argument in node.args:
                if self._is_query(argument):
                    self._asks(argument, f"[... async for ... in {ast.unparse(argument)}]")
                elif is_a(self._frame.value(argument), User):
                    self._note("user", argument, "await request.auser()")

    def _is_evaluating(self, value: object) -> bool:
        return any(value is each for each in _EVALUATING)

    def _djangos(self, function: FunctionType, node: ast.Call, *, awaited: bool) -> None:
        module, name = function.__module__, function.__name__
        if module == "asyncio.runners" and name == "run":
            self._note("loop", node, "await the coroutine itself")
        elif module == "django.db.transaction" and not name.startswith("_") and name != "atomic":
            self._note("transaction", node, "one sync function, called through sync_to_async()")
        elif module.startswith("django.core.mail") and hasattr(django.core.mail, name):
            if not inspect.iscoroutinefunction(function) and name != "get_connection":
                self._note("mail", node, f"await asyncio.to_thread({ast.unparse(node.func)}, ...)")
        elif module in {"django.contrib.auth", "django.shortcuts"} and callable(
            function.__globals__.get(f"a{name}")
        ):
            self._asks(node, f"await {self._with_a(node.func)}(...)")
        elif name in {"render", "render_to_string"} and module.startswith(
            ("django.shortcuts", "django.template")
        ):
            self._rendered(node, 2 if module == "django.shortcuts" else 1)
        elif awaited and not module.startswith("django."):
            self._passes_request(node)

    def _rendered(self, node: ast.Call, position: int) -> None:
        context = next((each.value for each in node.keywords if each.arg == "context"), None)
        if context is None and len(node.args) > position:
            context = node.args[position]
        if isinstance(context, ast.Name):
            sources = self._frame.scope.sources(context)
            context = sources[0] if len(sources) == 1 else None
        if not isinstance(context, ast.Dict):
            return
        for key, value in zip(context.keys, context.values, strict=True):
            found = self._frame.value(value)
            if isinstance(key, ast.Constant) and self._is_query(value) and is_a(found, Query):
                self._note("template", value, "[... async for ... in ...]", what=str(key.value))

    # Helpers of the above

    def _is_query(self, node: ast.expr) -> bool:
        if self._frame.is_fetched(node):
            return False
        found = self._frame.value(node)
        return is_a(found, Query) and not found.manager and not found.empty

    def _asks(self, node: ast.AST, instead: str) -> None:
        self._note("orm", node, instead)

    def _with_a(self, function: ast.expr) -> str:
        text = " ".join(ast.unparse(function).split())
        before, dot, name = text.rpartition(".")
        shown = before if len(before) <= _CODE else "…"
        return f"{shown}{dot}a{name}"

    def _passes_request(self, node: ast.Call) -> None:
        arguments: Iterable[ast.expr] = (*node.args, *(each.value for each in node.keywords))
        for each in arguments:
            found = self._frame.value(each.value if isinstance(each, ast.Starred) else each)
            if is_a(found, Request) or is_a(found, User) or is_a(found, Session):
                self._note("loads", node)


def _locks_threads(value: object) -> bool:
    """Whether entering ``value`` waits for whoever has it; a second time in the same thread,
    such as an event loop's, for ever."""
    kinds = (type(threading.Lock()), threading.Semaphore)
    if is_a(value, Made):
        return issubclass(value.cls, kinds)
    return is_a(value, Live) and any(is_a(value.value, kind) for kind in kinds)


def _awaits(body: list[ast.stmt]) -> bool:
    """Whether another coroutine may run while these statements do."""
    waiting = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield)
    return any(isinstance(each, waiting) for each in own_nodes(body))


def _name_of(value: object, node: ast.Call) -> str:
    name = f"{getattr(value, '__module__', '')}.{getattr(value, '__name__', '')}".removeprefix(
        "requests.api."
    )
    return "" if name.rpartition(".")[2] in ast.unparse(node.func).split(".") else name


# What each kind of statement or expression, but calls, is looked at by.
_STATEMENTS: tuple[tuple[Any, Callable[[_Walk, Any], None]], ...] = (
    (ast.Expr, _Walk._dropped),
    (ast.For | ast.comprehension, _Walk._iterated),
    (ast.If | ast.While | ast.IfExp | ast.Assert, _Walk._test),
    (ast.BoolOp | ast.UnaryOp, _Walk._operands),
    (ast.Compare, _Walk._compared),
    (ast.Subscript, _Walk._subscript),
    (ast.Attribute, _Walk._attribute),
    (ast.FormattedValue | ast.Starred, _Walk._shown),
    (ast.With | ast.AsyncWith, _Walk._entered),
)
