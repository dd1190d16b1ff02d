"""What an expression in a coroutine stands for, as far as it can be told without running it.

Live objects are told apart by what they are, never by how they are spelt. An expression
that may be several things, or that cannot be followed, is None: nothing is said of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from django.contrib.sessions.backends.base import SessionBase
from django.db.models import Manager, Model, QuerySet
from django.db.models.fields.related_descriptors import (
    ForwardManyToOneDescriptor,
    ManyToManyDescriptor,
    ReverseManyToOneDescriptor,
    ReverseOneToOneDescriptor,
)
from django.db.models.manager import BaseManager, ManagerDescriptor

from deploytool.project.definitions import class_attribute, is_a, own_attribute

if TYPE_CHECKING:
    from types import FunctionType

    from deploytool.project.definitions import FunctionNode


@dataclass(frozen=True, eq=False, slots=True)
class Live:
    """An object of this process."""

    value: object


@dataclass(frozen=True, slots=True)
class Query:
    """A manager or a QuerySet. Neither asks the database before it is evaluated.

    ``joined`` are the relations that its rows bring along, None where that is not known;
    ``empty`` what ``none()`` gave, which never asks; ``locks`` after ``select_for_update()``;
    ``rows`` whether it yields instances of ``model`` rather than dicts or tuples; ``cls`` its
    own class.
    """

    model: type | None
    manager: bool = False
    related: bool = False
    joined: frozenset[str] | None = frozenset()
    empty: bool = False
    locks: bool = False
    rows: bool = True
    cls: type | None = None

    @property
    def owner(self) -> type:
        """The class of the manager or QuerySet itself."""
        return self.cls or (Manager if self.manager else QuerySet)


@dataclass(frozen=True, slots=True)
class Row:
    """An instance of a model; ``joined`` as Query has it."""

    model: type
    joined: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """The request of a Django view or middleware."""


@dataclass(frozen=True, slots=True)
class User:
    """``request.user``: lazy, as AuthenticationMiddleware makes it."""


@dataclass(frozen=True, slots=True)
class Session:
    """``request.session``."""


@dataclass(frozen=True, slots=True)
class Made:
    """Some instance of a class; ``after`` is the class that ``super()`` starts behind."""

    cls: type
    after: type | None = None

    def attribute(self, name: str) -> object:
        """What its class has under ``name``, unbound, None if nothing."""
        mro = self.cls.__mro__
        start = mro.index(self.after) + 1 if self.after in mro else 0
        return next((base.__dict__[name] for base in mro[start:] if name in base.__dict__), None)


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a value, by name."""

    of: Query | Row | Session | Made
    name: str


@dataclass(frozen=True, slots=True)
class Called:
    """A function of which the source can be read, with what its first parameter is."""

    function: FunctionType
    first: object = None
    owner: type | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Inner:
    """A function that is defined inside the one at hand."""

    node: FunctionNode


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A callable that runs in a thread when it is called: ``sync_to_async(f)``."""


@dataclass(frozen=True, slots=True)
class Looping:
    """A callable that wants to run an event loop: ``async_to_sync(f)``."""


@dataclass(frozen=True, slots=True)
class Client:
    """A service's client, or something below it; ``instead`` is what to use in its place."""

    instead: str


@dataclass(frozen=True, slots=True)
class Pending:
    """A coroutine, and what awaiting it gives."""

    result: object = None


# Methods of a QuerySet that only describe another one (Django's documentation, "Methods that
# return new QuerySets").
_DESCRIBE = frozenset(
    [
        "filter",
        "exclude",
        "annotate",
        "alias",
        "order_by",
        "reverse",
        "distinct",
        "values",
        "values_list",
        "dates",
        "datetimes",
        "none",
        "all",
        "union",
        "intersection",
        "difference",
        "select_related",
        "prefetch_related",
        "extra",
        "defer",
        "only",
        "using",
        "select_for_update",
        "raw",
        "complex_filter",
        "iterator",
    ]
)
_PLAIN_ROWS = frozenset({"values", "values_list", "dates", "datetimes"})
_ONE_ROW = frozenset({"get", "first", "last", "earliest", "latest", "create"})


