"""What a callable holds: the applications inside a wrapper, wherever it keeps them."""

from __future__ import annotations

import functools
import inspect
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from .signature import (
    UNBOUNDED,
    arguments,
    called,
    evaluated,
    function_of,
    interface_of,
    is_application,
)

PROTOCOLS = ("http", "websocket", "lifespan")
_DEPTH = 6


def ordered(protocols: set[str]) -> tuple[str, ...]:
    """The well-known protocols first, in their order."""
    known = [name for name in PROTOCOLS if name in protocols]
    return (*known, *sorted(protocols.difference(PROTOCOLS)))


class Held(NamedTuple):
    """Applications found inside one callable.

    ``plain`` are simply wrapped, ``by_protocol`` chosen by scope type, ``by_path`` mounted.
    """

    plain: tuple[Any, ...] = ()
    by_protocol: tuple[tuple[str, Any], ...] = ()
    by_path: tuple[tuple[str, Any], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.plain or self.by_protocol or self.by_path)


def held(app: Any, depth: int = 0) -> Held:
    """The applications that ``app`` holds in attributes, closure, arguments or globals."""
    own = _sorted(app, _attributes(app), depth)
    if own or depth >= _DEPTH:
        return own
    function = function_of(app)
    if function is None:
        return own
    return _sorted(app, [*closure(function).values(), *_globals(function)], depth)


def _sorted(app: Any, values: list[Any], depth: int) -> Held:
    plain: list[Any] = []
    by_protocol: list[tuple[str, Any]] = []
    by_path: list[tuple[str, Any]] = []
    for value in values:
        if isinstance(value, dict):
            by_protocol += protocol_items(value)
            by_path += _path_items(value)
            continue
        inside = evaluated(value)
        if inside is app or any(inside is other for other in plain):
            continue
        double = isinstance(inside, type) and interface_of(inside) == "asgi2"
        if double or is_application(inside) or _passes_on(inside, depth):
            plain.append(inside)
    return Held(tuple(plain), tuple(by_protocol), tuple(by_path))


def protocol_items(mapping: dict[Any, Any]) -> list[tuple[str, Any]]:
    """The items of a mapping from scope types to applications; none of another mapping."""
    if not mapping or not all(isinstance(key, str) for key in mapping):
        return []
    if not any(key in PROTOCOLS for key in mapping) or not all(map(callable, mapping.values())):
        return []
    return list(mapping.items())


def _path_items(mapping: dict[Any, Any]) -> list[tuple[str, Any]]:
    if not mapping or not all(isinstance(k, str) and k.startswith("/") for k in mapping):
        return []
    if not all(is_application(value) for value in mapping.values()):
        return []
    return list(mapping.items())


def _passes_on(value: Any, depth: int) -> bool:
    """Whether ``value`` takes any arguments and holds an application to pass them to."""
    if isinstance(value, type) or not callable(value) or depth >= _DEPTH:
        return False
    if inspect.isbuiltin(value) or called(value) is None:
        return False
    found = arguments(value)
    if found is None or found.most != UNBOUNDED or found.required > 3:
        return False
    function = function_of(value)
    things = _attributes(value)
    if function is not None:
        things += closure(function).values()
    return bool(_sorted(value, things, depth + 1))


def _attributes(app: Any) -> list[Any]:
    """What an instance, a bound method or a partial holds itself."""
    if isinstance(app, functools.partial):
        return [*app.args, *app.keywords.values()]
    if inspect.ismethod(app):
        return [app.__self__, *_attributes(app.__self__)]
    if isinstance(app, FunctionType):
        wrapped = getattr(app, "__wrapped__", None)
        return [] if wrapped is None else [wrapped]
    values = list(getattr(app, "__dict__", {}).values())
    for cls in type(app).__mro__:
        slots = vars(cls).get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            if not slot.startswith("__"):
                try:
                    values.append(getattr(app, slot))
                except AttributeError:
                    continue
    if isinstance(app, dict):
        values.append(dict(app))
    return values


def closure(function: FunctionType) -> dict[str, Any]:
    """The variables of enclosing functions that ``function`` uses, as they are now."""
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return found


def _globals(function: FunctionType) -> list[Any]:
    """The values of the module's variables that ``function`` names."""
    names = _names(function.__code__)
    found = [function.__globals__[name] for name in names if name in function.__globals__]
    return [*found, *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]


def _names(code: CodeType) -> list[str]:
    names = list(code.co_names)
    for const in code.co_consts:
        if isinstance(const, CodeType):
            names += _names(const)
    return names


def constants(code: CodeType) -> set[str]:
    """Every string that the code and the functions within it mention."""
    found: set[str] = set()
    for const in code.co_consts:
        if isinstance(const, CodeType):
            found |= constants(const)
        elif isinstance(const, str):
            found.add(const)
        elif isinstance(const, (tuple, frozenset)):
            found |= {item for item in const if isinstance(item, str)}
    return found
