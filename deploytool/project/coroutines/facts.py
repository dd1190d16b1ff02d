"""The facts about the project's coroutines: plain, frozen data, as in ``project/facts.py``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from deploytool.project.facts import Location

RootKind = Literal["view", "middleware", "consumer", "stream"]

UseKind = Literal[
    "orm",  # evaluates a query, or reads or writes rows
    "transaction",  # enters or asks for a transaction
    "lock",  # evaluates select_for_update() without a transaction
    "user",  # makes request.user load the user
    "session",  # makes request.session load the session
    "template",  # renders a template with a QuerySet
    "wait",  # waits without giving the event loop back
    "mail",  # sends mail through the connection of the settings
    "loop",  # wants to run another event loop
    "unawaited",  # makes a coroutine and drops it
    "returned",  # a view returns a coroutine
    "handed over",  # gives ORM code to sync_to_async()
]


@dataclass(frozen=True, slots=True)
class OnLoop:
    """Something that a coroutine of the project does on the event loop.

    ``code`` is the expression as it is written, ``what`` what it stands for where that is
    something else, ``instead`` what does the same without harm. ``root`` is the view,
    middleware, consumer or stream that it is reached from (``others`` more reach it too) and
    ``via`` the functions on the way. ``handler`` is False for those parts of a view that
    only ASGI runs on the event loop: ``dispatch()`` and ``setup()`` of a class, and the async
    form of a middleware that has a sync one as well.
    """

    kind: UseKind
    code: str
    what: str
    instead: str
    location: Location | None
    root: str
    root_kind: RootKind
    via: tuple[str, ...] = ()
    others: int = 0
    handler: bool = True


@dataclass(frozen=True, slots=True)
class Swallowed:
    """An ``except`` that keeps a coroutine going after its cancellation."""

    caught: str
    location: Location | None
    root: str


@dataclass(frozen=True, slots=True)
class Body:
    """The generator function of a stream; ``endless`` where it has no way out.

    ``waits`` says whether a sync one waits between its parts; ``orm`` is the first
    expression in a sync one that asks the database, empty where none does.
    """

    name: str
    kind: Literal["sync", "async"]
    endless: bool
    location: Location | None
    waits: bool = False
    orm: str = ""


@dataclass(frozen=True, slots=True)
class Stream:
    """A route that streams, looked into: which generators make its body.

    ``bodies`` are those that the project wrote, as far as they can be found; ``collection``
    is True where the content is a list or another collection that is whole already;
    ``download`` where it is sent as a file; ``encoded`` where the view sets
    Content-Encoding itself.
    """

    route: str
    view: str
    kind: Literal["sync", "async", "unknown"]
    event_stream: bool
    location: Location | None
    bodies: tuple[Body, ...] = ()
    collection: bool = False
    download: bool = False
    encoded: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """A route whose view cannot work as it is wrapped.

    ``problem`` is ``unawaited`` where ``wrapper`` returns the coroutine of an async view
    although it is a sync function, ``touched`` where it looks at it as if it were the
    response, ``access`` where an async class has Django's sync access mixin.
    """

    route: str
    view: str
    problem: Literal["unawaited", "touched", "access"]
    wrapper: str
    location: Location | None


@dataclass(frozen=True, slots=True)
class FileDownload:
    """A view that makes a FileResponse."""

    view: str
    response: str
    location: Location | None


@dataclass(frozen=True, slots=True)
class AsyncCode:
    """Everything that is known of the project's coroutines and streams.

    ``looks_at_user`` and ``looks_at_session`` are the middleware, by their paths, whose code
    may load the user or the session; ``database_sessions`` says whether sessions are in the
    database, ``mail_waits`` whether sending mail talks to a server.
    """

    uses: tuple[OnLoop, ...] = ()
    routes: tuple[Route, ...] = ()
    streams: tuple[Stream, ...] = ()
    swallowed: tuple[Swallowed, ...] = ()
    downloads: tuple[FileDownload, ...] = ()
    looks_at_user: frozenset[str] = frozenset()
    looks_at_session: frozenset[str] = frozenset()
    database_sessions: bool = False
    mail_waits: bool = False


@dataclass(frozen=True, slots=True)
class Handed:
    """ORM code that a consumer hands to ``sync_to_async()``."""

    code: str
    location: Location | None


@dataclass(frozen=True, slots=True)
class Consumer:
    """What answers a WebSocket route, as its source shows it.

    ``keys`` are those of ``user``, ``session`` and ``cookies`` that it takes from its scope
    without asking whether they are there, each with the first line that does;
    ``reads_origin`` and ``reads_cookies`` say whether it looks at these headers itself.
    ``readable`` is False where its source is not at hand.
    """

    name: str
    keys: tuple[tuple[str, Location | None], ...] = ()
    reads_origin: bool = False
    reads_cookies: bool = False
    readable: bool = True
    handed: tuple[Handed, ...] = ()


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A class or function around a WebSocket route.

    ``origin`` says whether it checks the Origin header; ``gives`` which of ``user``,
    ``session`` and ``cookies`` it puts into the scope from what a browser sends by itself;
    ``needs`` which of them it takes from there, and fails without; ``known`` is False for
    one that cannot be looked into.
    """

    name: str
    origin: bool = False
    gives: frozenset[str] = frozenset()
    known: bool = True
    mentions: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
