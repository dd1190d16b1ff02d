"""How a connection comes to the place in an application that the walk has reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

ROUTERS = ("ProtocolTypeRouter", "URLRouter", "ChannelNameRouter")


class Way(NamedTuple):
    """The scope types that can arrive, what they came through, and the path they took.

    ``chosen`` is True where something picked this place among others by type or path,
    False where it was simply wrapped. ``around`` are the wrappers without the routers.
    """

    types: frozenset[str]
    wrappers: tuple[str, ...] = ()
    around: tuple[str, ...] = ()
    prefix: str = ""
    chosen: bool = False

    def only(self, types: Iterable[str]) -> Way:
        """The same way for fewer scope types."""
        return self._replace(types=frozenset(types))

    def through(self, *names: str) -> Way:
        """The way on, inside of these wrappers."""
        return self._replace(wrappers=(*self.wrappers, *names), around=(*self.around, *names))

    def routed(self, name: str) -> Way:
        """The way on, behind a router."""
        return self._replace(wrappers=(*self.wrappers, name))

    def to(self, prefix: str = "", *, chosen: bool = True) -> Way:
        """The way to one of several places, below ``prefix``."""
        return self._replace(prefix=self.prefix + prefix, chosen=chosen)
