"""What calls give: of functions whose source is read, of builtins, asgiref and asyncio."""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import types
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from asgiref.sync import AsyncToSync, SyncToAsync
from django.http.response import HttpResponseBase

from deploytool.project.conduct.binding import bound, defaults, first_line
from deploytool.project.conduct.events import Raised
from deploytool.project.conduct.expressions import Expressions
from deploytool.project.conduct.known_calls import is_coroutine_function, known_call
from deploytool.project.conduct.loading import (
    static,
    truth,
)
from deploytool.project.conduct.noticing import INSIDE
from deploytool.project.conduct.values import (
    Adapted,
    Awaitable,
    Frame,
    Headers,
    Known,
    Local,
    Method,
    Response,
    State,
    Stream,
    Super,
    ThreadState,
    Unknown,
    Value,
    has_yield,
    is_derived,
    one_of,
    options,
)
from deploytool.project.definitions import cells, function_node, is_stdlib, top_package

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploytool.project.definitions import FunctionNode

    Place = tuple[ast.AST, State, Frame]
    Pairs = Sequence[tuple[str, Value]]

DEPTH = 9
"""Calls read one inside the other before a result is taken to be anything."""

# Modules of Django's that are read: what middleware inherits. The rest is known by its names.
_DJANGO = ("django.middleware.", "django.utils.deprecation")
_ITERATING = (map, filter, zip, enumerate, list, tuple, set, frozenset, sorted, iter, reversed, sum)
_SETTING = frozenset({"__setitem__", "update", "set_cookie", "delete_cookie", "set_signed_cookie"})
_ADDING = frozenset({"append", "add", "push", "insert", "update", "setdefault", "appendleft"})


def reads_source(function: types.FunctionType) -> bool:
    """Whether the source of ``function`` is read when it is called."""
    module = str(function.__globals__.get("__name__", ""))
    package = top_package(module)
    if package == "django":
        return module.startswith(_DJANGO) or module.endswith(".middleware")
    return package not in ("asgiref", "deploytool") and not is_stdlib(module)


