"""The project's own source files, read once, for what only the text of a program can show.

What is loaded tells more, and is asked first; but a management command, a task or a
consumer is not loaded in the process that looks, and belongs to the project all the same.
"""

from __future__ import annotations

import ast
import os
import re
import sys
import tokenize
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from django.apps import apps
from django.conf import settings

from deploytool.project.candidates import module_spec
from deploytool.project.source import is_installed, locate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from deploytool.project.facts import Location

# Directories without code that runs in production.
_SKIPPED = {"migrations", "node_modules", "static", "templates", "locale", "test", "tests"}
_TEST = re.compile(r"(tests?|test_.*|.*_tests?|conftest)\.py")
_SETTINGS = ("ROOT_URLCONF", "WSGI_APPLICATION", "ASGI_APPLICATION", "SETTINGS_MODULE")


@dataclass(frozen=True)
class Source:
    """One file; ``text`` is empty where it cannot be read."""

    path: str
    base_dir: str

    @cached_property
    def text(self) -> str:
        """Its text, decoded as Python would."""
        if not os.path.isfile(self.path):
            return ""  # a pipe, which would be waited for
        try:
            with tokenize.open(self.path) as file:
                return file.read()
        except (OSError, SyntaxError, ValueError):
            return ""

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree; an empty one where it is not valid Python."""
        try:
            return ast.parse(self.text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ast.Module(body=[], type_ignores=[])

    @cached_property
    def module(self) -> ModuleType | None:
        """The module that this process has loaded from it, if it has."""
        return _loaded().get(self.path)

    def at(self, node: ast.expr | ast.stmt) -> Location:
        """The place of ``node``."""
        return locate(self.path, node.lineno, self.base_dir)

    def mentions(self, *words: str) -> bool:
        """Whether one of ``words`` stands anywhere in it: far cheaper than the tree."""
        return any(word in self.text for word in words)


@cache
def own_sources(base_dir: str) -> tuple[Source, ...]:
    """The files of the packages that the settings name and that the project consists of.

    The installed apps, and the top-level packages of the settings, the URLconf and the entry
    points, as far as they are no distribution's; without tests and migrations.
    """
    files: dict[str, None] = {}
    for config in apps.get_app_configs():
        files.update(dict.fromkeys(_below(Path(config.path))))
    for name in dict.fromkeys(_packages()):
        spec = module_spec(name)
        if spec is not None and spec.submodule_search_locations:
            for directory in spec.submodule_search_locations:
                files.update(dict.fromkeys(_below(Path(directory))))
        elif spec is not None and spec.origin and not is_installed(spec.origin):
            files[os.path.realpath(spec.origin)] = None
    return tuple(Source(path, base_dir) for path in files)


def _packages() -> Iterator[str]:
    """The top-level packages, or modules, that the settings name."""
    for name in _SETTINGS:
        value = getattr(settings, name, None)
        if isinstance(value, str):
            yield re.split(r"[.:]", value)[0]


def _below(directory: Path) -> Iterator[str]:
    # A distribution's directory is not the project's, wherever it lies.
    if is_installed(str(directory / "__init__.py")):
        return
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(
            name
            for name in folders
            if name not in _SKIPPED
            and name[0] not in "._"
            and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
        )
        for name in sorted(names):
            if name.endswith(".py") and not _TEST.fullmatch(name):
                yield os.path.realpath(os.path.join(folder, name))


@cache
def _loaded() -> dict[str, ModuleType]:
    found = {}
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str):
            found[os.path.realpath(path)] = module
    return found
