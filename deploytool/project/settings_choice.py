"""Which settings manage.py, the entry points and Celery's application choose by themselves.

That is, where DJANGO_SETTINGS_MODULE is not set. Where all of them name the settings that
are loaded, in as many words, reading their text is enough; else each is run, in a process
of its own, up to the place where Django loads the settings (``probe/choice.py``).
"""

from __future__ import annotations

import ast
import os
import re
import secrets
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from deploytool.project.candidates import module_spec, parents
from deploytool.project.definitions import is_stdlib, top_package
from deploytool.project.probe.text import parsed
from deploytool.project.probing import Asked, failure_of
from deploytool.project.source import is_installed, locate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.project.facts import Failure, Interface, Location, Project

VARIABLE = "DJANGO_SETTINGS_MODULE"
CONFIGURATION = "DJANGO_CONFIGURATION"
"""The variable by which django-configurations chooses a class of the settings module."""
By = Literal["manage.py", "wsgi", "asgi", "celery"]

# What may be imported above the choice without making it: none of these loads the project.
_HARMLESS = {"django", "deploytool", "celery", "dotenv", "environ", "decouple"}


def _title(module: str | None, configuration: str | None) -> str:
    return f"{module} ({configuration})" if configuration else f"{module}"


@dataclass(frozen=True, slots=True)
class Choice:
    """The settings that one file chooses.

    ``module`` is None where it chooses none, and leaves it to the environment;
    ``configuration`` is the class in it that django-configurations takes. ``error`` is
    why the settings could not be loaded; ``debug`` is DEBUG in them, None where unknown.
    ``location`` is the line that names some, the file where no line of it does; ``named``
    says whether one does, ``sooner`` whether it names others, which what it imports, or its
    package, has chosen before.
    """

    by: By
    file: str
    location: Location
    module: str | None
    configuration: str | None = None
    debug: bool | None = None
    error: Failure | None = None
    sooner: bool = False

    @property
    def title(self) -> str:
        """The settings as a message names them."""
        return _title(self.module, self.configuration)

    @property
    def named(self) -> bool:
        """Whether a line of the file gives the variable a value."""
        return self.location.line is not None


@dataclass(frozen=True, slots=True)
class Choices:
    """What each file chooses, and who chose the settings that are loaded here.

    ``by`` is ``option`` (of the command line), ``environment``, or ``manage.py`` where it
    names those that are loaded.
    """

    loaded: str | None
    configuration: str | None = None
    found: tuple[Choice, ...] = ()
    by: Literal["manage.py", "option", "environment"] = "environment"

    @property
    def title(self) -> str:
        """The loaded settings as a message names them."""
        return _title(self.loaded, self.configuration)

    def of(self, by: By) -> Choice | None:
        """What ``by`` chooses, None where there is no such file or it could not be run."""
        return next((each for each in self.found if each.by == by), None)

    def are_of(self, choice: Choice) -> bool:
        """Whether the loaded settings are those of ``choice``."""
        return (choice.module, choice.configuration) == (self.loaded, self.configuration)

    def place(self, by: By) -> Location | None:
        """The line of ``by`` that names settings."""
        chosen = self.of(by)
        return chosen.location if chosen else None


@dataclass(frozen=True, slots=True)
class _File:
    by: By
    path: Path
    module: str | None


def inspect_choices(project: Project) -> Choices:
    """The choices of ``project``'s files. Nothing that the project does wrong raises."""
    loaded = project.settings_module
    files = list(_files(project))
    if loaded is None or not files:
        return Choices(loaded)
    configuration = os.environ.get(CONFIGURATION)
    found = tuple(_found(files, project, loaded, configuration))
    choices = Choices(loaded, configuration, found)
    if _option():
        return replace(choices, by="option")
    manage = choices.of("manage.py")
    if manage is None or _inherited() or not choices.are_of(manage):
        return choices
    return replace(choices, by="manage.py")


def _found(
    files: list[_File], project: Project, loaded: str, configuration: str | None
) -> Iterator[Choice]:
    """What each file chooses: by its text where that is sure, else by running it.

    Where one names others, what is imported of it may choose for another one as well.
    """
    agreed = configuration is None and all(_named_in(file) == [loaded] for file in files)
    sure = [file for file in files if agreed and _is_first(file)]
    for file in sure:
        yield Choice(file.by, _shown(file, project), _place(file, loaded, project), loaded)
    yield from _run([file for file in files if file not in sure], project)


def _option() -> bool:
    """Whether the command line names the settings: argparse takes shorter forms of it too."""
    names = r"--(set(t(i(n(g(s)?)?)?)?)?|conf(i(g(u(r(a(t(i(o(n)?)?)?)?)?)?)?)?)?)"
    return any(re.match(rf"{names}(=|$)", word) for word in sys.argv[1:])


def _inherited() -> bool:
    """Whether this process was started with the variable, where the platform tells it.

    ``/proc/self/environ`` is the environment as it was then (proc_pid_environ(5)).
    """
    try:
        first = Path("/proc/self/environ").read_bytes()
    except OSError:
        return False
    names = (f"{VARIABLE}=".encode(), f"{CONFIGURATION}=".encode())
    return any(entry.startswith(names) for entry in first.split(b"\0"))


def _files(project: Project) -> Iterator[_File]:
    script = _script()
    if script is not None:
        yield _File("manage.py", script, None)
    roles: tuple[Interface, ...] = ("wsgi", "asgi")
    for role in roles:
        entry = project.entrypoints.wsgi if role == "wsgi" else project.entrypoints.asgi
        module = (entry.application or "").partition(":")[0]
        if module and entry.status != "missing":
            yield from _module(role, module)
    for name in _celery(project):
        found = list(_module("celery", name))
        if found:
            yield from found
            return


