"""The coroutines of the project that a server runs on its event loop."""

from __future__ import annotations

import ast
import functools
import importlib
import sys
from dataclasses import dataclass, field
from types import FunctionType, MethodType
from typing import TYPE_CHECKING

from asgiref.sync import iscoroutinefunction
from django.utils.module_loading import import_string
from django.views import View

from deploytool.project.callbacks import unwrap
from deploytool.project.coroutines.frames import (
    Frame,
    is_coroutine_function,
    own_nodes,
    scope_of,
)
from deploytool.project.coroutines.values import Request
from deploytool.project.definitions import dotted, is_a, is_own, own_attribute

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploytool.project.callbacks import Callback
    from deploytool.project.coroutines.facts import RootKind
    from deploytool.project.facts import EntryPoints, Middleware

_HOOKS = (
    *("process_request", "process_view", "process_exception", "process_response"),
    *("process_template_response", "__call__", "__acall__"),
)


@dataclass(frozen=True, eq=False, slots=True)
class Root:
    """A coroutine, or a sync part of one, that a server runs on its event loop.

    ``name`` is what the user knows it as; ``handler`` as in ``facts.OnLoop``; ``layers`` are
    the decorators around a view.
    """

    name: str
    kind: RootKind
    frame: Frame
    handler: bool = True
    layers: tuple[FunctionType, ...] = ()
    is_view: bool = False


