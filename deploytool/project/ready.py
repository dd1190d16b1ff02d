"""What the apps do when they are set up, as far as their code names it."""

from __future__ import annotations

from types import CodeType, FunctionType
from typing import TYPE_CHECKING

from django.apps import AppConfig, apps

from deploytool.project.definitions import dotted, location_of

if TYPE_CHECKING:
    from deploytool.project.facts import Location


def ready_methods_that_name(name: str, base_dir: str) -> tuple[tuple[str, Location | None], ...]:
    """The ``ready()`` methods of installed apps whose code has ``name`` in it.

    Each as its dotted path and where it is written.
    """
    found = []
    for config in apps.get_app_configs():
        ready = type(config).ready
        if ready is AppConfig.ready or not isinstance(ready, FunctionType):
            continue
        if _names(ready.__code__, name):
            found.append((f"{dotted(ready)}()", location_of(ready, base_dir)))
    return tuple(found)


def _names(code: CodeType, name: str) -> bool:
    return name in code.co_names or any(
        each == name or (isinstance(each, CodeType) and _names(each, name))
        for each in code.co_consts
    )
