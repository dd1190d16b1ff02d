"""The repository around a project, and which of its files say how it is deployed.

Names and a look at the first lines tell a file's kind. Directories are searched that may hold
such files: not packages of the project's code, tests, documentation, or what is installed.
"""

from __future__ import annotations

import fnmatch
import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from deploytool.project.source import is_installed, locate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.project.facts import Location
    from deploytool.project.stack.facts import Stage

FileKind = Literal[
    "dockerfile",
    "compose",
    "nginx",
    "gunicorn",
    "uwsgi",
    "unit",
    "socket",
    "procfile",
    "supervisor",
    "requirements",
    "lock",
]

_DEPTH = 4  # directories below the repository's root
_DIRECTORIES = 400
_BYTES = 300_000  # more is no file that a person wrote to deploy

_SKIPPED = frozenset(
    {
        *("node_modules", "venv", "env", "virtualenv", "site-packages", "__pycache__", "static"),
        *("staticfiles", "media", "locale", "migrations", "templates", "vendor", "third_party"),
        *("dist", "build", "docs", "doc", "example", "examples", "samples", "fixtures", "test"),
        *("tests", "htmlcov", "assets", "frontend", "bower_components", "eggs"),
    }
)
_HIDDEN = frozenset({".docker", ".platform", ".deploy", ".ebextensions", ".nginx", ".config"})
_PLACES = frozenset(
    {
        *("deploy", "deployment", "deployments", "docker", "compose", "config", "conf", "ops"),
        *("infra", "infrastructure", "etc", "production", "prod", "nginx", "systemd", "server"),
        *("requirements", "scripts", "bin", "provisioning", "gunicorn"),
    }
)

# A part of a name that says what a file is for. Of several, the first in this order counts.
_DEVELOPMENT = frozenset(
    {
        *("dev", "develop", "development", "devel", "local", "localhost", "override", "test"),
        *("tests", "testing", "ci", "debug", "debugger", "e2e", "devcontainer", "sandbox"),
        *("example", "sample", "template", "dist", "bench", "benchmark", "docs", "playwright"),
    }
)
_PRODUCTION = frozenset(
    {"prod", "production", "live", "staging", "stage", "release", "deploy", "deployment"}
)

_COMPOSE = re.compile(r"(docker-?)?compose([._-].*)?\.ya?ml|.*[._-](docker-)?compose\.ya?ml")
_DOCKERFILE = re.compile(r"(Docker|Container)file([._-].*)?|.*\.([Dd]ocker|[Cc]ontainer)file")
_NGINX_CONTENT = re.compile(r"^\s*(server|upstream\s+[\w.-]+|http)\s*\{", re.MULTILINE)
_COMPOSE_CONTENT = re.compile(r"^services\s*:", re.MULTILINE)
_UWSGI_CONTENT = re.compile(r"^\s*\[uwsgi\]", re.MULTILINE)
_UNIT_CONTENT = re.compile(r"^\s*\[(Service|Socket)\]", re.MULTILINE)
_SUPERVISOR_CONTENT = re.compile(r"^\s*\[program:", re.MULTILINE)


@dataclass(frozen=True)
class DeployFile:
    """A file of the repository that says how something is deployed.

    ``path`` is absolute. ``stage`` is what it is for by its name and place.
    """

    path: str
    kind: FileKind
    stage: Stage
    base_dir: str

    @cached_property
    def text(self) -> str:
        """Its text, ``""`` where it cannot be read."""
        return read_text(self.path)

    @property
    def directory(self) -> str:
        """The directory that it lies in."""
        return os.path.dirname(self.path)

    @property
    def name(self) -> str:
        """Its name."""
        return os.path.basename(self.path)

    def at(self, line: int | None = None) -> Location:
        """A line of it."""
        return locate(self.path, line, self.base_dir)


