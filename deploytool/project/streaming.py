"""Whether a view streams its response, read from its code without running it.

Nearly every view of a project is an ordinary one, so this works in two steps: code objects
tell cheaply whether a view, or a helper that it calls, mentions a streaming response class
at all; only then is source parsed, in ``iterators.py``, to see what it iterates over.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Literal, NamedTuple

from django.http import FileResponse, StreamingHttpResponse

from deploytool.project.callbacks import Callback, unwrap
from deploytool.project.definitions import cells, class_attribute, is_stdlib, top_package
from deploytool.project.iterators import Iterators
from deploytool.project.scopes import functions_of, local_module

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

EVENT_STREAM = "text/event-stream"
# Calls followed from a view: view -> helper -> helper -> helper.
DEPTH = 3
# Frameworks whose own code is not followed: it streams only what it is given.
_FRAMEWORKS = frozenset({"django", "asgiref", "rest_framework", "ninja"})
# The viewset methods that a router maps; the others are hooks that any route may use.
_ROUTED = frozenset({"list", "create", "retrieve", "update", "partial_update", "destroy"})


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
        self._links: dict[_Step, _Links] = {}
        self._iterators = Iterators(self._classes, _is_followed, DEPTH)

    def read(self, callback: Callback) -> Streaming:
        """How the view behind ``callback`` streams."""
        if callback.operations:
            return _merge([self._operation(operation) for operation in callback.operations])
        owner = None
        steps = [_Step(layer, None) for layer in callback.layers if _is_followed(layer)]
        subject = callback.subject
        if isinstance(subject, MethodType):
            instance = subject.__self__
            owner = instance if isinstance(instance, type) else type(instance)
            subject = subject.__func__
        elif not isinstance(subject, FunctionType):
            owner = subject if isinstance(subject, type) else type(subject)
            steps += [_Step(each, owner) for each in _methods(owner, callback.actions)]
        if isinstance(subject, FunctionType) and _is_followed(subject):
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
        links: dict[_Step, _Links] = {}
        edge = starts
        for _ in range(DEPTH + 1):
            fresh = [step for step in dict.fromkeys(edge) if step not in links]
            links.update((step, self._of(step)) for step in fresh)
            edge = [step for each in fresh for step in links[each].follows]
        if not any(each.creates for each in links.values()):
            return Streaming()
        created = (self._iterators.created(each.function, each.owner) for each in starts)
        kinds = frozenset[str]().union(*created)
        if not kinds:
            return Streaming()  # mentioned, as in isinstance(), but never created
        iterator = next(kind for kind in ("async", "sync", "unknown") if kind in kinds)
        event_stream = any(each.event_stream for each in links.values()) or _names_event_stream(
            owner
        )
        return Streaming(iterator, event_stream)

    def _of(self, step: _Step) -> _Links:
        found = self._links.get(step)
        if found is None:
            found = self._links[step] = self._look(step)
        return found

    def _look(self, step: _Step) -> _Links:
        names, event_stream = _mentions(step.function.__code__)
        creates = False
        follows: list[_Step] = []
        named = step.function.__kwdefaults__ or {}
        defaults = [*(step.function.__defaults__ or ()), *named.values()]
        event_stream = event_stream or any(_says_event_stream(value) for value in defaults)
        for value, owner in self._values(step, names):
            target = value.func if type(value) is partial else value
            if isinstance(target, type) and target in self._classes:
                creates = True
                event_stream = event_stream or _names_event_stream(target)
            event_stream = event_stream or _says_event_stream(value)
            follows += [_Step(each, owner) for each in functions_of(value) if _is_followed(each)]
        # Imported in the function itself, or reached through something unknown.
        unknown = names - step.function.__globals__.keys()
        creates = creates or not self._names.isdisjoint(unknown)
        return _Links(creates, event_stream, tuple(follows))

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
            yield from _attributes(value, names)
        if step.owner is not None:
            for name in names:
                yield class_attribute(step.owner, name), step.owner


def _attributes(value: object, names: Iterable[str]) -> Iterator[tuple[object, type | None]]:
    # type() and not isinstance(), which would wake a lazy object up.
    if issubclass(type(value), ModuleType):
        for name in names:
            yield vars(value).get(name), None
        return
    if issubclass(type(value), FunctionType | MethodType):
        return
    cls = value if isinstance(value, type) else type(value)
    if cls.__module__ == "builtins" or not _is_followed_module(cls.__module__):
        return
    for name in (*names, "__call__"):
        yield class_attribute(cls, name), cls


def _streaming_classes() -> Iterator[type]:
    """StreamingHttpResponse and every subclass that is loaded. A FileResponse does not count:
    its iterator is a file, which servers send as they see fit."""
    pending: list[type] = [StreamingHttpResponse]
    while pending:
        cls = pending.pop()
        if not issubclass(cls, FileResponse):
            yield cls
            pending += cls.__subclasses__()


def _methods(cls: type, actions: frozenset[str] | None) -> Iterator[FunctionType]:
    """The methods of a class that are not a framework's own; of a viewset only those
    that the route at hand may use."""
    for base in cls.__mro__:
        if _is_followed_module(base.__module__):
            for name, value in base.__dict__.items():
                other = name in _ROUTED or hasattr(value, "mapping")
                if actions is None or name in actions or not other:
                    yield from (each for each in functions_of(value) if _is_followed(each))


def _is_followed(function: FunctionType) -> bool:
    return _is_followed_module(str(function.__globals__.get("__name__", "")))


@cache
def _is_followed_module(name: str) -> bool:
    return top_package(name) not in _FRAMEWORKS and not is_stdlib(name)


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


@cache
def _names_event_stream(cls: type | None) -> bool:
    """Whether the body of a class, or of a base that is not a framework's, has the content type."""
    return cls is not None and any(
        _says_event_stream(value)
        or any(_mentions(each.__code__)[1] for each in functions_of(value))
        for base in cls.__mro__
        if _is_followed_module(base.__module__)
        for value in base.__dict__.values()
    )


def _merge(results: list[Streaming]) -> Streaming:
    kinds = [each.iterator for each in results if each.iterator]
    iterator = next((kind for kind in ("async", "sync", "unknown") if kind in kinds), None)
    return Streaming(iterator, any(each.event_stream for each in results))