def asks(owner: type, name: str) -> bool:
    """Whether Django has ``name`` of ``owner`` in two forms, of which this is the sync one.

    Those that ask the database or the session store, and only those, have a second one with
    an ``a`` before it (Django's documentation, "Asynchronous support").
    """
    found = class_attribute(owner, f"a{name}")
    return callable(found) and name != "iterator"


def query_call(query: Query, name: str, arguments: list[object]) -> object:
    """What calling the method ``name`` of a QuerySet or manager gives."""
    if name in _DESCRIBE:
        return _described(query, name, arguments)
    if name.startswith("a") and asks(QuerySet, name[1:]):
        row = name[1:] in _ONE_ROW and query.rows and query.model
        joined = None if name == "acreate" else query.joined
        return Pending(Row(query.model, joined) if row and query.model else None)
    if name == "aiterator":
        return replace(query, manager=False)
    if name in _ONE_ROW and query.rows and query.model is not None:
        return Row(query.model, None if name == "create" else query.joined)
    return None


def _described(query: Query, name: str, arguments: list[object]) -> Query:
    cls = query.cls
    if query.manager and cls is not None:
        cls = getattr(cls, "_queryset_class", None)
    found = replace(query, manager=False, related=False, cls=cls)
    if name == "none":
        return replace(found, empty=True)
    if name == "select_for_update":
        return replace(found, locks=True)
    if name in _PLAIN_ROWS:
        return replace(found, rows=False)
    if name in {"select_related", "prefetch_related"}:
        names = [each.value for each in arguments if is_a(each, Live)]
        if not names or len(names) != len(arguments) or found.joined is None:
            return replace(found, joined=None)
        return replace(
            found, joined=found.joined | {str(each).partition("__")[0] for each in names}
        )
    return found


def model_attribute(model: type, name: str, joined: frozenset[str] | None) -> object:
    """What an attribute of a row is: a related row, the manager of related rows, or None."""
    found = class_attribute(model, name)
    if is_a(found, ReverseManyToOneDescriptor):  # ManyToManyDescriptor is one as well
        related = found.rel.related_model
        if is_a(found, ManyToManyDescriptor) and not found.reverse:
            related = found.rel.model
        if joined is not None and name in joined:
            return None  # prefetched: evaluating it asks nothing
        # Its rows know the row that they were reached from.
        return Query(related, manager=True, related=True, joined=None)
    if is_a(found, ForwardManyToOneDescriptor):
        return Row(found.field.remote_field.model)
    if is_a(found, ReverseOneToOneDescriptor):
        return Row(found.related.related_model)
    return None


def fetches(row: Row, name: str) -> bool:
    """Whether reading an attribute of ``row`` asks the database for the related row."""
    found = class_attribute(row.model, name)
    one = is_a(found, ForwardManyToOneDescriptor) or is_a(found, ReverseOneToOneDescriptor)
    if is_a(found, ForwardManyToOneDescriptor) and found.field.remote_field.parent_link:
        return False  # made from the row's own fields
    return one and row.joined is not None and name not in row.joined


def live(value: object) -> object:
    """The value that an object of this process is."""
    if value is None:
        return None
    if is_a(value, ManagerDescriptor):
        return live(own_attribute(value, "manager"))
    if is_a(value, BaseManager):
        cls = type(value)
        model = getattr(value, "model", None)
        return Query(model, manager=True, joined=_joined(cls), cls=cls)
    if is_a(value, QuerySet):
        return Query(value.model, joined=None, cls=type(value))
    return Live(value)


def made(cls: type) -> object:
    """The value that an instance of ``cls`` is."""
    if issubclass(cls, Model):
        return Row(cls)
    if issubclass(cls, BaseManager):
        return Query(None, manager=True, joined=None, cls=cls)
    if issubclass(cls, QuerySet):
        return Query(None, joined=None, cls=cls)
    if issubclass(cls, SessionBase):
        return Session()
    return Made(cls)


def _joined(manager: type) -> frozenset[str] | None:
    # A get_queryset() of its own may select related rows.
    own = class_attribute(manager, "get_queryset") is BaseManager.__dict__["get_queryset"]
    return frozenset() if own else None