class Calls(Expressions):
    """Evaluates calls."""

    @abstractmethod
    def run(
        self,
        node: FunctionNode,
        state: State,
        frame: Frame,
    ) -> list[tuple[Value, State]]:
        """What the body of a function returns, on each way through it."""

    def call(self, function: Value, args: Sequence[Value], keywords: Pairs, place: Place) -> Value:
        """What a call gives; Raised where it raises."""
        if isinstance(function, Known):
            return self._object(function.obj, list(args), keywords, place)
        if isinstance(function, Local):
            return self._local(function, args, keywords, place)
        if isinstance(function, Adapted):
            return self._adapted(function, args, keywords, place)
        if isinstance(function, Method):
            return self._method(function, args, place)
        if isinstance(function, Awaitable):
            raise Raised(TypeError, self.event("uses-coroutine", place))
        return Unknown(is_derived(function) or any(map(is_derived, args)))

    def _object(self, obj: Any, args: list[Value], keywords: Pairs, place: Place) -> Value:
        if obj is self.handler:
            place[1].attributes[INSIDE] = Known(True)
            response = Response(self.kind)
            return Awaitable(response) if self.is_async else response
        if isinstance(obj, types.MethodType):
            return self._object(obj.__func__, [Known(obj.__self__), *args], keywords, place)
        known = known_call(obj)
        if known is not None:
            return known(self, args, keywords, place)
        if isinstance(obj, types.FunctionType):
            return self._function(obj, args, keywords, place)
        if isinstance(obj, type):
            return self._class(obj, args, keywords, place)
        return self._instance(obj, args, keywords, place)

    def _instance(self, obj: Any, args: list[Value], keywords: Pairs, place: Place) -> Value:
        if isinstance(obj, functools.partial):
            given = [*map(Known, obj.args), *args]
            named = [*((name, Known(each)) for name, each in obj.keywords.items()), *keywords]
            return self._object(obj.func, given, named, place)
        if isinstance(obj, SyncToAsync):
            return self.to_async(Known(obj.func), args, keywords, place)
        if isinstance(obj, AsyncToSync):
            return self._to_sync(Known(obj.awaitable), args, keywords, place)
        call = static(type(obj), "__call__")
        if isinstance(call, types.FunctionType):
            return self._function(call, [Known(obj), *args], keywords, place)
        return Unknown(any(map(is_derived, args)))

    def _class(self, cls: type, args: list[Value], keywords: Pairs, place: Place) -> Value:
        if issubclass(cls, SyncToAsync):
            return Adapted("to_async", args[0] if args else None)
        if issubclass(cls, AsyncToSync):
            return Adapted("to_sync", args[0] if args else None)
        if issubclass(cls, HttpResponseBase):
            return Response(own=True)
        if cls in _ITERATING or cls.__module__ == itertools.__name__:
            items = [self.iterated(each, place, is_async=False) for each in args]
            made = Unknown(any(map(is_derived, items)))
            streams = [each for each in args if isinstance(each, Stream)]
            return Stream("sync") if streams and cls not in (list, tuple, set) else made
        if cls is functools.partial and args:
            return Adapted("partial", args[0], tuple(args[1:]), tuple(keywords))
        if cls is super:
            return self._super(args, place)
        if cls is type and len(args) == 1:
            return Known(type(args[0].obj)) if isinstance(args[0], Known) else Unknown()
        if cls is bool and args:
            answer = truth(args[0])
            return Unknown() if answer is None else Known(answer)
        return Unknown(any(map(is_derived, [*args, *(each for _, each in keywords)])))

    def _super(self, args: list[Value], place: Place) -> Value:
        frame = place[2]
        if len(args) == 2 and all(isinstance(each, Known) for each in args):
            return Super(args[1].obj, args[0].obj)  # type: ignore[attr-defined]
        if frame.owner is None or frame.subject is None:
            return Unknown()
        return Super(frame.subject, frame.owner)

    # Functions whose source is at hand

    def _function(
        self,
        function: types.FunctionType,
        args: Sequence[Value],
        keywords: Pairs,
        place: Place,
        *,
        on_loop: bool | None = None,
    ) -> Value:
        code = function.__code__
        derived = any(map(is_derived, [*args, *(each for _, each in keywords)]))
        node = function_node(code) if reads_source(function) else None
        if node is None or len(self.around) >= DEPTH:
            if any(isinstance(each, Response) and not each.own for each in args):
                self.note(self.event("gives-away", place, function.__name__))
            if code.co_flags & inspect.CO_ASYNC_GENERATOR:
                return Stream("async")
            if code.co_flags & inspect.CO_COROUTINE:
                return Awaitable(Unknown(derived))
            return Stream("sync") if code.co_flags & inspect.CO_GENERATOR else Unknown(derived)
        closure = cells(function)
        subject = args[0].obj if args and isinstance(args[0], Known) else None
        owner = closure.get("__class__")
        frame = Frame(
            path=code.co_filename,
            offset=code.co_firstlineno - first_line(node),
            namespace={**function.__globals__, **closure},
            on_loop=place[2].on_loop if on_loop is None else on_loop,
            is_coroutine=isinstance(node, ast.AsyncFunctionDef),
            owner=owner if isinstance(owner, type) else None,
            subject=subject,
        )
        names = bound(node, args, keywords, defaults(function))
        return self._body(node, names, frame, place)

    def _local(
        self, function: Local, args: Sequence[Value], keywords: Pairs, place: Place
    ) -> Value:
        if len(self.around) >= DEPTH:
            return Unknown(any(map(is_derived, args)))
        node, frame = function.node, function.frame
        inner = Frame(
            frame.path,
            frame.offset,
            frame.namespace,
            place[2].on_loop,
            isinstance(node, ast.AsyncFunctionDef),
            frame.owner,
            frame.subject,
        )
        seen = {**function.state.names, **(place[1].names if place[2] is frame else {})}
        names = {**seen, **bound(node, args, keywords, {})}
        return self._body(node, names, inner, place)

    def _body(
        self, node: FunctionNode, names: dict[str, Value], frame: Frame, place: Place
    ) -> Value:
        """What the call of a function gives: an iterator, an awaitable, or what it returns."""
        caller = place[1]
        state = State(names, dict(caller.attributes))
        generates = not isinstance(node, ast.Lambda) and has_yield(node)
        self.around.append(caller.conditions)
        catching = self.catching
        if generates:
            self.catching = []  # its body runs later
        try:
            found = self.run(node, state, frame)
        except Raised as raised:
            if not generates:
                raise
            self.maybe_raises(raised)
            found = []
        finally:
            self.around.pop()
            self.catching = catching
        is_async = isinstance(node, ast.AsyncFunctionDef)
        if generates:
            return Stream("async" if is_async else "sync")
        if found:
            kept = dict(found[0][1].attributes)
            for _, end in found[1:]:
                kept = {key: each for key, each in kept.items() if end.attributes.get(key) == each}
            caller.attributes.clear()
            caller.attributes.update(kept)
        value = one_of([(each, end.conditions) for each, end in found])
        return Awaitable(value) if is_async else value

    # asgiref, functools, asyncio

    def _adapted(
        self, function: Adapted, args: Sequence[Value], keywords: Pairs, place: Place
    ) -> Value:
        if function.function is None:  # sync_to_async(thread_sensitive=True) as a decorator
            return Adapted(function.way, args[0]) if args else Unknown()
        if function.way == "same":
            return args[0] if args else Unknown()
        given, named = [*function.args, *args], [*function.keywords, *keywords]
        if function.way == "to_async":
            return self.to_async(function.function, given, named, place)
        if function.way == "to_sync":
            return self._to_sync(function.function, given, named, place)
        return self.call(function.function, given, named, place)

    def to_async(
        self, function: Value, args: Sequence[Value], keywords: Pairs, place: Place
    ) -> Value:
        """What a call of ``sync_to_async(function)`` gives."""
        if is_coroutine_function(function):
            # SyncToAsync.__init__: "sync_to_async can only be applied to sync functions."
            raise Raised(TypeError, self.event("to-thread", place))
        return Awaitable(self._elsewhere(function, args, keywords, place, on_loop=False))

    def _to_sync(
        self, function: Value, args: Sequence[Value], keywords: Pairs, place: Place
    ) -> Value:
        made = self._elsewhere(function, args, keywords, place, on_loop=True)
        return one_of(
            [
                (each.value if isinstance(each, Awaitable) else Unknown(), conditions)
                for each, conditions in options(made)
            ]
        )

    def _elsewhere(
        self,
        function: Value,
        args: Sequence[Value],
        keywords: Pairs,
        place: Place,
        *,
        on_loop: bool,
    ) -> Value:
        node, state, frame = place
        there = Frame(
            frame.path,
            frame.offset,
            frame.namespace,
            on_loop,
            frame.is_coroutine,
            frame.owner,
            frame.subject,
        )
        return self.call(function, args, keywords, (node, state, there))

    # Methods of what is not a live object

    def _method(self, method: Method, args: Sequence[Value], place: Place) -> Value:
        owner, name = method.owner, method.name
        derived = is_derived(owner) or any(map(is_derived, args))
        if isinstance(owner, ThreadState) and name in _ADDING and any(map(is_derived, args)):
            self.note(self.event("stores", place, f"thread:{owner.owner}"))
        if isinstance(owner, Response) and name == "getvalue" and owner.kind == "async":
            self.iterated(Stream("async"), place, is_async=False)
        if isinstance(owner, Response) and name == "render":
            return owner
        if isinstance(owner, Response | Headers):
            self._of_response(owner, name, args, place)
        if isinstance(owner, Known):
            if type(owner.obj) in (bytes, str) and name == "join" and args:
                self.iterated(args[0], place, is_async=False)
            if type(owner.obj) is dict and name == "get" and args and isinstance(args[0], Known):
                try:
                    default = args[1] if len(args) > 1 else Known(None)
                    key = args[0].obj
                    return Known(owner.obj[key]) if key in owner.obj else default
                except TypeError:
                    return Unknown()
        return Unknown(derived)

    def _of_response(
        self, owner: Response | Headers, name: str, args: Sequence[Value], place: Place
    ) -> None:
        key = args[0] if args else Unknown()
        if name in ("set_cookie", "delete_cookie", "set_signed_cookie"):
            key = Known("Set-Cookie")
        elif name == "update":
            key = Unknown()
        sets = name in _SETTING or (name == "setdefault" and len(args) > 1)
        self.heeds_header(owner, key, place, sets=sets)

    def heeds_header(
        self, owner: Response | Headers, name: Value, place: Place, *, sets: bool = False
    ) -> None:
        """Note that the code looks at, sets or deletes a header of a response."""
        response = owner.response if isinstance(owner, Headers) else owner
        known = isinstance(name, Known) and type(name.obj) is str
        text = name.obj.lower() if known else "?"  # type: ignore[attr-defined]
        if text == "content-length":
            self.note(self.event("content-length", place))
        elif text == "content-encoding":
            self.note(self.event("encoding", place))
        if sets and not response.own:
            self.note(self.event("sets-header", place, text))
