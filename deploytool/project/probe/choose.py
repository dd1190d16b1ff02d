"""Which attribute of an imported module is the application."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from .inner import held
from .mounted import is_starlette, starlette_routes
from .signature import evaluated, interface_of, is_application

if TYPE_CHECKING:
    from types import ModuleType

_NAMES = ("application", "app")


def choose(module: ModuleType, attribute: str | None, role: str) -> tuple[str, Any]:
    """The application of ``module`` and the name of its attribute.

    Raises AttributeError where ``attribute`` is not there, or where it is None and nothing
    in the module is clearly the application.
    """
    if attribute is not None:
        try:
            return attribute, functools.reduce(getattr, attribute.split("."), module)
        except AttributeError:
            names = _candidates(module, role)
            hint = f"; it has {_listed(sorted(names))}" if names else ""
            text = f"module '{module.__name__}' has no attribute '{attribute}'{hint}"
            raise AttributeError(text) from None
    for name in _NAMES:
        if hasattr(module, name):
            return name, getattr(module, name)
    found = _candidates(module, role)
    if len(found) > 1:
        inner = {id(app) for other in found.values() for app in _inside(other)}
        found = {name: app for name, app in found.items() if id(app) not in inner}
    if len({id(app) for app in found.values()}) == 1:
        return next(iter(found.items()))
    several = f" and several that could be one: {_listed(sorted(found))}" if found else ""
    text = f"module '{module.__name__}' has no attribute 'application'{several}"
    raise AttributeError(text)


def _candidates(module: ModuleType, role: str) -> dict[str, Any]:
    """The applications among the module's public variables, those of the role first."""
    found = {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and is_application(evaluated(value))
        and getattr(value, "__module__", module.__name__) is not None
        and not _imported_function(value, module)
    }
    kinds = ("wsgi",) if role == "wsgi" else ("asgi", "asgi2")
    fitting = {name: app for name, app in found.items() if interface_of(app) in kinds}
    return fitting or found


def _imported_function(value: Any, module: ModuleType) -> bool:
    """Whether ``value`` is a function that the module only imported."""
    return hasattr(value, "__code__") and value.__module__ != module.__name__


def _inside(app: Any, depth: int = 0) -> list[Any]:
    if depth > 5:
        return []
    holds = held(app)
    inner = [*holds.plain, *(v for _, v in holds.by_protocol), *(v for _, v in holds.by_path)]
    if is_starlette(app):
        inner += [route.target for route in starlette_routes(app) if route.kind == "mount"]
    return [*inner, *(each for other in inner for each in _inside(other, depth + 1))]


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)