@dataclass(slots=True)
class Roots:
    """Collects them, each once; ``threaded`` are sync methods of consumers, run in threads."""

    found: list[Root] = field(default_factory=list)
    threaded: list[Root] = field(default_factory=list)
    _seen: set[object] = field(default_factory=set)

    def view(self, callback: object, name: str | None) -> Callback:
        """The coroutines of a route that Django awaits; what stands behind it."""
        taken = unwrap(callback, name)
        if taken.operations:
            for operation in taken.operations:
                self._operation(operation)
            return taken
        subject = taken.subject
        layers = tuple(taken.layers)
        if is_a(subject, type):
            self._class(subject, layers)
        elif is_a(subject, FunctionType) or is_a(subject, MethodType):
            self._function(subject, "view", layers=layers)
        else:
            call = type(subject).__dict__.get("__call__")
            if is_a(call, FunctionType) and is_coroutine_function(call):
                self._add(dotted(subject), "view", call, type(subject), ("request",), layers)
        return taken

    def _operation(self, operation: object) -> None:
        """An operation of Django Ninja."""
        function = unwrap(getattr(operation, "view_func", None)).subject
        if is_a(function, FunctionType) and is_coroutine_function(function):
            # Its own authentication has loaded the user in whatever way it does.
            guarded = bool(getattr(operation, "auth_callbacks", None))
            self._add(dotted(function), "view", function, None, () if guarded else ("first",))

    def _function(
        self,
        subject: FunctionType | MethodType,
        kind: RootKind,
        layers: tuple[FunctionType, ...] = (),
    ) -> None:
        function = subject.__func__ if is_a(subject, MethodType) else subject
        owner = None
        if is_a(subject, MethodType):
            instance = subject.__self__
            owner = instance if isinstance(instance, type) else type(instance)
        if is_a(function, FunctionType) and is_coroutine_function(function):
            self._add(dotted(subject), kind, function, owner, ("first",), layers)

    def _class(self, cls: type, layers: tuple[FunctionType, ...]) -> None:
        """The handlers of an async class, and what runs before them."""
        name = dotted(cls)
        is_django = issubclass(cls, View) and not any(
            base.__module__.partition(".")[0] == "rest_framework" for base in cls.__mro__
        )
        methods = tuple(getattr(cls, "http_method_names", ()))
        for base in cls.__mro__:
            for method in (*methods, "dispatch", "setup"):
                function = base.__dict__.get(method)
                function = innermost(function)
                if function is None or not is_own(function.__code__.co_filename):
                    continue
                is_async = is_coroutine_function(function)
                if is_async or method in {"dispatch", "setup"}:
                    parameters = ("first",) if is_django else ()
                    self._add(name, "view", function, cls, parameters, layers, handler=is_async)

    def middleware(self, entry: Middleware) -> None:
        """The async hooks of a middleware, or the coroutine that its factory returns."""
        try:
            factory: object = import_string(entry.path)
        except Exception:
            return  # the facts about middleware say so
        if is_a(factory, type):
            for base in factory.__mro__:
                for name in _HOOKS:
                    function = innermost(base.__dict__.get(name))
                    own = function is not None and is_own(function.__code__.co_filename)
                    if function is not None and own and is_coroutine_function(function):
                        self._add(
                            *(entry.path, "middleware", function, factory, ("first",)),
                            handler=not entry.sync_capable,
                        )
            return
        function = innermost(factory)
        if function is None or not is_own(function.__code__.co_filename):
            return
        scope = scope_of(function, None)
        for node in own_nodes(scope.node.body) if scope.node is not None else ():
            if isinstance(node, ast.AsyncFunctionDef) and self._once(node):
                frame = Frame(scope, node, _given(node, ("first",), skip=0))
                self.found.append(Root(entry.path, "middleware", frame, not entry.sync_capable))

    def consumers(self, entrypoints: EntryPoints) -> None:
        """The coroutines of the consumers that are routed."""
        asgi = entrypoints.asgi
        names = [route.consumer for route in asgi.websocket_routes]
        for name in dict.fromkeys((*names, *asgi.http_consumers)):
            self.consumer(loaded(name), name)

    def consumer(self, found: object, name: str) -> None:
        """What runs of a consumer: of a Channels class its methods."""
        if is_a(found, FunctionType):
            self._function(found, "consumer")
        elif is_a(found, type):
            for base in found.__mro__:
                for value in base.__dict__.values():
                    function = innermost(value) if is_a(value, FunctionType) else None
                    own = function is not None and is_own(function.__code__.co_filename)
                    if function is None or not own:
                        continue
                    if is_coroutine_function(function):
                        self._add(name, "consumer", function, found, ())
                    elif self._once((function, found)):
                        scope = scope_of(function, found)
                        if scope.node is not None:
                            frame = Frame(scope, scope.node, {})
                            self.threaded.append(Root(name, "consumer", frame))

    def stream(self, name: str, frame: Frame) -> None:
        """The body of an async stream."""
        if self._once((frame.node, frame.scope.function)):
            self.found.append(Root(name, "stream", frame))

    def _once(self, key: object) -> bool:
        new = key not in self._seen
        self._seen.add(key)
        return new

    def _add(
        self,
        name: str,
        kind: RootKind,
        function: FunctionType,
        owner: type | None,
        parameters: tuple[str, ...],
        layers: tuple[FunctionType, ...] = (),
        *,
        handler: bool = True,
    ) -> None:
        own = is_own(function.__code__.co_filename)
        if not own or not self._once((function, owner)):
            return
        scope = scope_of(function, owner)
        if scope.node is not None:
            skip = 0 if owner is None else 1
            frame = Frame(scope, scope.node, _given(scope.node, parameters, skip))
            self.found.append(Root(name, kind, frame, handler, layers, kind == "view"))


def _given(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, parameters: Iterable[str], skip: int
) -> dict[str, object]:
    """The request, where the first parameter (after ``self``) is one."""
    names = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)][skip:]
    return {names[0]: Request()} if tuple(parameters) and names else {}


def innermost(value: object) -> FunctionType | None:
    """The function under ``functools.wraps`` decorators that keep its colour, None for
    something else."""
    if is_a(value, staticmethod) or is_a(value, classmethod):
        value = value.__func__
    while is_a(value, FunctionType):
        wrapped = own_attribute(value, "__wrapped__")
        if not is_a(wrapped, FunctionType):
            return value
        if is_coroutine_function(wrapped) != iscoroutinefunction(value):
            return value
        value = wrapped
    return None


@functools.cache
def loaded(name: str) -> object:
    """The object of a dotted path in the project's own modules, None where there is none.

    The module is imported where it is not loaded yet, as the entry point does it.
    """
    parts = name.split(".")
    for count in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:count])
        if module not in sys.modules:
            try:
                importlib.import_module(module)
            except (Exception, SystemExit):  # noqa: S112 - a class within the module, perhaps
                continue
        found: object = sys.modules.get(module)
        for part in parts[count:]:
            found = getattr(found, part, None)
        return found
    return None
