"""The bodies of streaming views: which generators make them, and whether these ever end."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import itertools
import re
from dataclasses import dataclass
from types import CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING

from django.http import FileResponse, StreamingHttpResponse

from deploytool.project.coroutines.facts import Body, Stream
from deploytool.project.coroutines.frames import Frame, is_generator, own_nodes, runs, scope_of
from deploytool.project.coroutines.roots import innermost
from deploytool.project.coroutines.values import Called, Inner, Live
from deploytool.project.definitions import is_a, is_own
from deploytool.project.source import locate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.project.callbacks import Callback
    from deploytool.project.coroutines.reading import Reader
    from deploytool.project.facts import Location, View

_DEPTH = 3
_COLLECTIONS = (ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.Constant, ast.JoinedStr)
# Content types that browsers and programs store or show whole.
_FILES = re.compile(
    r"(text/(csv|calendar|vcard|tab-separated-values)|application/(zip|gzip|pdf|octet-stream|"
    r"x-tar|vnd\.)|image/|video/|audio/|attachment)"
)
_LOOPS = (ast.While, ast.For, ast.AsyncFor)
_WAYS_OUT = (ast.Return, ast.Raise)


@dataclass(frozen=True, eq=False, slots=True)
class Source:
    """A generator function that a stream is made of."""

    frame: Frame
    name: str

    @property
    def is_async(self) -> bool:
        """Whether it is an async generator."""
        return isinstance(self.frame.node, ast.AsyncFunctionDef)


def stream(
    view: View, callback: Callback, reader: Reader, base_dir: str
) -> tuple[Stream, list[Source]]:
    """The facts of a view that streams, and the generators of its body."""
    functions = list(_functions(callback))
    sources: list[Source] = []
    collection = False
    for function, owner in functions:
        scope = scope_of(function, owner)
        if scope.node is None:
            continue
        frame = Frame(scope, scope.node)
        if is_generator(scope.node):
            sources.append(Source(frame, function.__qualname__))
        sources += _sources(frame, _DEPTH)
        collection = collection or _gives_collection(frame)
    constants = [text for function, _ in functions for text in _texts(function.__code__)]
    kind = view.streaming or "unknown"
    matching = [
        each for each in _once(sources) if kind == "unknown" or each.is_async == (kind == "async")
    ]
    facts = Stream(
        view.route,
        view.view,
        kind,
        view.event_stream,
        view.location,
        tuple(_body(each, reader, base_dir) for each in matching),
        collection and not matching,
        any(_FILES.match(text) or text == "content-disposition" for text in constants),
        "content-encoding" in constants,
    )
    return facts, matching


def _functions(callback: Callback) -> Iterator[tuple[FunctionType, type | None]]:
    """The project's functions that may make the response."""
    subjects = [callback.subject, *(getattr(op, "view_func", None) for op in callback.operations)]
    for layer in callback.layers:
        if is_own(layer.__code__.co_filename):
            yield layer, None
    for given in subjects:
        owner, subject = None, given
        if is_a(subject, MethodType):
            instance = subject.__self__
            owner = instance if isinstance(instance, type) else type(instance)
            subject = subject.__func__
        if is_a(subject, FunctionType):
            function = innermost(subject)
            if function is not None and is_own(function.__code__.co_filename):
                yield function, owner
            continue
        cls = subject if is_a(subject, type) else type(subject)
        for base in cls.__mro__:
            for value in base.__dict__.values():
                function = innermost(value)
                if function is not None and is_own(function.__code__.co_filename):
                    yield function, cls


def _sources(frame: Frame, depth: int) -> list[Source]:
    """The generators that are made in a function, or in those that it calls."""
    found: list[Source] = []
    for node in frame.scope.body:
        if isinstance(node, ast.Call):
            found += _made_by(frame, node, depth)
    return found


def _made_by(frame: Frame, node: ast.Call, depth: int) -> Iterator[Source]:
    callee = frame.value(node.func)
    target: Called | None = callee if is_a(callee, Called) else None
    if is_a(callee, Inner) and is_generator(callee.node):
        yield Source(Frame(frame.scope, callee.node), getattr(callee.node, "name", "<lambda>"))
    elif is_a(callee, Live) and is_a(callee.value, FunctionType):
        target = Called(callee.value)
    elif is_a(callee, Live) and is_a(callee.value, type):
        yield from _iterator(callee.value)
    function = runs(target.function) if target is not None else None
    inside = frame.inside(target, function, node) if function and target else None
    if function is None or inside is None:
        return
    inside.returns = _DEPTH
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        yield Source(inside, function.__qualname__)
    if depth:
        yield from _sources(inside, depth - 1)


def _iterator(cls: type) -> Iterator[Source]:
    """The generator methods of an iterable class of the project's."""
    for name in ("__aiter__", "__iter__"):
        for base in cls.__mro__:
            function = base.__dict__.get(name)
            if is_a(function, FunctionType) and is_own(function.__code__.co_filename):
                scope = scope_of(function, cls)
                if scope.node is not None and is_generator(scope.node):
                    yield Source(Frame(scope, scope.node), function.__qualname__)
                break


def _once(sources: list[Source]) -> list[Source]:
    return list({id(each.frame.node): each for each in sources}.values())


def _gives_collection(frame: Frame) -> bool:
    for node in frame.scope.body:
        if isinstance(node, ast.Call):
            callee = frame.value(node.func)
            made = callee.value if is_a(callee, Live) else None
            if is_a(made, type) and issubclass(made, StreamingHttpResponse):
                content = node.args[0] if node.args else None
                sources = [content] if content is not None else []
                if content is not None:
                    sources = frame.scope.sources(content) or sources
                if any(isinstance(each, _COLLECTIONS) for each in sources):
                    return True
    return False


