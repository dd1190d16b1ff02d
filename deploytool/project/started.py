"""From what the probe of an entry point wrote down of its process to the facts of it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from django.conf import settings

from deploytool.project.facts import Background, EarlyConnection, Started, UnmatchedRoute
from deploytool.project.probe.aftermath import digest
from deploytool.project.probe.background import background
from deploytool.project.probe.text import parsed
from deploytool.project.probing import own_places
from deploytool.project.source import locate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from deploytool.project.facts import Location

Frames = list[tuple[str, int | None]]


def started(raw: dict[str, Any], base_dir: str, secret: str | None) -> Started:
    """The facts of a process; ``raw`` is the probe's answer.

    ``secret`` is the digest of SECRET_KEY in this process, None where it cannot be compared.
    """
    left = raw["started"]
    there = left["secret"]
    return Started(
        debug=left["debug"],
        same_secret=None if secret is None or there is None else there == secret,
        background=background_facts(left["background"], base_dir),
        connections=tuple(_connection(each, base_dir) for each in left["connections"]),
        problem=raw["problem"],
        handler_interface=raw["handler_interface"],
        static_handler=raw["static_handler"],
        as_classes=tuple(dict.fromkeys(raw["as_classes"])),
        unmatched=tuple(dict.fromkeys(UnmatchedRoute(*each) for each in raw["unmatched"])),
    )


def own_secret(salt: str) -> str | None:
    """The digest of SECRET_KEY in this process; None where it has none."""
    try:
        return digest(settings.SECRET_KEY, salt)
    except Exception:  # ImproperlyConfigured, or a value of the project's that cannot be read
        return None


def running_here(base_dir: str) -> tuple[Background, ...]:
    """What goes on by itself in this process: the URLconf is loaded here, other than there."""
    return background_facts((running._asdict() for _, running in background({}, {})), base_dir)


def background_facts(raw: Iterable[dict[str, Any]], base_dir: str) -> tuple[Background, ...]:
    """What goes on by itself, each once however many threads do the same."""
    found = (
        Background(
            each["kind"],
            each["runs"],
            locate(each["file"], each["line"], base_dir) if each["file"] else None,
            _innermost(each["started"], base_dir),
            _repeats(each["at"]) if each["at"] else True,
            each["waiting"] or _is_given(each["at"]),
        )
        for each in raw
    )
    return tuple(dict.fromkeys(found))


def _at(frame: Sequence[Any]) -> Iterator[ast.AST]:
    """The statements and expressions that stand at the line of a frame."""
    tree = parsed(frame[0])
    for node in ast.walk(tree) if tree else ():
        first, last = getattr(node, "lineno", None), getattr(node, "end_lineno", None)
        if first is not None and first <= frame[1] <= (last or first):
            yield node


def _repeats(frame: Sequence[Any]) -> bool:
    """Whether the code that a thread is in stands in a loop that need not end."""
    return any(isinstance(node, ast.While) for node in _at(frame))


# Methods of queues, locks and pipes that wait without a limit where nothing is given.
_WAITS = frozenset({"get", "acquire", "recv", "wait", "join"})


def _is_given(frame: Sequence[Any] | None) -> bool:
    """Whether a thread is in a call that waits for what its process gives it, by its text.

    Such as that of a ``SimpleQueue``, which has no frame of its own.
    """
    return frame is not None and any(
        isinstance(node, ast.Call)
        and node.lineno == frame[1]
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _WAITS
        and not node.args
        and not node.keywords
        for node in _at(frame)
    )


def _connection(raw: dict[str, Any], base_dir: str) -> EarlyConnection:
    return EarlyConnection(
        raw["alias"],
        _innermost(raw["frames"], base_dir),
        raw["module"],
        raw["answered"],
        raw["kept"],
    )


def _innermost(frames: Frames, base_dir: str) -> Location | None:
    return next(iter(own_places(frames, base_dir)), None)
