"""The only module that writes into a user's project.

Each file that it generates carries a marker with a digest of the rest, so that a file that
was changed since, or that somebody else wrote, is told from one that may be replaced. A
report is written where the user says, as it is.
"""

from __future__ import annotations

import difflib
import errno
import hashlib
import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from django.core.management.base import CommandError

if TYPE_CHECKING:
    from deploytool.artifacts.rendering import File

State = Literal["missing", "unchanged", "outdated", "edited", "foreign"]

_REASONS: dict[State, str] = {
    "foreign": "not written by deploytool",
    "edited": "changed since deploytool wrote it",
}

_MARKER = re.compile(
    r"(?m)^[^\w\n]*Written by deploytool \(manage\.py deployfiles [\w-]+\); "
    r"sha256:(?P<digest>[0-9a-f]{16})\b.*\n?"
)
# The marker is in the first line, or after a #! line.
_MARKER_LINES = 2


@dataclass(frozen=True, slots=True)
class Change:
    """A file as it should be, against what is there.

    ``state`` is ``missing``; ``unchanged`` where nothing has to be done; ``outdated`` where
    we wrote another content and nobody has touched it since; ``edited`` where we wrote it
    and somebody has; ``foreign`` where somebody else wrote it. ``target`` is the file that
    is written: where ``path`` is a symbolic link, what it points to.
    """

    path: Path
    target: Path
    state: State
    before: str
    after: str
    mode: int

    @property
    def reason(self) -> str | None:
        """Why it must not be replaced without asking; None where it may."""
        return _REASONS.get(self.state)

    def diff(self, name: str) -> str:
        """The unified diff from what is there to what should be, for the file ``name``."""
        lines = difflib.unified_diff(
            self.before.splitlines(keepends=True),
            self.after.splitlines(keepends=True),
            "/dev/null" if self.state == "missing" else f"a/{name}",
            f"b/{name}",
        )
        # As patch(1) wants it; difflib would let the line run into the next one.
        end = "\n\\ No newline at end of file\n"
        return "".join(line if line.endswith("\n") else line + end for line in lines)


def compare(base_dir: str | Path, file: File, artifact: str) -> Change:
    """What has to be done to have ``file``, a file of ``artifact``, below ``base_dir``.

    Raises CommandError for a path that leads out of ``base_dir``, and for something there
    that is not a readable text file in UTF-8.
    """
    path = Path(base_dir) / file.path
    base, target = os.path.realpath(base_dir), os.path.realpath(path)
    if not target.startswith(os.path.join(base, "")):
        raise CommandError(f"{path} leads out of the project ({target}): nothing is written there.")
    content = file.content.rstrip("\n") + "\n"
    after = _marked(content, file.comment, artifact)
    before = _content(Path(target))
    if before is None:
        return Change(path, Path(target), "missing", "", after, file.mode)
    return Change(path, Path(target), _state(before, content), before, after, file.mode)


def write(change: Change) -> None:
    """Make ``change``; nothing at all where it is ``unchanged``.

    The file is replaced in one step, so that nobody ever reads half of it; it keeps its
    permissions, and its owner where that is allowed. Raises CommandError, with the former
    file in its place, where the system does not let it be written.
    """
    if change.state == "unchanged":
        return
    try:
        change.target.parent.mkdir(parents=True, exist_ok=True)
        _replace(
            change.target, change.after.encode(), change.mode, exists=change.state != "missing"
        )
    except OSError as error:
        raise CommandError(
            f"{change.path} cannot be written: {error.strerror or error}."
        ) from error


def write_report(path: Path, text: str) -> None:
    """Write ``text`` to the file ``path`` that the user names, over whatever is there.

    Whole or not at all, and no directory is made. A device or a pipe is written to as it
    is. Raises CommandError where the system does not let it be written.
    """
    # A file's name that is not in UTF-8 may stand in a message: JSON reads such an escape too.
    data = text.encode(errors="backslashreplace")
    try:
        target = Path(os.path.realpath(path))
        if target.exists() and not target.is_file():
            with target.open("wb") as stream:  # raises for a directory
                stream.write(data)
        else:
            _replace(target, data, 0o666, exists=target.exists())
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = getattr(error, "strerror", None) or error
        raise CommandError(f"{path} cannot be written: {reason}.") from error


def _replace(target: Path, data: bytes, mode: int, *, exists: bool) -> None:
    """Put ``data`` into ``target`` in one step; OSError, and the former file, where that fails.

    ``mode`` is for a new file; one that ``exists`` keeps its own.
    """
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        if exists:
            if not os.access(target, os.W_OK):  # replacing it would succeed all the same
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
            mode = target.stat().st_mode & 0o7777
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if exists:
            _keep_attributes(target, temporary, mode)
        os.replace(temporary, target)
    finally:
        with suppress(OSError):
            temporary.unlink()


def shown(path: Path) -> str:
    """``path`` as a person would open it from here."""
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else str(path)


def _keep_attributes(target: Path, temporary: Path, mode: int) -> None:
    found = target.stat()
    if hasattr(os, "chown"):
        with suppress(PermissionError):
            os.chown(temporary, found.st_uid, found.st_gid)
    temporary.chmod(mode)


def _marked(content: str, comment: str, artifact: str) -> str:
    marker = (
        f"{comment} Written by deploytool (manage.py deployfiles {artifact}); "
        f"sha256:{_digest(content)}\n"
    )
    if content.startswith("#!"):
        first, _, rest = content.partition("\n")
        return f"{first}\n{marker}{rest}"
    return marker + content


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _content(path: Path) -> str | None:
    """The text of a file with its line ends as ``\\n``, None where there is no file."""
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise CommandError(
            f"{path} is there already and is not text in UTF-8: it is left alone. "
            "Move it out of the way, and run this command again."
        ) from error
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror or error}.") from error
    # A checkout may have converted the line ends: that is no change.
    return text.replace("\r\n", "\n")


def _state(before: str, content: str) -> State:
    """How what is there compares with ``content``, the file without its marker."""
    head = "".join(before.splitlines(keepends=True)[:_MARKER_LINES])
    marker = _MARKER.search(head)
    rest = before[: marker.start()] + before[marker.end() :] if marker else before
    if rest == content:
        return "unchanged"
    if marker is None:
        return "foreign"
    return "outdated" if marker["digest"] == _digest(rest) else "edited"
