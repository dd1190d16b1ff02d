"""From what the probe of an entry point wrote down of its process to the facts of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings

from deploytool.project.facts import Background, EarlyConnection, Location, Started
from deploytool.project.probe.aftermath import digest
from deploytool.project.probing import own_places
from deploytool.project.source import locate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
    )


def own_secret(salt: str) -> str | None:
    """The digest of SECRET_KEY in this process; None where it has none."""
    try:
        return digest(settings.SECRET_KEY, salt)
    except Exception:  # ImproperlyConfigured, or a value of the project's that cannot be read
        return None


def background_facts(raw: Iterable[dict[str, Any]], base_dir: str) -> tuple[Background, ...]:
    """What goes on by itself, each once however many threads do the same."""
    found = (
        Background(
            each["kind"],
            each["runs"],
            _location((each["file"], each["line"]), base_dir) if each["file"] else None,
            _innermost(each["started"], base_dir),
            _location(each["at"], base_dir),
            each["waiting"],
        )
        for each in raw
    )
    return tuple(dict.fromkeys(found))


def _location(frame: Sequence[Any] | None, base_dir: str) -> Location | None:
    return locate(frame[0], frame[1], base_dir) if frame else None


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