@dataclass(frozen=True)
class Repository:
    """The directories of a project's repository that may hold deployment files.

    ``root`` is the repository's, ``base_dir`` the project's. Names of directories are
    absolute; ``names`` maps each that was looked into to the names of its files.
    """

    root: str
    base_dir: str
    names: dict[str, tuple[str, ...]]

    @cached_property
    def files(self) -> tuple[DeployFile, ...]:
        """Every deployment file, by path."""
        found = []
        for directory, names in self.names.items():
            for name in names:
                kind = _kind(directory, name)
                if kind is not None:
                    path = os.path.join(directory, name)
                    found.append(DeployFile(path, kind, self.stage(path), self.base_dir))
        return tuple(sorted(found, key=lambda file: file.path))

    def of(self, *kinds: FileKind) -> tuple[DeployFile, ...]:
        """The files of ``kinds``."""
        return tuple(file for file in self.files if file.kind in kinds)

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for directory, names in self.names.items():
            for name in names:
                found.setdefault(name, []).append(os.path.join(directory, name))
        return found

    def named(self, name: str) -> tuple[str, ...]:
        """The files called ``name`` that were seen, wherever they lie."""
        return tuple(self._by_name.get(name, ()))

    def stage(self, path: str) -> Stage:
        """What the file ``path`` is for, by its name and the directories that it lies in."""
        relative = os.path.relpath(path, self.root)
        directory, name = os.path.split(relative)
        stage = stage_of_name(name)
        if stage == "unknown":
            for part in reversed(directory.split(os.sep)):
                stage = stage_of_name(part)
                if stage != "unknown":
                    break
        return stage

    @cached_property
    def _git_ignored(self) -> tuple[str, ...]:
        lines = read_text(os.path.join(self.root, ".gitignore")).splitlines()
        return tuple(
            line.strip().strip("/") for line in lines if line.strip()[:1] not in {"#", "!"}
        )

    def ignored(self, path: str) -> bool:
        """Whether the repository's .gitignore leaves the file ``path`` out."""
        relative = os.path.relpath(path, self.root).replace(os.sep, "/")
        parts = relative.split("/")
        above = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        return any(
            pattern and (fnmatch.fnmatch(each, pattern) or fnmatch.fnmatch(part, pattern))
            for pattern in self._git_ignored
            for each, part in zip(above, parts, strict=True)
        )

    def locate(self, path: str, line: int | None = None) -> Location:
        """The Location of a file."""
        return locate(path, line, self.base_dir)


def stage_of_name(name: str) -> Stage:
    """What a file, a directory or a target of this name is for."""
    parts = set(re.split(r"[^a-z0-9]+", name.lower()))
    if parts & _DEVELOPMENT:
        return "development"
    return "production" if parts & _PRODUCTION else "unknown"


def read_text(path: str) -> str:
    """The text of a file, ``""`` where it cannot be read or is too large."""
    try:
        file = Path(path)
        if not file.is_file() or file.stat().st_size > _BYTES:
            return ""
        return file.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")
    except (OSError, ValueError):
        return ""


def find_repository(base_dir: str, others: tuple[str, ...] = ()) -> Repository:
    """The repository around ``base_dir``; ``others`` are directories that belong to it, too.

    Its root is the nearest directory with a ``.git`` (or ``.hg``); without one, a directory
    above that holds deployment files itself, else the highest of ``base_dir`` and ``others``.
    """
    base = os.path.realpath(base_dir)
    root = _root(base, [os.path.realpath(each) for each in others])
    names: dict[str, tuple[str, ...]] = {}
    for directory, files in _walk(root, base):
        names[directory] = files
    return Repository(root, base, names)


def _root(base: str, others: list[str]) -> str:
    for directory in _upwards(base):
        if any(os.path.exists(os.path.join(directory, mark)) for mark in (".git", ".hg")):
            return directory
    root = base
    for other in others:  # the directory of manage.py, above a src directory
        if base.startswith(other.rstrip(os.sep) + os.sep) and len(other) < len(root):
            root = other
    parent = os.path.dirname(root)
    if parent not in {root, os.path.expanduser("~"), os.path.abspath(os.sep)}:
        try:
            names = os.listdir(parent)
        except OSError:
            return root
        if any(_COMPOSE.fullmatch(n) or _DOCKERFILE.fullmatch(n) or n == "Procfile" for n in names):
            return parent
    return root


