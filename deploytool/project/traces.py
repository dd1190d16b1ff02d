"""Tracebacks as faulthandler writes them, when a process hangs or crashes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploytool.project.source import is_installed, locate

if TYPE_CHECKING:
    from deploytool.project.facts import Location


def own_frames(trace: str, base_dir: str) -> tuple[Location, ...]:
    """The frames of the main thread that are the project's own, outermost first."""
    return tuple(
        locate(path, line, base_dir) for path, line in frames(trace) if not is_installed(path)
    )


def frames(trace: str) -> list[tuple[str, int | None]]:
    """The frames of the main thread in a traceback of faulthandler, outermost first.

    Threads stand newest first, so that the main thread is the last.
    """
    thread = re.split(r"^(?:Current )?[Tt]hread .*$", trace, flags=re.MULTILINE)[-1]
    found = re.findall(r'^ {2}File "(.*)", line (\d+)', thread, flags=re.MULTILINE)
    return [(_unescaped(path), int(line)) for path, line in reversed(found)]


def _unescaped(path: str) -> str:
    r"""A path as it was before faulthandler wrote it in ASCII (``\xe9``, ``\u0151``)."""
    return re.sub(
        r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))",
        lambda match: chr(int(next(filter(None, match.groups())), 16)),
        path,
    )
