"""A wrapper of one interface around an application of the other.

``WhiteNoise(get_asgi_application())`` imports and starts, and fails at every request. A
real adapter (a2wsgi, asgiref's WsgiToAsgi) looks the same from outside; what tells them
apart is with how many arguments the wrapper calls what it holds.
"""

from __future__ import annotations

import ast
import inspect
from typing import TYPE_CHECKING, Any

from .inner import closure
from .signature import arity, descends, dotted, function_of, interface_of
from .text import definition, parsed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .inner import Held

_NAMES = {"wsgi": "a WSGI", "asgi": "an ASGI", "asgi2": "an ASGI 2"}


def mismatch(outer: Any, inner: Any) -> str | None:
    """Why ``outer`` cannot call ``inner``; None where it can, or where that is not shown."""
    ours, theirs = interface_of(outer), interface_of(inner)
    wanted = arity(theirs)
    if wanted is None or ours == theirs:
        return None
    counts = _calls(outer, inner)
    if not counts or wanted in counts:
        return None
    kind = "asgi" if 3 in counts else "asgi2" if 1 in counts else "wsgi"
    return (
        f"{dotted(outer)} calls what it wraps as {_NAMES[kind]} application, "
        f"and was given {_NAMES[theirs or '']} application ({dotted(inner)})"
    )


def uncallable(outer: Any, inside: Held) -> str | None:
    """What ``outer`` calls as an application though it is a list, such as one of routes."""
    if inside or inspect.isroutine(outer):
        return None
    for value in getattr(outer, "__dict__", {}).values():
        if isinstance(value, (list, tuple)) and value and {2, 3} & _calls(outer, value):
            routes = all(hasattr(each, "pattern") for each in value)
            what = "a list of routes, which URLRouter(...) makes one of" if routes else "a list"
            return f"{dotted(outer)} wraps an application, and was given {what}"
    return None


def _calls(outer: Any, inner: Any) -> set[int]:
    """The numbers of arguments with which the code of ``outer`` calls ``inner`` itself."""
    names = _names_of(outer, inner)
    function = function_of(outer)
    node = definition(function) if function is not None else None
    # What runs when it is called decides; the rest of the class where that does not show it
    return (_counted([node], names) if node else set()) or _counted(_classes(outer), names)


def _counted(trees: Sequence[ast.AST], names: set[str]) -> set[int]:
    found: set[int] = set()
    for tree in trees:
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or node.keywords:
                continue
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", None)
            if name in names and not any(isinstance(arg, ast.Starred) for arg in node.args):
                found.add(len(node.args))
    return found & {1, 2, 3}


def _names_of(outer: Any, inner: Any) -> set[str]:
    """The attributes or variables under which ``outer`` keeps ``inner``."""
    places: dict[str, Any] = {}
    function = function_of(outer)
    if function is not None:
        places.update({k: function.__globals__.get(k) for k in function.__code__.co_names})
        places.update(closure(function))
    places.update(getattr(outer, "__dict__", {}))
    for cls in type(outer).__mro__:
        slots = vars(cls).get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            places[slot] = getattr(outer, slot, None)
    return {name for name, value in places.items() if value is inner}


def _classes(outer: Any) -> list[ast.AST]:
    """The source of the classes of an instance, Django's own handlers left out."""
    if inspect.isroutine(outer):
        return []
    found: list[ast.AST] = []
    for cls in type(outer).__mro__:
        if cls is object or (
            descends(cls, "BaseHandler") and cls.__module__.startswith("django.core")
        ):
            continue
        tree = parsed(getattr(inspect.getmodule(cls), "__file__", None) or "")
        found += [
            node
            for node in ast.walk(tree or ast.Module([], []))
            if isinstance(node, ast.ClassDef) and node.name == cls.__name__
        ]
    return found
