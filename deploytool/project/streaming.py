"""Whether a view streams its response, read from its code without running it.

Nearly every view of a project is an ordinary one, so this works in two steps: code objects
tell cheaply whether a view, or a helper that it calls, mentions a streaming response class
at all; only then is source parsed, in ``iterators.py``, to see what it iterates over.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache, partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Literal, NamedTuple

from django.http import FileResponse, StreamingHttpResponse

from deploytool.project.callbacks import Callback, unwrap
from deploytool.project.definitions import (
    cells,
    class_attribute,
    is_a,
    is_own,
    is_stdlib,
    own_attribute,
    top_package,
)
from deploytool.project.iterators import Iterators
from deploytool.project.scopes import functions_of, local_module

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

EVENT_STREAM = "text/event-stream"
# Calls followed from a view: view -> helper -> helper -> helper.
DEPTH = 3
# Frameworks whose own code is not followed: it streams only what it is given.
_FRAMEWORKS = frozenset({"django", "asgiref", "rest_framework", "ninja"})
# The viewset methods that a router maps (adrf's has the second half); the others are hooks
# that any route may use.
_ROUTED = frozenset({"list", "create", "retrieve", "update", "partial_update", "destroy"}) | {
    *("alist", "acreate", "aretrieve", "aupdate", "partial_aupdate", "adestroy")
}


@dataclass(frozen=True, slots=True)
class Streaming:
    """How a view streams; see ``facts.View`` for the meaning of both."""

    iterator: Literal["sync", "async", "unknown"] | None = None
    event_stream: bool = False


@dataclass(frozen=True, slots=True)
class _Step:
    """A function to read, with the class it is a method of for the view at hand."""

    function: FunctionType
    owner: type | None


class _Links(NamedTuple):
    """What one function mentions: a streaming class, an event stream, other functions."""

    creates: bool
    event_stream: bool
    follows: tuple[_Step, ...]


class StreamReader:
    """Reads views, remembering the helpers that they share."""

    def __init__(self) -> None:
        self._classes = frozenset(_streaming_classes())
        self._names = frozenset(cls.__name__ for cls in self._classes)
        self._packages = _streaming_packages(self._classes)
        self._followed: dict[str, bool] = {}
        self._links: dict[_Step, _Links] = {}
        self._reached: dict[tuple[_Step, int], tuple[bool, bool]] = {}
        self._iterators = Iterators(self._classes, self._follows, DEPTH)

    def read(self, callback: Callback) -> Streaming:
        """How the view behind ``callback`` streams."""
        if callback.operations:
            return _merge([self._operation(operation) for operation in callback.operations])
        owner = None
        steps = [_Step(layer, None) for layer in callback.layers if self._follows(layer)]
        subject = callback.subject
        if isinstance(subject, MethodType):
            instance = subject.__self__
            owner = instance if isinstance(instance, type) else type(instance)
            subject = subject.__func__
        elif not isinstance(subject, FunctionType):
            owner = subject if isinstance(subject, type) else type(subject)
            steps += [_Step(each, owner) for each in self._methods(owner, callback.actions)]
        if isinstance(subject, FunctionType) and self._follows(subject):
            steps.append(_Step(subject, owner))
        return self._read(steps, owner)

    def _operation(self, operation: object) -> Streaming:
        """Of Django Ninja, which streams a generator where the response is a StreamFormat."""
        found = unwrap(getattr(operation, "view_func", None))
        stream = getattr(operation, "stream_format", None)
        if stream is None:
            return self.read(found)
        is_async = getattr(operation, "is_async", False)
        media_type = str(getattr(stream, "media_type", ""))
        return Streaming("async" if is_async else "sync", EVENT_STREAM in media_type)

    def _read(self, starts: list[_Step], owner: type | None) -> Streaming:
        reached = [self._reach(step, DEPTH) for step in starts]
        if not any(creates for creates, _ in reached):
            return Streaming()
        created = (self._iterators.created(each.function, each.owner) for each in starts)
        kinds = frozenset[str]().union(*created)
        if not kinds:
            return Streaming()  # mentioned, as in isinstance(), but never created
        iterator = next(kind for kind in ("async", "sync", "unknown") if kind in kinds)
        event_stream = any(names for _, names in reached)
        return Streaming(iterator, event_stream or self._names_event_stream(owner))

    def _reach(self, step: _Step, depth: int) -> tuple[bool, bool]:
        """Whether a function, or one that it leads to within ``depth`` calls, mentions a
        streaming class, and whether one names an event stream."""
        key = (step, depth)
        if key not in self._reached:
            links = self._links.get(step)
            if links is None:
                links = self._links[step] = self._look(step)
            further = [self._reach(each, depth - 1) for each in links.follows] if depth else []
            self._reached[key] = (
                links.creates or any(creates for creates, _ in further),
                links.event_stream or any(names for _, names in further),
            )
        return self._reached[key]

    def _look(self, step: _Step) -> _Links:
        names, event_stream = _mentions(step.function.__code__)
        creates = False
        follows: list[_Step] = []
        named = step.function.__kwdefaults__ or {}
        defaults = [*(step.function.__defaults__ or ()), *named.values()]
        event_stream = event_stream or any(_says_event_stream(value) for value in defaults)
        for value, owner in self._values(step, names):
            target, given = (value.func, value.keywords) if is_a(value, partial) else (value, value)
            if is_a(target, type) and target in self._classes:
                creates = True
                event_stream = event_stream or self._names_event_stream(target)
            event_stream = event_stream or _says_event_stream(given)
            follows += [_Step(each, owner) for each in functions_of(value) if self._follows(each)]
        # Imported in the function itself, or reached through something unknown.
        unknown = names - step.function.__globals__.keys()
        creates = creates or not self._names.isdisjoint(unknown)
        return _Links(creates, event_stream, tuple(dict.fromkeys(follows)))

    def _values(self, step: _Step, names: frozenset[str]) -> Iterator[tuple[object, type | None]]:
        """The objects that a function's names stand for, and those reached by one dot."""
        variables = cells(step.function)
        scope = step.function.__globals__
        for name in names | variables.keys():
            value = variables.get(name, scope.get(name))
            if value is None:
                value = local_module(name, scope)
            if value is None:
                continue
            yield value, None
            yield from self._attributes(value, names)
        if step.owner is not None:
            for name in names:
                yield class_attribute(step.owner, name), step.owner

    def _attributes(
        self, value: object, names: Iterable[str]
    ) -> Iterator[tuple[object, type | None]]:
        if is_a(value, ModuleType):
            for name in names:
                yield vars(value).get(name), None
            return
        cls = value if is_a(value, type) else type(value)
        if self._follows_module(cls.__module__):
            for name in (*names, "__call__"):
                yield class_attribute(cls, name), cls

    def _methods(self, cls: type, actions: frozenset[str] | None) -> Iterator[FunctionType]:
        """The methods of a class that are not a framework's own; of a viewset only those
        that the route at hand may use."""
        for base in cls.__mro__:
            if not self._follows_module(base.__module__):
                continue
            for name, value in base.__dict__.items():
                routed = name in _ROUTED or own_attribute(value, "mapping") is not None
                if actions is None or name in actions or not routed:
                    yield from (each for each in functions_of(value) if self._follows(each))

    def _names_event_stream(self, cls: type | None) -> bool:
        """Whether the body of a class, or of a base that is followed, has the content type."""
        return cls is not None and any(
            _says_event_stream(value)
            or any(_mentions(each.__code__)[1] for each in functions_of(value))
            for base in cls.__mro__
            if self._follows_module(base.__module__)
            for value in base.__dict__.values()
        )

    def _follows(self, function: FunctionType) -> bool:
        return self._follows_module(str(function.__globals__.get("__name__", "")))

    def _follows_module(self, name: str) -> bool:
        """Whether the code of a module is read: the project's own, and that of distributions
        which know streaming responses. The rest could only cost time."""
        found = self._followed.get(name)
        if found is None:
            package = top_package(name)
            if package in _FRAMEWORKS or is_stdlib(name):
                found = False
            else:
                path = getattr(sys.modules.get(name), "__file__", None)
                found = package in self._packages or not isinstance(path, str) or is_own(path)
            self._followed[name] = found
        return found