def _module(by: By, name: str) -> Iterator[_File]:
    spec = module_spec(name)
    if spec is not None and spec.origin and not is_installed(spec.origin):
        yield _File(by, Path(spec.origin), name)


def _script() -> Path | None:
    """The project's manage.py, by whatever name: the script that runs here."""
    path = Path(sys.argv[0]).absolute() if sys.argv and sys.argv[0] else None
    if path is None or path.suffix != ".py" or not path.is_file() or is_installed(str(path)):
        return None
    return path


def _celery(project: Project) -> Iterator[str]:
    """Modules that may make Celery's application."""
    for queue in project.services.tasks:
        if queue.name != "celery":
            continue
        if written := re.fullmatch(r"(.+)\.py:\d+", queue.evidence):
            yield written[1].replace("/", ".")
        elif loaded := re.fullmatch(r"([\w.]+):\w+", queue.evidence):
            yield loaded[1]
        for package in parents(project.settings_module):
            yield f"{package}.celery"


def _named_in(file: _File) -> list[str | None]:
    """The values that the text gives to the variable, None for what is not a literal."""
    tree = parsed(str(file.path))
    return [value for _, value in _assignments(tree)] if tree else []


def _is_first(file: _File) -> bool:
    """Whether nothing that is imported above the choice can load the project before it."""
    tree = parsed(str(file.path))
    if file.module is None or tree is None:
        return True
    for package in parents(file.module):
        spec = module_spec(package)
        init = parsed(spec.origin) if spec and spec.origin else None
        if init is not None and not all(map(_harmless, init.body)):
            return False
        if init is not None and any(map(_is_variable, ast.walk(init))):
            return False
    loading: set[str] = set()  # names of what loads the settings: get_asgi_application, setup
    for statement in tree.body:
        if any(map(_is_variable, ast.walk(statement))):
            return True
        if not _harmless(statement) or _uses(statement, loading):
            return False
        loading.update(_from_django(statement))
    return False


def _from_django(statement: ast.stmt) -> Iterator[str]:
    """The names that an import binds to something of Django's, or of what builds on it."""
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        for alias in statement.names:
            module = getattr(statement, "module", None) or alias.name
            if top_package(module) in {"django", "deploytool"}:
                yield alias.asname or alias.name.partition(".")[0]


def _uses(statement: ast.stmt, names: set[str]) -> bool:
    """Whether a statement, other than a function, does something with one of ``names``."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return False
    return any(isinstance(node, ast.Name) and node.id in names for node in ast.walk(statement))


def _harmless(statement: ast.stmt) -> bool:
    """Whether a statement cannot load the project, or choose its settings elsewhere."""
    if isinstance(statement, ast.Import):
        names = [alias.name for alias in statement.names]
    elif isinstance(statement, ast.ImportFrom):
        # celery.py beside the package is one of the files that are looked at.
        names = [statement.module or ""] if not statement.level else ["django"]
        if statement.level and statement.module not in {"celery", "celery_app"}:
            return False
    else:
        return True
    return all(is_stdlib(name) or top_package(name) in _HARMLESS for name in names)


def _is_variable(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value == VARIABLE


def _assignments(tree: ast.AST) -> Iterator[tuple[int, str | None]]:
    for node in ast.walk(tree):
        value: ast.expr | None = None
        if isinstance(node, ast.Call) and node.args and _is_variable(node.args[0]):
            value = node.args[1] if len(node.args) > 1 else None
        elif isinstance(node, ast.Assign) and any(
            _is_variable(inner) for target in node.targets for inner in ast.walk(target)
        ):
            value = node.value
        elif not _is_variable(node):
            continue
        if value is not None:
            literal = isinstance(value, ast.Constant) and isinstance(value.value, str)
            yield node.lineno, str(value.value) if literal else None  # type: ignore[attr-defined]


def _shown(file: _File, project: Project) -> str:
    return locate(str(file.path), None, project.base_dir).path


def _place(file: _File, module: str | None, project: Project) -> Location:
    """The line that names ``module``, else the first that names any, else the file."""
    tree = parsed(str(file.path))
    found = list(_assignments(tree)) if tree else []
    lines = [line for line, value in found if value == module] or [line for line, _ in found]
    return locate(str(file.path), lines[0] if lines else None, project.base_dir)


def _run(files: list[_File], project: Project) -> Iterator[Choice]:
    request = {"runs": "choice", "salt": secrets.token_hex(32), "names": []}
    asked = [
        Asked(
            project,
            {**request, "module": file.module, "script": os.fspath(file.path)},
            {VARIABLE: None, CONFIGURATION: None},
        )
        for file in files
    ]
    answers = [each.answer() for each in asked]
    for file, answer in zip(files, answers, strict=True):
        if answer is not None:
            module = answer["settings_module"]
            error = answer["error"]
            yield Choice(
                file.by,
                _shown(file, project),
                _place(file, module, project),
                module,
                answer["configuration"],
                answer.get("debug"),
                failure_of(error, project.base_dir) if error else None,
                _is_sooner(file, module),
            )


def _is_sooner(file: _File, module: str | None) -> bool:
    """Whether ``module`` was chosen before ``file`` named any: all that it names are others."""
    named = _named_in(file)
    return module is not None and bool(named) and not {module, None} & set(named)
