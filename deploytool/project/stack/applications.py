"""Which applications the deployment files name, and whether they are this project's.

Modules are looked for in files, and read as text: nothing is imported.
"""

from __future__ import annotations

import ast
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from deploytool.project.candidates import module_spec
from deploytool.project.source import is_installed

if TYPE_CHECKING:
    from deploytool.project.facts import EntryPoint, Interface, Project
    from deploytool.project.stack.facts import Launch, Start
    from deploytool.project.stack.repository import Repository


@dataclass(frozen=True)
class Application:
    """An application as a command names it: its module, and the attribute if any."""

    module: str
    attribute: str | None

    @classmethod
    def of(cls, written: str | None) -> Application | None:
        """The application in ``config.wsgi:application`` or ``config/wsgi.py``; None where a
        variable decides, or nothing is named."""
        if not written or "$" in written or "%" in written:
            return None
        text = written
        for prefix in ("asgi:", "wsgi:"):  # Hypercorn's
            if text.startswith(prefix) and ":" in text.removeprefix(prefix):
                text = text.removeprefix(prefix)
        module, _, attribute = text.partition(":")
        if module.endswith(".py") or "/" in module:
            module = module.removesuffix(".py").strip("./").replace("/", ".")
        return cls(module, attribute or None)


@dataclass(frozen=True)
class Applications:
    """The modules of a project and of the repository around it."""

    project: Project
    repository: Repository

    def ours(self, launch: Launch, start: Start) -> bool:
        """Whether a launch serves this project, rather than something else beside it."""
        named = Application.of(launch.application)
        if launch.server in {"runserver", "runserver_gateway"}:
            return self._manages(start)
        if named is None:
            return launch.application is not None or launch.server in {"gunicorn", "uwsgi"}
        if self.path(named.module) is not None:
            return True
        if self._elsewhere(named.module) or _other_directory(start, self.project.base_dir):
            return False
        top = named.module.partition(".")[0]
        return self.path(top) is not None or named.module.rpartition(".")[2] in {"wsgi", "asgi"}

    def _manages(self, start: Start) -> bool:
        """Whether manage.py in the start's directory is this project's, as far as is known."""
        return not _other_directory(start, self.project.base_dir)

    def path(self, module: str) -> str | None:
        """The file of a module of this project, None where it has none of that name."""
        return find_module(module, (self.project.base_dir, *self.project.import_path))

    def importable(self, module: str) -> bool:
        """Whether a module is the project's or is installed."""
        return self.path(module) is not None or module_spec(module) is not None

    def _elsewhere(self, module: str) -> bool:
        """Whether another part of the repository has a module of that name."""
        tail = os.sep.join(module.split(".")) + ".py"
        name = os.path.basename(tail)
        return any(
            path.endswith(os.sep + tail) and not path.startswith(self.project.base_dir + os.sep)
            for path in self.repository.named(name)
        )

    def entry(self, module: str) -> EntryPoint | None:
        """The project's entry point in the module, None where it is none of both."""
        entrypoints = self.project.entrypoints
        for each in (entrypoints.wsgi, entrypoints.asgi):
            if each.application and each.application.partition(":")[0] == module:
                return each
        return None

    def interface(self, named: Application) -> Interface | Literal["factory"] | None:
        """What the application is; None where it cannot be told."""
        entry = self.entry(named.module)
        attribute = named.attribute or "application"
        if (
            entry
            and entry.application == f"{named.module}:{attribute}"
            and entry.status != "missing"
        ):
            kind = entry.callable_interface
            return None if kind == "asgi2" else kind
        path = self.path(named.module)
        return _made_by(path, attribute) if path else None


def find_module(module: str, directories: tuple[str, ...]) -> str | None:
    """The file of ``module`` below one of ``directories``; of a package its ``__init__.py``,
    or the directory where it has none."""
    relative = os.path.join(*module.split(".")) if module.strip(".") else ""
    for directory in directories if relative else ():
        path = os.path.join(directory, relative)
        if os.path.isfile(f"{path}.py"):
            return f"{path}.py"
        if os.path.isfile(os.path.join(path, "__init__.py")):
            return os.path.join(path, "__init__.py")
        if os.path.isdir(path) and not is_installed(path):
            return path
    return None


def _other_directory(start: Start, base_dir: str) -> bool:
    """Whether a start is in a directory that has nothing to do with the project's."""
    if start.root is None:
        return False
    root, base = os.path.realpath(start.root), os.path.realpath(base_dir)
    return not (base == root or base.startswith(root + os.sep) or root.startswith(base + os.sep))


@cache
def parsed(path: str) -> ast.Module | None:
    """The syntax tree of a file, None where it is no valid Python."""
    try:
        return ast.parse(Path(path).read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def names_in(path: str) -> set[str] | None:
    """The names that a module has after its import; None where that cannot be told.

    A star import, a ``__getattr__`` of the module, or a name that is made otherwise leave it
    open.
    """
    tree = parsed(path)
    if tree is None:
        return None
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            if any(alias.name == "*" for alias in node.names):
                return None
            names.update((a.asname or a.name).partition(".")[0] for a in node.names)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif node.id in {"globals", "exec", "vars", "setattr"}:
                return None
    return None if "__getattr__" in names else names


def _made_by(path: str, attribute: str) -> Interface | None:
    """The interface of an attribute that is assigned a call of Django's own functions."""
    tree = parsed(path)
    found: Interface | None = None
    for node in tree.body if tree else ():
        if not isinstance(node, ast.Assign) or not any(
            isinstance(target, ast.Name) and target.id == attribute for target in node.targets
        ):
            continue
        called = node.value.func if isinstance(node.value, ast.Call) else None
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        kinds: dict[str, Interface] = {
            "get_wsgi_application": "wsgi",
            "get_asgi_application": "asgi",
            "ProtocolTypeRouter": "asgi",
            "WSGIHandler": "wsgi",
            "ASGIHandler": "asgi",
        }
        found = kinds.get(name)
    return found


def base_of(dotted: str, applications: Applications) -> str | None:
    """The class that a class of the project is derived from, by its source: ``module.Class``."""
    module, _, name = dotted.rpartition(".")
    path = applications.path(module) if module else None
    tree = parsed(path) if path else None
    imported: dict[str, str] = {}
    for node in tree.body if tree else ():
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                imported[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                imported[alias.asname or alias.name] = alias.name
        elif isinstance(node, ast.ClassDef) and node.name == name and node.bases:
            base = ast.unparse(node.bases[0])
            head, _, rest = base.partition(".")
            whole = imported.get(base) or imported.get(head, f"{module}.{head}")
            return whole if base in imported or not rest else f"{whole}.{rest}"
    return None