def _streaming_classes() -> Iterator[type]:
    """StreamingHttpResponse and every subclass that is loaded. A FileResponse does not count:
    its iterator is a file, which servers send as they see fit."""
    pending: list[type] = [StreamingHttpResponse]
    while pending:
        cls = pending.pop()
        if not issubclass(cls, FileResponse):
            yield cls
            pending += cls.__subclasses__()


def _streaming_packages(classes: frozenset[type]) -> frozenset[str]:
    """The packages with a loaded module that has a streaming class among its names."""
    # By identity: a module's values may be anything, and there are tens of thousands of them.
    wanted = {id(cls) for cls in classes}
    return frozenset(
        top_package(name)
        for name, module in list(sys.modules.items())
        if is_a(module, ModuleType) and not wanted.isdisjoint(map(id, list(vars(module).values())))
    )


@cache
def _mentions(code: CodeType) -> tuple[frozenset[str], bool]:
    """The names that a function and those defined in it load, and whether one of their
    constants is the event stream's content type."""
    names, event_stream = set(code.co_names) | set(code.co_freevars), False
    for value in code.co_consts:
        if isinstance(value, CodeType):
            inner, inner_event_stream = _mentions(value)
            names |= inner
            event_stream = event_stream or inner_event_stream
        else:
            event_stream = event_stream or _says_event_stream(value)
    return frozenset(names), event_stream


def _says_event_stream(value: object) -> bool:
    if type(value) is str:
        return EVENT_STREAM in value.lower()
    if type(value) is tuple:
        return any(_says_event_stream(each) for each in value)
    return type(value) is dict and any(_says_event_stream(each) for each in value.values())


def _merge(results: list[Streaming]) -> Streaming:
    kinds = [each.iterator for each in results if each.iterator]
    iterator = next((kind for kind in ("async", "sync", "unknown") if kind in kinds), None)
    return Streaming(iterator, any(each.event_stream for each in results))
