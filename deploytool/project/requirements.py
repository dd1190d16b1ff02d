"""What the project says has to be installed: its requirements, its lock file, its images.

Only whether a distribution is among it: by its name in one of these files, or because one
that is named there requires it, by what is installed here. Versions are left to installers.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

from deploytool.project.stack.repository import DeployFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploytool.project.stack import Stack

# A name, and the extras behind it in brackets (PEP 508).
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_REQUIRED = re.compile(rf"({_NAME.pattern})\s*(?:\[([^\]]*)\])?")
_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)""")
_COMMENT = re.compile(r"(^|\s)#.*$", re.MULTILINE)
# pip's documentation, "Requirements File Format".
_INCLUDE = re.compile(r"^\s*(?:-r|--requirement)[ =]*(\S+)", re.MULTILINE)
# The packages of uv.lock, poetry.lock and pdm.lock, and those of Pipfile.lock. What one of
# them only may require is named elsewhere in these files.
_LOCKED = re.compile(r'^(?:name = "([^"]+)"|\s*"([^"]+)": \{)', re.MULTILINE)
_INSTRUCTION = re.compile(r"^\s*(?:RUN|FROM)\b.*$", re.MULTILINE | re.IGNORECASE)
# Other files that list requirements, beside those that are looked at for Django.
_OTHERS = ("setup.py", "setup.cfg", "environment.yml", "environment.yaml")


@dataclass(frozen=True, slots=True)
class Requirements:
    """What has to be installed.

    ``files`` are those that name Django, empty where none does. ``names`` is what stands in
    them, in what they include and in the images, with the extras of each; ``complete`` is
    False where an included file is not there.
    """

    files: tuple[DeployFile, ...]
    names: dict[str, frozenset[str]]
    complete: bool

    def include(self, distribution: str) -> bool:
        """Whether ``distribution`` is named, or required by one that is named."""
        wanted = canonical(distribution)
        waiting = list(self.names.items())
        seen: set[tuple[str, frozenset[str]]] = set()
        while waiting:
            required = waiting.pop()
            if required[0] == wanted:
                return True
            if required not in seen:
                seen.add(required)
                waiting += _required_by(*required)
        return False


def inspect_requirements(stack: Stack) -> Requirements:
    """The requirements of the repository of ``stack``. Raises nothing.

    A lock file holds all of them: where one names Django, it and the images alone are asked.
    Files for development count where there are no others.
    """
    repository = stack.repository
    files = _naming_django(repository.of("lock")) or _naming_django(repository.of("requirements"))
    asked, complete = _with_included(files)
    if not any(file.kind == "lock" for file in files):
        directories = {file.directory for file in files}
        asked += [
            file
            for file in repository.of("requirements")
            if file.directory in directories and file.stage != "development"
        ]
        asked += [
            DeployFile(os.path.join(directory, name), "requirements", "unknown", file.base_dir)
            for file in files[:1]
            for directory, present in repository.names.items()
            for name in present
            if name in _OTHERS
        ]
    names: dict[str, frozenset[str]] = {}
    for file in (*asked, *repository.of("dockerfile")):
        for name, extras in _named(file):
            names[name] = names.get(name, frozenset()) | extras
    return Requirements(files, names, complete)


def canonical(name: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _naming_django(files: Iterable[DeployFile]) -> tuple[DeployFile, ...]:
    """Those of ``files`` that name Django, or include one that does."""
    naming = [
        file
        for file in files
        if any(name == "django" for each in _with_included([file])[0] for name, _ in _named(each))
    ]
    return tuple([file for file in naming if file.stage != "development"] or naming)


def _with_included(files: Iterable[DeployFile]) -> tuple[list[DeployFile], bool]:
    """``files`` and what they include, and whether all of it is there."""
    waiting, found, complete = list(files), {}, True
    while waiting:
        file = waiting.pop()
        if file.path in found:
            continue
        found[file.path] = file
        if not os.path.isfile(file.path):
            complete = False
        if file.name.endswith((".txt", ".in")):
            for included in _INCLUDE.findall(file.text):
                path = os.path.normpath(os.path.join(file.directory, included))
                waiting.append(DeployFile(path, "requirements", file.stage, file.base_dir))
    return list(found.values()), complete


def _named(file: DeployFile) -> Iterator[tuple[str, frozenset[str]]]:
    """What ``file`` may name: of a lock file its packages, of others every word that is not
    in a comment, of a Dockerfile those of the instructions that install something."""
    if file.kind == "lock":
        for name, key in _LOCKED.findall(file.text):
            yield canonical(name or key), frozenset()
        return
    text = _COMMENT.sub("", file.text)
    if file.kind == "dockerfile":
        text = text.replace("\\\n", " ")
        if "<<" not in text:  # a heredoc, whose lines may install something
            text = "\n".join(_INSTRUCTION.findall(text))
        for word in re.findall(r"[a-z0-9]+", text.lower()):  # python3-gunicorn, of a system
            yield word, frozenset()
    for found in _REQUIRED.finditer(text):
        yield canonical(found[1]), _extras(found[2])


def _extras(text: str | None) -> frozenset[str]:
    return frozenset(canonical(each) for each in _NAME.findall(text or ""))


def _required_by(name: str, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    try:
        lines = metadata.requires(name) or []
    except (metadata.PackageNotFoundError, ValueError, OSError):
        # Not known here: what its extras are called may be what they install.
        yield from ((extra, frozenset()) for extra in extras)
        return
    for line in lines:
        requirement, _, marker = line.partition(";")
        found = _REQUIRED.match(requirement)
        extra = _EXTRA.search(marker)
        if found and (extra is None or canonical(extra[1]) in extras):
            yield canonical(found[1]), _extras(found[2])
