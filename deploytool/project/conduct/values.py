"""What an expression stands for while code is read: live objects, and what only requests bring."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["plain", "sync", "async"]
"""A response with content, or one that streams from a synchronous or asynchronous iterator."""


class Value:
    """Something that an expression stands for."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False)
class Known(Value):
    """A live object: what a global name, a closure or an attribute of the middleware holds."""

    obj: Any

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Known):
            return False
        if self.obj is other.obj:
            return True
        return type(self.obj) is type(other.obj) and _is_plain(self.obj) and self.obj == other.obj

    def __hash__(self) -> int:
        return hash(self.obj) if _is_plain(self.obj) else id(self.obj)


def _is_plain(obj: object) -> bool:
    return obj is None or type(obj) in (bool, int, float, str, bytes)


@dataclass(frozen=True, slots=True)
class Unknown(Value):
    """Anything at all; ``derived`` where it was got from the request.

    ``truth`` is whether it is true, where an ``and`` or ``or`` ended with it.
    """

    derived: bool = False
    truth: bool | None = None


@dataclass(frozen=True, slots=True)
class Request(Value):
    """The request."""


@dataclass(frozen=True, slots=True)
class RequestPart(Value):
    """An attribute of the request, or something below it."""

    name: str


@dataclass(frozen=True, slots=True)
class Response(Value):
    """A response: the one from inside, or (``own``) one that the middleware makes."""

    kind: Kind = "plain"
    own: bool = False


@dataclass(frozen=True, slots=True)
class Headers(Value):
    """The headers of a response."""

    response: Response


@dataclass(frozen=True, slots=True)
class Stream(Value):
    """An iterator; ``of_response`` where it is the streaming content of the response inside."""

    kind: Literal["sync", "async"]
    of_response: bool = False


@dataclass(frozen=True, slots=True)
class Awaitable(Value):
    """A coroutine, or another object to be awaited, and what it then gives."""

    value: Value


@dataclass(frozen=True, slots=True)
class Many(Value):
    """A tuple or list written out, such as the arguments of ``*args``."""

    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Keywords(Value):
    """The arguments of ``**kwargs``."""

    items: tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class OneOf(Value):
    """One of several values, each under conditions."""

    options: tuple[tuple[Value, tuple[Condition, ...]], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Local(Value):
    """A function that is defined inside the code that is read, with the names it sees."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    state: State
    frame: Frame

    @property
    def is_coroutine_function(self) -> bool:
        """Whether a call of it makes a coroutine."""
        return isinstance(self.node, ast.AsyncFunctionDef) and not has_yield(self.node)


@dataclass(frozen=True, slots=True)
class Adapted(Value):
    """A function in asgiref's or functools' hands: ``to_async``, ``to_sync`` or ``partial``.

    ``function`` is None where it has yet to be given: ``sync_to_async(thread_sensitive=True)``.
    """

    way: Literal["to_async", "to_sync", "partial", "same"]
    function: Value | None
    args: tuple[Value, ...] = ()
    keywords: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class Method(Value):
    """A method, by name, of something that is not a live object."""

    owner: Value
    name: str


@dataclass(frozen=True, slots=True)
class Super(Value):
    """``super()``: the classes of ``owner`` after ``after``."""

    owner: Any
    after: type


@dataclass(frozen=True, slots=True)
class ThreadState(Value):
    """Something that is kept in a ``threading.local``."""

    owner: str


@dataclass(frozen=True, slots=True)
class ThreadIdentity(Value):
    """What tells one thread from another: ``threading.get_ident()`` and the like."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A test that cannot be decided, on the way to something.

    ``about`` is what it asks for: ``mode`` (asynchronous or not), ``type`` (the type of the
    content), ``path`` (of the request), ``exception`` (what is done after one), ``end`` (that
    the function ends without a return), ``other``.
    """

    text: str
    about: Literal["mode", "type", "path", "exception", "end", "other"] = "other"


@dataclass(slots=True)
class State:
    """The local names on one way through a function, and what was decided on the way."""

    names: dict[str, Value] = field(default_factory=dict)
    attributes: dict[tuple[int, str], Value] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()

    def copy(self) -> State:
        """The same, to go another way with."""
        return State(dict(self.names), dict(self.attributes), self.conditions)

    def under(self, *conditions: Condition) -> State:
        """The same, where ``conditions`` are met as well."""
        made = self.copy()
        made.conditions += tuple(each for each in conditions if each not in self.conditions)
        return made

    def is_like(self, other: State) -> bool:
        """Whether nothing tells them apart but the conditions."""
        return self.names == other.names and self.attributes == other.attributes


@dataclass(slots=True, eq=False)
class Frame:
    """A call of a function: where its source is, its globals, and where it runs."""

    path: str
    offset: int
    namespace: dict[str, Any]
    on_loop: bool
    is_coroutine: bool
    owner: type | None = None
    subject: Any = None
    global_names: frozenset[str] = frozenset()

    def line(self, node: ast.AST) -> int:
        """The line of ``node`` in the file."""
        return int(getattr(node, "lineno", 1)) + self.offset


def options(value: Value) -> Iterator[tuple[Value, tuple[Condition, ...]]]:
    """The values that ``value`` may be, each with its conditions."""
    if isinstance(value, OneOf):
        for each, conditions in value.options:
            for inner, further in options(each):
                yield inner, conditions + further
    else:
        yield value, ()


def one_of(found: list[tuple[Value, tuple[Condition, ...]]]) -> Value:
    """One value for several."""
    flat = [
        (inner, conditions + further)
        for value, conditions in found
        for inner, further in options(value)
    ]
    if len({value for value, _ in flat}) == 1:
        return flat[0][0]
    return OneOf(tuple(flat[:_MOST])) if flat else Unknown()


_MOST = 24


def is_derived(value: Value) -> bool:
    """Whether ``value`` came from the request."""
    if isinstance(value, Request | RequestPart):
        return True
    if isinstance(value, Unknown):
        return value.derived
    if isinstance(value, Many):
        return any(map(is_derived, value.items))
    if isinstance(value, Local):
        names = (each.id for each in ast.walk(value.node) if isinstance(each, ast.Name))
        seen = (value.state.names.get(name, Unknown()) for name in names)
        return any(is_derived(each) for each in seen if not isinstance(each, Local))
    return isinstance(value, OneOf) and any(is_derived(each) for each, _ in value.options)


@cache
def has_yield(node: ast.AST) -> bool:
    """Whether a function is a generator, by its own body."""
    pending = list(ast.iter_child_nodes(node))
    while pending:
        each = pending.pop()
        if isinstance(each, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            pending += ast.iter_child_nodes(each)
    return False