def _upwards(directory: str) -> Iterator[str]:
    home = os.path.expanduser("~")
    for _ in range(6):
        yield directory
        parent = os.path.dirname(directory)
        if directory in {parent, home}:
            return
        directory = parent


def _walk(root: str, base: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Directories that may hold deployment files, with the names of their files."""
    waiting: list[tuple[str, int]] = [(root, 0)]
    if base != root:
        waiting.append((base, 0))
    seen: set[str] = set()
    while waiting and len(seen) < _DIRECTORIES:
        directory, depth = waiting.pop(0)
        if directory in seen:
            continue
        seen.add(directory)
        files: list[str] = []
        directories: list[str] = []
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    (directories if entry.is_dir(follow_symlinks=False) else files).append(
                        entry.name
                    )
        except OSError:
            continue
        if "pyvenv.cfg" in files or (depth and "manage.py" in files and directory != base):
            continue  # an environment, or another project
        yield directory, tuple(sorted(files))
        if depth >= _DEPTH or ("__init__.py" in files and not _is_place(directory)):
            continue
        for name in sorted(directories):
            hidden = name.startswith(".") and name not in _HIDDEN
            if not hidden and name.lower() not in _SKIPPED and not name.endswith(".egg-info"):
                waiting.append((os.path.join(directory, name), depth + 1))


def _is_place(directory: str) -> bool:
    return os.path.basename(directory).lower() in _PLACES


_NAMES: dict[str, FileKind] = {
    "Procfile": "procfile",
    "pyproject.toml": "requirements",
    "Pipfile": "requirements",
    "uv.lock": "lock",
    "poetry.lock": "lock",
    "Pipfile.lock": "lock",
    "pdm.lock": "lock",
    "uwsgi.ini": "uwsgi",
}


def _kind(directory: str, name: str) -> FileKind | None:  # noqa: PLR0911 - one line a kind
    if name in _NAMES:
        return _NAMES[name]
    path = os.path.join(directory, name)
    lower = name.lower()
    if lower.endswith((".dockerignore", ".swp", ".bak", ".orig", "~")):
        return None
    if _DOCKERFILE.fullmatch(name):
        return "dockerfile"
    if lower.endswith((".yml", ".yaml")):
        if _COMPOSE.fullmatch(lower) or os.path.basename(directory).lower() == "compose":
            return "compose"
        # By its content: production.yml, docker/stack.yml.
        return "compose" if _COMPOSE_CONTENT.search(read_text(path)) else None
    if lower.endswith(".py"):
        return "gunicorn" if "gunicorn" in lower and not is_installed(path) else None
    if lower.startswith("procfile."):
        return "procfile"
    if lower.startswith("requirements") and lower.endswith((".txt", ".in")):
        return "requirements"
    if os.path.basename(directory).lower() in {"requirements", "reqs"} and lower.endswith(".txt"):
        return "requirements"
    return _kind_by_content(path, lower)


def _kind_by_content(path: str, lower: str) -> FileKind | None:
    stem = lower.removesuffix(".template").removesuffix(".j2").removesuffix(".tmpl")
    if stem.endswith((".service", ".socket")):
        if not _UNIT_CONTENT.search(read_text(path)):
            return None
        return "socket" if stem.endswith(".socket") else "unit"
    if stem.endswith((".ini", ".conf", ".cfg", ".nginx")) or "nginx" in stem:
        text = read_text(path)
        if _UWSGI_CONTENT.search(text):
            return "uwsgi"
        if _SUPERVISOR_CONTENT.search(text):
            return "supervisor"
        if stem.endswith((".conf", ".nginx")) or "nginx" in stem:
            return "nginx" if _NGINX_CONTENT.search(text) else None
    return None
