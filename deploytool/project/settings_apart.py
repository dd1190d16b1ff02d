"""What the loaded settings say and the served ones do not, where these are others.

``manage.py`` often names settings for development, and the entry point those for production,
which cannot be loaded here: their secrets are elsewhere. Their source tells what they say
otherwise, and of which files they are made.
"""

from __future__ import annotations

import ast
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploytool.project.candidates import module_spec
from deploytool.project.probe.text import parsed
from deploytool.project.settings_source import changed_name, imported, names_assigned_at
from deploytool.project.source import is_installed, locate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.project.facts import Location


@dataclass(frozen=True, slots=True)
class SettingsApart:
    """How the settings ``served`` differ from the loaded ones, as far as their text tells.

    ``own`` is the file of the loaded settings, None where the served ones are made of it as
    well; ``changed`` are the settings that the module ``served`` itself assigns or changes.
    """

    served: str
    own: str | None
    changed: frozenset[str]
    base_dir: str

    def differs(self, where: Location | str | None) -> bool:
        """Whether what stands at ``where`` (``settings.NAME`` for what stands nowhere) is
        not what the served settings have there."""
        if isinstance(where, str):
            return where.removeprefix("settings.") in self.changed
        if where is None:
            return False
        if self.own is not None and where.path == self.own:
            return True
        names = names_assigned_at(where, self.base_dir)
        return bool(names) and names <= self.changed


def settings_apart(loaded: str, served: str, base_dir: str) -> SettingsApart | None:
    """How ``served`` differ from ``loaded``; None where that cannot be told."""
    here, there = module_spec(loaded), module_spec(served)
    if loaded == served or here is None or there is None or not here.origin or not there.origin:
        return None
    tree = parsed(there.origin)
    if tree is None:
        return None
    nodes = list(ast.walk(tree))
    made_of = set(_files(served, set()))
    own = os.path.realpath(here.origin)
    return SettingsApart(
        served,
        None if own in made_of else locate(own, None, base_dir).path,
        frozenset(name for node in nodes if (name := changed_name(node))),
        base_dir,
    )


def _files(module: str, seen: set[str]) -> Iterator[str]:
    """The project's own files that ``module`` is made of, by its imports."""
    spec = module_spec(module)
    if module in seen or spec is None or not spec.origin or is_installed(spec.origin):
        return
    seen.add(module)
    yield os.path.realpath(spec.origin)
    tree = parsed(spec.origin)
    package = module if spec.submodule_search_locations is not None else module.rpartition(".")[0]
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.ImportFrom | ast.Import):
            for name in imported(node, package):
                yield from _files(name, seen)
