"""Which line of the settings' source names a dotted path.

The loaded settings say what is in force; only the source says where a person changes it.
Settings are rarely one file: they star-import a base, splice lists from other modules, or
execute a directory of files. So the sources are read in the order in which they run, and
the last line that names a path is the one that had the last word.
"""

from __future__ import annotations

import ast
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from deploytool.project.source import is_installed, locate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploytool.project.facts import Location

# Methods that look an entry up or take it away: they name it without putting it there.
_LOOKUPS = frozenset({"index", "remove", "count"})
# And those that change a list or a dictionary in its place.
_CHANGES = frozenset({"append", "clear", "extend", "insert", "pop", "remove", "update"})


def setting_location(name: str, base_dir: str) -> Location | None:
    """The line that assigns the setting ``name`` last; None where none can be found."""
    return _source(base_dir).assignment_of(name)


def names_assigned_at(where: Location, base_dir: str) -> frozenset[str]:
    """The settings that the line ``where`` assigns or adds to last; empty for another line."""
    return _source(base_dir).assigned_at(where)


@cache
def _source(base_dir: str) -> SettingsSource:
    return SettingsSource(base_dir)


class SettingsSource:
    """The strings written in the settings' sources, and the line of each."""

    def __init__(self, base_dir: str) -> None:
        self._base_dir = base_dir
        self._lines: dict[str, tuple[Path, int]] = {}
        self._assigned: dict[str, tuple[Path, int]] = {}
        self._read: set[Path] = set()
        self._siblings: dict[Path, bytes] | None = None
        self._main = _settings_file()
        if self._main is not None:
            self._file(self._main, _settings_package())

    def line_of(self, path: str) -> Location | None:
        """The line that names ``path``, None where no settings source does."""
        found = self._lines.get(path) or self._line_of_sibling(path)
        if found is None:
            return None
        return locate(str(found[0]), found[1], self._base_dir)

    def assignment_of(self, name: str) -> Location | None:
        """The line that assigns the setting ``name``, or adds to it, last."""
        found = self._assigned.get(name)
        return locate(str(found[0]), found[1], self._base_dir) if found else None

    def assigned_at(self, where: Location) -> frozenset[str]:
        """The settings that the line ``where`` assigns, or adds to, last."""
        return frozenset(
            name
            for name, (path, line) in self._assigned.items()
            if line == where.line and locate(str(path), line, self._base_dir) == where
        )

    def _line_of_sibling(self, name: str) -> tuple[Path, int] | None:
        """Where another file of a settings package names ``name``: some are loaded by means
        that cannot be followed (``exec``, a name computed from the environment)."""
        for sibling, text in reversed(self._sibling_texts().items()):
            if name.encode() in text:
                kept = self._lines, self._assigned, self._read
                self._lines, self._assigned, self._read = {}, {}, set()
                self._file(sibling, _settings_package())
                found = self._lines.get(name)
                self._lines, self._assigned, self._read = kept
                if found is not None:
                    return found
        return None

    def _sibling_texts(self) -> dict[Path, bytes]:
        """The files of a settings package that the settings do not import, in their order."""
        if self._siblings is None:
            self._siblings = {}
            if self._main is not None and (self._main.parent / "__init__.py").exists():
                for sibling in sorted({*self._main.parent.glob("*.py")} - self._read):
                    with suppress(OSError):
                        self._siblings[sibling] = sibling.read_bytes() if sibling.is_file() else b""
        return self._siblings

    def _file(self, path: Path, package: str) -> None:
        if path in self._read or is_installed(str(path)):
            return
        self._read.add(path)
        try:
            tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            return
        for node in _in_order(tree):
            if isinstance(node, ast.ImportFrom | ast.Import):
                for module in imported(node, package):
                    self._module(module)
            elif (changed := changed_name(node)) is not None:
                self._assigned[changed] = (path, getattr(node, "lineno", 1))
            elif isinstance(node, ast.Constant | ast.JoinedStr | ast.Call):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    self._lines[node.value] = (path, node.lineno)
                for included in _included(node, path.parent):
                    # An executed file runs as if it were written here: same package.
                    self._file(included, package)

    def _module(self, name: str) -> None:
        module = sys.modules.get(name)
        path = getattr(module, "__file__", None)
        if not isinstance(path, str) or not path.endswith(".py"):
            return
        is_package = hasattr(module, "__path__")
        self._file(Path(path).resolve(), name if is_package else name.rpartition(".")[0])


def _settings_file() -> Path | None:
    # A project in one file calls settings.configure() and has no settings module.
    name = getattr(settings, "SETTINGS_MODULE", None) or "__main__"
    path = getattr(sys.modules.get(name), "__file__", None)
    return Path(path).resolve() if isinstance(path, str) else None


def _settings_package() -> str:
    name = getattr(settings, "SETTINGS_MODULE", None) or ""
    module = sys.modules.get(name)
    return name if hasattr(module, "__path__") else name.rpartition(".")[0]


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes in the order of the source, without those that only look a string up."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Compare):
            continue
        yield child
        if (
            isinstance(child, ast.Call)
            and isinstance(child.func, ast.Attribute)
            and child.func.attr in _LOOKUPS
        ):
            yield from _in_order(child.func)
        else:
            yield from _in_order(child)


def changed_name(node: ast.AST) -> str | None:
    """``NAME`` of ``NAME = ...``, ``NAME["key"] = ...`` and ``NAME["key"].update(...)``."""
    inner: ast.AST = node
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        method = node.value.func
        if not isinstance(method, ast.Attribute) or method.attr not in _CHANGES:
            return None
        inner = method.value
    elif not isinstance(getattr(node, "ctx", None), ast.Store):
        return None
    while isinstance(inner, ast.Subscript):
        inner = inner.value
    return inner.id if isinstance(inner, ast.Name) else None


def imported(node: ast.ImportFrom | ast.Import, package: str) -> Iterator[str]:
    """The names of the modules that an import may load, the module before its submodules."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    name = node.module or ""
    if node.level:
        parts = package.split(".")
        parents = parts[: len(parts) - (node.level - 1)]
        name = ".".join([*parents, name] if name else parents)
    yield name
    yield from (f"{name}.{alias.name}" for alias in node.names)


def _included(node: ast.expr, directory: Path) -> Iterable[Path]:
    """The files that a string names for execution, as django-split-settings' ``include``
    and ``exec(open(...))`` have it: relative to the file, patterns and formats allowed."""
    pattern = _pattern(node)
    if not pattern.endswith(".py"):
        return ()
    try:
        if Path(pattern).is_absolute():
            return [Path(pattern).resolve()] if Path(pattern).is_file() else ()
        found = sorted(path.resolve() for path in directory.glob(pattern))
    except (OSError, ValueError):
        return ()
    if len(found) < 2:
        return found
    # django-split-settings registers the files that it executed as modules.
    loaded = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return [path for path in found if str(path) in loaded] or found


def _pattern(node: ast.expr) -> str:
    """A string as written, with ``*`` in place of what is filled in when it runs."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        parts = (_pattern(part) if isinstance(part, ast.Constant) else "*" for part in node.values)
        return "".join(parts)
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "format"
    ):
        text = _pattern(node.func.value)
        while "{" in text and "}" in text.partition("{")[2]:
            head, _, tail = text.partition("{")
            text = f"{head}*{tail.partition('}')[2]}"
        return text
    return ""
