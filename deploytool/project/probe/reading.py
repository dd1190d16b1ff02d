"""The step of the walk through code that dispatches by itself: read, and resolved.

Where a function or class of the project's own looks at ``scope["type"]``, its source says
which types go where, and its namespace what is there.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from .consumers import Place, consumer_of, function_route
from .dispatch import Reader, parameters
from .guess import guess
from .inner import PROTOCOLS, held
from .resolve import SUPER, UNKNOWN, Frame, resolve
from .signature import descends, dotted, function_of, interface_of, is_application
from .text import definition, is_project, parsed
from .way import ROUTERS

if TYPE_CHECKING:
    from types import FunctionType

    from .chain import Walk
    from .dispatch import Answer
    from .way import Way

_DEPTH = 30


def read(walk: Walk, app: Any, function: FunctionType, way: Way) -> set[str] | None:
    """What the source of ``function``, which runs when ``app`` is called, answers.

    None where there is no source of the project's own to read.
    """
    node = definition(function) if is_project(function.__code__.co_filename) else None
    # A partial's arguments are given already, and ASGI 2 gives the scope alone
    if node is None or isinstance(app, functools.partial) or interface_of(app) == "asgi2":
        return None
    bound = inspect.ismethod(app) or not inspect.isroutine(app)
    instance = getattr(app, "__self__", app) if bound else None
    return _answers(
        walk, app, Frame(function, instance, Reader(node, parameters(node, bound=bound))), way
    )


def _answers(walk: Walk, app: Any, frame: Frame, way: Way) -> set[str]:
    answered: set[str] = set()
    missing: set[str] = set()
    for answer in frame.reader.answers:
        types = way.types & answer.types
        if not types:
            continue
        if types < way.types:
            walk.found.guessed = True
        below = _answer(walk, answer, frame, way.only(types))
        if below is None:
            missing |= types
        else:
            answered |= below
    missing -= answered
    if missing:
        answered |= _unknown(walk, app, frame, way.only(missing))
    return answered


def _unknown(walk: Walk, app: Any, frame: Frame, way: Way) -> set[str]:
    """The types that go to something that the source does not tell."""
    inside = held(app)
    # A method holds its own instance, which the way has come through
    plain = tuple(each for each in inside.plain if each is not frame.instance)
    inside = inside._replace(plain=plain)
    answered = walk.inside(app, inside, way) if inside else set()
    missing = way.types - answered
    if not inside or "http" in missing:
        walk.found.opaque = True
        if "http" in missing:
            walk.found.http_way(way.wrappers)
    # What the source names, or what something else chose it for, it answers somehow
    named = missing & frame.reader.explicit
    if way.chosen and len(way.types) == 1:
        named = missing
    if named:
        walk.found.guessed = True
    if "websocket" in named:
        walk.found.add_route(
            function_route(frame.function, Place(way.prefix, None, way.around[:-1]))
        )
    return answered | named


def _answer(walk: Walk, answer: Answer, frame: Frame, way: Way) -> set[str] | None:
    """The types that one answer answers; None where what it calls is not known."""
    if answer.target is None:
        return _sent(walk, answer, frame, way)
    value = resolve(answer.target, frame)
    if value is SUPER:
        return _super(walk, frame.instance, way)
    if value is UNKNOWN or value is None:
        return None
    if answer.keyed and isinstance(value, dict):
        return walk.by_protocol(value, way)
    if is_application(value) or consumer_of(value) or (callable(value) and held(value)):
        if len(answer.call.args) == 3:
            walk.called_as_asgi(value)
        chosen = way.chosen or way.types < frozenset(PROTOCOLS) or bool(answer.path)
        return walk.visit(value, way.to(answer.path, chosen=chosen))
    return _helper(walk, answer, value, frame, way)


def _sent(walk: Walk, answer: Answer, frame: Frame, way: Way) -> set[str]:
    """The function sends the answer itself."""
    walk.found.guessed = True
    if "http" in way.types:
        walk.found.http_way(way.wrappers)
    if "websocket" in way.types:
        # The branch, where the function answers other types too; else the whole function
        line = answer.line if "websocket" in frame.reader.explicit else None
        walk.found.add_route(
            function_route(frame.function, Place(way.prefix, None, way.around[:-1], line))
        )
    return set(way.types)


def _super(walk: Walk, app: Any, way: Way) -> set[str]:
    """A method of the superclass is called: what the class inherits answers."""
    if descends(app, "django.core.handlers.base.BaseHandler"):
        return set(way.types & {"http"})
    if descends(app, *ROUTERS):
        return set()  # its routes have been walked
    inside = held(app)
    return walk.inside(app, inside, way) if inside else set()


def _helper(walk: Walk, answer: Answer, value: Any, frame: Frame, way: Way) -> set[str] | None:
    """A function of the project's that is given the connection in its own way."""
    function = function_of(value)
    if isinstance(value, type) or function is None or function is frame.function:
        return None
    node = definition(function) if is_project(function.__code__.co_filename) else None
    if node is None or len(way.wrappers) > _DEPTH:
        return None
    bound = inspect.ismethod(value)
    named = [arg.arg for arg in [*node.args.posonlyargs, *node.args.args]][int(bound) :]
    given = [getattr(arg, "id", None) for arg in answer.call.args]
    mapped = {old: new for old, new in zip(given, named, strict=False) if old}
    names = frame.reader.names
    inner = type(names)(*(mapped.get(name or "") for name in names))
    below = Frame(function, value.__self__ if bound else None, Reader(node, inner))
    return _answers(walk, value, below, way.through(dotted(value)))


def source_guess(app: Any, role: str) -> set[str]:
    """Protocols that the text of an opaque application's own module shows."""
    function = function_of(app)
    if function is None or not is_project(function.__code__.co_filename):
        return set()
    tree = parsed(function.__code__.co_filename)
    if tree is None:
        return set()
    guessed = guess(tree, function.__name__)
    # Over WSGI only Socket.IO brings more than HTTP
    return set(guessed.protocols) if role == "asgi" or guessed.socketio else {"http"}
