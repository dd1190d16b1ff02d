"""Routes of a URLRouter that no path can match, told by Django's own patterns.

A URLRouter takes the slashes off the path before it looks, and takes the first route that
matches (``channels/routing.py``): a pattern that begins with a slash matches nothing, and
what stands below a pattern that matches more is never reached.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from .consumers import consumer_of, joined
from .signature import descends
from .way import ROUTERS

# Paths that only a pattern for every path matches.
_ANY = ("zz", "zz/9-zz/z.z", "9/")
# A regular expression that wants a slash first, and does not do without.
_SLASH = re.compile(r"(?:\^|\\A)+\\?/(?![?*{])")
_SPECIAL = set("<>^$\\()[]{}*+?|.")


class Unmatched(NamedTuple):
    """A route that is never taken.

    ``above`` is the route that takes its paths before it, None where it wants a slash that
    is never there.
    """

    route: str
    literal: str
    above: str | None


def unmatched(routes: Any, prefix: str) -> list[Unmatched]:
    """Those of a URLRouter's ``routes`` that no path matches; ``prefix`` is the way to it."""
    found: list[Unmatched] = []
    above: list[Any] = []
    for route in routes if isinstance(routes, (list, tuple)) else ():
        pattern, callback = getattr(route, "pattern", None), getattr(route, "callback", None)
        if pattern is None or callback is None:
            continue
        literal = str(pattern)
        name = joined(prefix, literal)
        if _wants_slash(pattern, literal):
            found.append(Unmatched(name, literal, None))
            continue
        taker = next((each for each in above if _takes(each.pattern, pattern, literal)), None)
        if taker is not None and not _same(taker.callback, callback):
            found.append(Unmatched(name, literal, joined(prefix, str(taker.pattern))))
        # What is behind a router that matches may not match after all, and the next is tried.
        if not descends(callback, *ROUTERS):
            above.append(route)
    return found


def _same(one: Any, other: Any) -> bool:
    consumer = consumer_of(one)
    return one is other or (consumer is not None and consumer == consumer_of(other))


def _wants_slash(pattern: Any, literal: str) -> bool:
    if descends(pattern, "django.urls.resolvers.RoutePattern"):
        return literal.startswith("/")
    if "|" not in literal and _SLASH.match(literal):
        return True
    # With a $ at its end, Django lets an expression match the whole path (RegexPattern.match).
    whole = literal.startswith("/") and literal.endswith("$") and pattern._is_endpoint
    return whole and "|" not in literal and literal[1:2] not in ("?", "*", "{")


def _takes(above: Any, pattern: Any, literal: str) -> bool:
    """Whether ``above`` matches all that ``pattern`` does."""
    if all(_matches(above, path) for path in _ANY):
        return True
    plain = literal.removeprefix("^").removesuffix("$")
    if not plain or set(plain) & _SPECIAL:
        return False
    return _matches(above, plain) and _matches(pattern, plain)


def _matches(pattern: Any, path: str) -> bool:
    try:
        return pattern.match(path) is not None
    except Exception:  # a converter of the project's
        return False
