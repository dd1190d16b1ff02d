"""What wsgi.py and asgi.py have in common: where they go and which settings they name."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar

from django.core.management.base import CommandError

from deploytool.artifacts.rendering import File, render
from deploytool.project.source import is_installed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.plan import Plan
    from deploytool.project.facts import EntryPoint, Interface, Project


@dataclass(frozen=True, slots=True)
class Target:
    """Where an entry point belongs: ``module:attribute``, and its file below base_dir."""

    module: str
    attribute: str
    path: PurePosixPath


class EntryPointArtifact:
    """One of the two entry points; its template is ``INTERFACE.py.tpl``."""

    name: ClassVar[Interface]
    help: ClassVar[str]

    def applies(self, project: Project, plan: Plan) -> bool:
        """Whether the plan serves this interface."""
        return plan.interface == self.name

    def satisfied(self, project: Project) -> bool:
        """Whether the project has an entry point that works."""
        return entry_point(project, self.name).status == "ok"

    def files(self, project: Project, plan: Plan) -> tuple[File, ...]:
        """The entry point's module."""
        target = find_target(project, self.name)
        context = {
            "module": target.module,
            "attribute": target.attribute,
            "settings_module": settings_module(project, self.name, target),
            "configurations": settings_are_classes(project, self.name, target),
            "configuration": configuration(project, self.name, target),
            "import_paths": tuple(_import_paths(project)),
            "up": ".parent" * len(target.path.parts),
            **self.context(project),
        }
        return (File(target.path.as_posix(), render(f"{self.name}.py.tpl", context)),)

    def context(self, project: Project) -> dict[str, object]:
        """What else the template of this interface needs."""
        return {}


def entry_point(project: Project, interface: Interface) -> EntryPoint:
    """The facts about the entry point of ``interface``."""
    return project.entrypoints.asgi if interface == "asgi" else project.entrypoints.wsgi


def find_target(project: Project, interface: Interface) -> Target:
    """Where the entry point of ``interface`` belongs.

    Where the settings (or the place where it was found) say, else beside the other entry
    point, else beside the package that holds the settings, as ``startproject`` has it.
    Raises CommandError where the setting names no module that the entry point could have.
    """
    entry = entry_point(project, interface)
    beside = _beside_other(project, interface) or beside_settings(project, interface)
    problem = _problem(project, entry)
    if problem:
        raise CommandError(
            f'{problem}. Set {interface.upper()}_APPLICATION = "{beside}.application", '
            "and run this command again."
        )
    module, _, attribute = (entry.application or f"{beside}:application").partition(":")
    return Target(module, attribute, _path(project, module))


def _problem(project: Project, entry: EntryPoint) -> str | None:
    """Why nothing can be written where the setting wants the entry point."""
    if entry.error and entry.error.message.startswith(entry.source):
        return entry.error.message  # the setting itself is malformed
    if entry.application is None:
        return None
    names = f"{entry.source} names {entry.application}, whose module"
    if _elsewhere(entry):
        return f"{names} is not part of this project"
    if _occupied(project, entry.interface, entry.application.partition(":")[0]):
        return f"{names} holds something else"
    return None


def _elsewhere(entry: EntryPoint) -> bool:
    """Whether its module lies outside of the project, in an installed distribution say."""
    return entry.location is not None and Path(entry.location.path).is_absolute()


def _occupied(project: Project, interface: Interface, module: str) -> bool:
    """Whether ``module`` holds the routes or the other entry point, which must stay."""
    other = entry_point(project, "wsgi" if interface == "asgi" else "asgi")
    working = other.status == "ok" and other.application is not None
    modules = {routing.module for routing in project.entrypoints.routing}
    if working:
        modules.add((other.application or "").partition(":")[0])
    return module in modules


def _beside_other(project: Project, interface: Interface) -> str | None:
    """``deploy.asgi`` where the project has, or its settings name, a ``deploy.wsgi``."""
    other = entry_point(project, "wsgi" if interface == "asgi" else "asgi")
    module, _, last = (other.application or "").partition(":")[0].rpartition(".")
    if last != other.interface or _elsewhere(other):
        return None
    return f"{module}.{interface}" if module else interface


def beside_settings(project: Project, interface: Interface) -> str:
    """The module beside the settings package: ``config.asgi`` for ``config.settings.local``.

    The package is the one above ``settings``, or, where no module has that name, the
    nearest one around the settings that holds a urls.py, wsgi.py or asgi.py.
    """
    parts = (project.settings_module or "").split(".")[:-1]
    if "settings" in parts:
        parts = parts[: parts.index("settings")]
    around = [parts[:length] for length in range(len(parts), 0, -1)]
    siblings = ("urls.py", "wsgi.py", "asgi.py")
    found = next(
        (
            package
            for package in around
            for directory in _import_directories(project)
            if any((directory.joinpath(*package) / name).is_file() for name in siblings)
        ),
        parts,
    )
    return ".".join([*found, interface])


