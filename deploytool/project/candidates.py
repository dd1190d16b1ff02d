"""Which module holds an entry point: the setting, or the places where projects keep it."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from django.conf import settings

from deploytool.project.source import is_installed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.machinery import ModuleSpec

    from deploytool.project.facts import Interface


class Candidate(NamedTuple):
    """An application to inspect.

    ``attribute`` is None where it has to be looked for; ``problem`` is why the setting
    cannot name an application at all.
    """

    module: str
    attribute: str | None
    source: str
    problem: str | None = None

    @property
    def application(self) -> str:
        """The application as servers take it, as far as it is known."""
        return f"{self.module}:{self.attribute or 'application'}"


def candidate(role: Interface, settings_module: str | None, base_dir: str) -> Candidate | None:
    """The application for ``role``, None where the project has none.

    In order: ``settings.WSGI_APPLICATION`` or ``ASGI_APPLICATION``; ``wsgi`` or ``asgi`` in
    each package around the settings module, in the package of ROOT_URLCONF, in the package
    of the other entry point, at the top level; the only one directly below ``base_dir``.
    """
    setting = f"{role.upper()}_APPLICATION"
    value = getattr(settings, setting, None)
    if value:
        return _from_setting(value, f"settings.{setting}")
    for package, source in _packages(role, settings_module):
        if module_spec(f"{package}.{role}") is not None:
            return Candidate(f"{package}.{role}", None, source)
    top = module_spec(role)
    if top is not None and not is_installed(top.origin or "<"):
        return Candidate(role, None, "top-level module")
    return _only_one_below(role, base_dir)


def _from_setting(value: object, source: str) -> Candidate:
    if not isinstance(value, str):
        text = f"{source} is a {type(value).__name__}; it has to be a dotted path in a string"
        return Candidate("", None, source, text)
    if ":" in value:
        module, _, attribute = value.partition(":")
    else:
        module, _, attribute = value.rpartition(".")
    if not module or not attribute:
        text = f"{source} = {value!r} does not name an attribute of a module"
        return Candidate(value, None, source, text)
    if ":" not in value and module_spec(value) is not None and _is_package(module):
        text = f"{source} = {value!r} names a module: write {value + '.application'!r}"
        return Candidate(value, None, source, text)
    return Candidate(module, attribute, source)


def _is_package(module: str) -> bool:
    """Whether ``module`` is a package without code of its own to hold an application."""
    spec = module_spec(module)
    path = Path(spec.origin) if spec and spec.origin else None
    return path is None or (path.name == "__init__.py" and not path.read_text("utf-8").strip())


def _packages(role: Interface, settings_module: str | None) -> Iterator[tuple[str, str]]:
    """Packages that may hold the entry point, and how each was found."""
    yield from ((name, "beside the settings package") for name in parents(settings_module))
    urlconf = getattr(settings, "ROOT_URLCONF", None)
    if isinstance(urlconf, str):
        yield from ((name, "beside settings.ROOT_URLCONF") for name in parents(urlconf))
    other = "WSGI_APPLICATION" if role == "asgi" else "ASGI_APPLICATION"
    value = getattr(settings, other, None)
    if isinstance(value, str):
        module = value.partition(":")[0] if ":" in value else value.rpartition(".")[0]
        yield from ((name, f"beside settings.{other}") for name in parents(module))


def parents(module: str | None) -> list[str]:
    """The packages around a module, innermost first."""
    parts = (module or "").split(".")
    return [".".join(parts[:length]) for length in range(len(parts) - 1, 0, -1)]


def _only_one_below(role: Interface, base_dir: str) -> Candidate | None:
    found = []
    for path in sorted(Path(base_dir).glob(f"*/{role}.py")):
        name = f"{path.parent.name}.{role}"
        if not path.parent.name.isidentifier() or is_installed(str(path)):
            continue
        spec = module_spec(name)
        if spec is not None and spec.origin and Path(spec.origin).resolve() == path.resolve():
            found.append(name)
    if len(found) != 1:
        return None
    return Candidate(found[0], None, f"the only {role}.py below the base directory")


def module_spec(name: str) -> ModuleSpec | None:
    """Where a module would be imported from, None if nowhere; nothing is imported.

    ``importlib.util.find_spec`` would import the packages around it.
    """
    top, *rest = name.split(".")
    try:
        spec = importlib.util.find_spec(top)
        whole = top
        for part in rest:
            if spec is None or spec.submodule_search_locations is None:
                return None
            whole = f"{whole}.{part}"
            spec = importlib.machinery.PathFinder.find_spec(whole, spec.submodule_search_locations)
    except (ImportError, ValueError, AttributeError):
        return None
    # A directory without __init__.py is found too, and holds no application
    return spec if spec is not None and spec.origin is not None else None
