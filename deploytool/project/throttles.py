"""Which caches the throttles of the project's views count in.

Asked of the live objects: the throttles of Django REST framework's views and of Django
Ninja's operations both keep their cache in an attribute ``cache``, and so do the project's
own that derive from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploytool.project.cache_uses import alias_of
from deploytool.project.callbacks import unwrap
from deploytool.project.definitions import (
    class_attribute,
    dotted,
    is_project_class,
    location_of,
    own_attribute,
)
from deploytool.project.views import walk_routes

if TYPE_CHECKING:
    from deploytool.project.facts import Location


@dataclass(frozen=True, slots=True)
class Throttle:
    """A throttle that counts in the cache ``alias``, and the first route that has it.

    ``location`` is its class, where the project wrote it, or else the view.
    ``by_forwarded_for``: Django REST framework's own ``get_ident()`` tells clients apart.
    """

    name: str
    alias: str
    route: str
    location: Location | None
    by_forwarded_for: bool = False


def inspect_throttles(base_dir: str) -> tuple[Throttle, ...]:
    """Each throttle in use once, for each cache that it counts in."""
    found: dict[tuple[str, str], Throttle] = {}
    for route, callback in walk_routes(base_dir):
        try:
            subject, throttles = _of(callback)
        except Exception:  # noqa: S112 - an object that refuses to be looked at has none
            continue
        for throttle in throttles:
            cls = throttle if isinstance(throttle, type) else type(throttle)
            alias = alias_of(_attribute(throttle, "cache"))
            if alias is None:
                continue
            where = location_of(cls if is_project_class(cls) else subject, base_dir)
            key = (dotted(cls), alias)
            ident = getattr(class_attribute(cls, "get_ident"), "__module__", "")
            by_forwarded_for = ident.startswith("rest_framework.")
            found.setdefault(key, Throttle(dotted(cls), alias, route, where, by_forwarded_for))
    return tuple(found.values())


def _of(callback: object) -> tuple[object, list[object]]:
    """What the user wrote behind ``callback``, and the throttles that limit something."""
    found = unwrap(callback)
    if found.operations:
        throttles = [
            each
            for operation in found.operations
            for each in getattr(operation, "throttle_objects", ())
        ]
        return found.subject, [each for each in throttles if _limits(each, None)]
    made = next((each for each in (callback, *found.layers) if hasattr(each, "cls")), None)
    view = getattr(made, "cls", found.subject)
    if not isinstance(view, type):
        return found.subject, []
    given = getattr(made, "initkwargs", None) or {}
    lists = [given.get("throttle_classes", class_attribute(view, "throttle_classes"))]
    for name in (getattr(made, "actions", None) or {}).values():
        extra = getattr(class_attribute(view, name), "kwargs", None) or {}
        lists.append(extra.get("throttle_classes"))
    scope = given.get("throttle_scope", class_attribute(view, "throttle_scope"))
    throttles = [each for classes in lists for each in classes or ()]
    return found.subject, [each for each in throttles if _limits(each, scope)]


def _limits(throttle: object, view_scope: object) -> bool:
    """Whether the throttle has a rate: one without lets everything through."""
    if _attribute(throttle, "rate") is not None:
        return True
    rates = _attribute(throttle, "THROTTLE_RATES")
    cls = throttle if isinstance(throttle, type) else type(throttle)
    owner = next((base for base in cls.__mro__ if "parse_rate" in vars(base)), cls)
    own_rate = class_attribute(cls, "get_rate") is not vars(owner).get("get_rate")
    if own_rate or not isinstance(rates, dict):
        return True
    # ScopedRateThrottle (rest_framework/throttling.py) takes its scope from the view.
    scope = _attribute(throttle, "scope") or view_scope
    return rates.get(scope) is not None


def _attribute(throttle: object, name: str) -> object:
    if isinstance(throttle, type):
        return class_attribute(throttle, name)
    found = own_attribute(throttle, name)
    return class_attribute(type(throttle), name) if found is None else found