def _texts(code: CodeType) -> Iterator[str]:
    """The strings in a function and in those within it, in lower case."""
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield from _texts(value)
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, str):
                yield each.lower()


def _body(source: Source, reader: Reader, base_dir: str) -> Body:
    uses = () if source.is_async else reader.frame(source.frame)
    waits = any(use.kind == "wait" for use in uses)
    orm = next((use.code for use in uses if use.kind == "orm"), "")
    return Body(
        source.name,
        "async" if source.is_async else "sync",
        is_endless(source.frame),
        place(source.frame, source.frame.node, base_dir),
        waits,
        orm,
    )


def place(frame: Frame, node: ast.AST, base_dir: str) -> Location:
    """Where ``node`` is written."""
    return locate(frame.scope.function.__code__.co_filename, frame.line(node), base_dir)


def is_endless(frame: Frame) -> bool:
    """Whether a generator yields for ever: a loop without a condition and without a way out."""
    return any(
        _has_no_condition(node, frame) and _yields(node) and not _leaves(node, frame)
        for node in own_nodes(frame.node.body)
        if isinstance(node, _LOOPS)
    )


def _has_no_condition(loop: ast.While | ast.For | ast.AsyncFor, frame: Frame) -> bool:
    if isinstance(loop, ast.While):
        return isinstance(loop.test, ast.Constant) and bool(loop.test.value)
    if not isinstance(loop.iter, ast.Call):
        return False
    callee = frame.value(loop.iter.func)
    made = callee.value if is_a(callee, Live) else None
    if made is itertools.repeat:
        return len(loop.iter.args) == 1 and not loop.iter.keywords
    return made is itertools.count or made is itertools.cycle


def _yields(loop: ast.While | ast.For | ast.AsyncFor) -> bool:
    return any(isinstance(each, ast.Yield | ast.YieldFrom) for each in own_nodes(loop.body))


def _leaves(loop: ast.While | ast.For | ast.AsyncFor, frame: Frame) -> bool:
    """Whether something in a loop ends it, other than the client going away."""
    pending: list[tuple[ast.AST, bool]] = [(each, True) for each in loop.body]
    while pending:
        node, breaks = pending.pop()
        if isinstance(node, _WAYS_OUT) or (isinstance(node, ast.Break) and breaks):
            return True
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(node, ast.ExceptHandler) and any(
            _catches(node.type, frame, error) for error in (GeneratorExit, asyncio.CancelledError)
        ):
            continue  # where the client leaves
        # next() of something that ends raises StopIteration, which ends a generator's loop
        # with RuntimeError: no orderly way, but a way out.
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "next"
        ):
            return True
        inner = breaks and not isinstance(node, _LOOPS)
        pending += [(child, inner) for child in ast.iter_child_nodes(node)]
    return False


def swallowed(frame: Frame) -> Iterator[tuple[ast.AST, str]]:
    """Where a coroutine goes on after it has been cancelled, and what catches that.

    A handler outside of any loop, or one that leaves it, only ends the coroutine.
    """
    for loop in own_nodes(frame.node.body):
        if isinstance(loop, _LOOPS):
            for node in own_nodes(loop.body):
                if isinstance(node, ast.Try | ast.TryStar) and _waits(node.body):
                    yield from _caught(node, frame)
                elif isinstance(node, ast.With) and _waits(node.body):
                    yield from _suppressed(node, frame)


def _caught(node: ast.Try | ast.TryStar, frame: Frame) -> Iterator[tuple[ast.AST, str]]:
    for handler in node.handlers:
        if _catches(handler.type, frame, asyncio.CancelledError):
            if not _ends(handler.body):
                name = ast.unparse(handler.type) if handler.type else ""
                yield handler, f"except {name}".strip()
            return


def _suppressed(node: ast.With, frame: Frame) -> Iterator[tuple[ast.AST, str]]:
    for item in node.items:
        call = item.context_expr
        if (
            isinstance(call, ast.Call)
            and _is(frame.value(call.func), contextlib.suppress)
            and any(_catches(each, frame, asyncio.CancelledError) for each in call.args)
        ):
            yield node, f"with {ast.unparse(call)}"


def _is(value: object, wanted: object) -> bool:
    return is_a(value, Live) and value.value is wanted


def _catches(node: ast.expr | None, frame: Frame, error: type[BaseException]) -> bool:
    if node is None:
        return True
    if isinstance(node, ast.Tuple):
        return any(_catches(each, frame, error) for each in node.elts)
    found = frame.value(node)
    caught = found.value if is_a(found, Live) else None
    return is_a(caught, type) and issubclass(error, caught)


def _waits(body: list[ast.stmt]) -> bool:
    waiting = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield)
    return any(isinstance(each, waiting) for each in own_nodes(body))


def _ends(body: list[ast.stmt]) -> bool:
    ways = (ast.Raise, ast.Return, ast.Break)
    return any(isinstance(each, ways) for each in own_nodes(body))


def file_response(callback: Callback) -> tuple[FunctionType, str] | None:
    """The function of a view that makes a FileResponse, and the class's name; None if none."""
    for function, _ in _functions(callback):
        for name in _names(function.__code__):
            found = function.__globals__.get(name)
            if is_a(found, type) and issubclass(found, FileResponse):
                return function, found.__qualname__
    return None


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield from _names(value)