def _path(project: Project, module: str) -> PurePosixPath:
    """The file of ``module``, relative to the base directory, whether or not it exists."""
    parts = module.split(".")
    base = Path(project.base_dir)
    # The directory that the package around it is imported from, else the first.
    directory = next(
        (
            directory
            for directory in _import_directories(project)
            if directory.joinpath(parts[0]).is_dir()
            or directory.joinpath(f"{parts[0]}.py").exists()
        ),
        base,
    )
    package = directory.joinpath(*parts)
    # A package shadows a module of the same name.
    file = package / "__init__.py" if package.is_dir() else package.with_name(f"{parts[-1]}.py")
    return PurePosixPath(file.relative_to(base).as_posix())


def _import_directories(project: Project) -> Iterator[Path]:
    """The base directory, then what else inside of it modules are imported from."""
    base = Path(project.base_dir)
    yield base
    for entry in project.import_path:
        path = Path(entry)
        if path != base and path.is_relative_to(base) and not is_installed(str(path / "x")):
            yield path


def _import_paths(project: Project) -> Iterator[str]:
    """Directories below the base that manage.py put on the path, for the entry point to add."""
    base = Path(project.base_dir)
    for path in _import_directories(project):
        if path != base and path.is_dir():
            yield path.relative_to(base).as_posix()


def settings_module(project: Project, interface: Interface, target: Target) -> str:
    """The settings module that the entry point falls back on.

    What the other entry point says, else the present one, else manage.py, else the module
    that is loaded: a project is often inspected with its development settings, while its
    entry points name the production ones. A module that is not there is passed over.
    Raises CommandError for a project whose settings come from no module.
    """
    for file in _loaders(project, interface, target):
        module = _named(file, "DJANGO_SETTINGS_MODULE")
        if module and _exists(project, module):
            return module
    if project.settings_module is None:
        raise CommandError(
            "The settings of this project come from no module (settings.configure() was "
            "called), so that a server cannot load them through an entry point. Move them "
            "into a module and name it in DJANGO_SETTINGS_MODULE."
        )
    return project.settings_module


def settings_are_classes(project: Project, interface: Interface, target: Target) -> bool:
    """Whether the settings are classes of django-configurations, which has to load them.

    Its own ``configurations.wsgi`` and ``configurations.asgi`` do; with Django's, every
    import of the settings fails (https://django-configurations.readthedocs.io).
    """
    return any(
        name.partition(".")[0] == "configurations"
        for file in _loaders(project, interface, target)
        for name in _imported(file)
    )


def imports(project: Project, target: Target, *modules: str) -> bool:
    """Whether the present file of an entry point imports one of ``modules``."""
    return not _imported(Path(project.base_dir) / target.path).isdisjoint(modules)


def configuration(project: Project, interface: Interface, target: Target) -> str | None:
    """The settings class that the entry point falls back on, from the same files."""
    files = _loaders(project, interface, target)
    return next(filter(None, (_named(file, "DJANGO_CONFIGURATION") for file in files)), None)


def _loaders(project: Project, interface: Interface, target: Target) -> tuple[Path, ...]:
    """The files that say how the settings are loaded, those of servers first."""
    base = Path(project.base_dir)
    return (
        _sibling(project, interface),
        base / target.path,
        base / "manage.py",
        # In a src/ layout manage.py lies above the base directory.
        base.parent / "manage.py",
    )


def _sibling(project: Project, interface: Interface) -> Path:
    """The file of the other entry point, whether or not it exists."""
    other: Interface = "wsgi" if interface == "asgi" else "asgi"
    entry = entry_point(project, other)
    module = (entry.application or "").partition(":")[0] or beside_settings(project, other)
    return Path(project.base_dir) / _path(project, module)


def _tree(path: Path) -> ast.Module:
    """The source of a file; nothing for one that cannot be read."""
    try:
        return ast.parse(path.read_bytes())
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return ast.Module(body=[], type_ignores=[])


def _imported(path: Path) -> set[str]:
    """The names of the modules that a file imports."""
    names: set[str] = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def _named(path: Path, variable: str) -> str | None:
    """The constant that a file gives an environment variable, by setdefault() or assignment."""
    for node in ast.walk(_tree(path)):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="setdefault"),
                args=[ast.Constant(value=str(name)), ast.Constant(value=str(value))],
            ) if name == variable:
                return value
            case ast.Assign(
                targets=[ast.Subscript(slice=ast.Constant(value=str(name)))],
                value=ast.Constant(value=str(value)),
            ) if name == variable:
                return value
    return None


def _exists(project: Project, module: str) -> bool:
    # By its file: importing the packages around it may do anything.
    relative = Path(*module.split("."))
    return module == project.settings_module or any(
        (directory / relative).is_dir() or (directory / relative).with_suffix(".py").is_file()
        for directory in _import_directories(project)
    )
