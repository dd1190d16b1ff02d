"""What Django itself does when a request starts and ends, and where that has to happen.

``request_started`` and ``request_finished`` are sent to a thread by Django's handler for
each request. Their own receivers tidy database connections, which are kept by thread,
caches and the URLconf: nothing that matters to a thread the request never used. As soon
as anybody else listens, the signals are sent as Django sends them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core import signals
from django.core.cache import caches, close_caches
from django.core.cache.backends.base import BaseCache
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.base import reset_urlconf
from django.db import close_old_connections, connections, reset_queries
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from deploytool.handlers.source import is_original, is_read_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.dispatch import Signal

_KNOWN: dict[int, frozenset[object]] = {
    # django/db/__init__.py
    id(signals.request_started): frozenset({reset_queries, close_old_connections}),
    # django/db/__init__.py, django/core/cache/__init__.py, django/core/handlers/base.py
    id(signals.request_finished): frozenset({close_old_connections, close_caches, reset_urlconf}),
}


def djangos_own(signal: Signal) -> frozenset[object]:
    """Django's own receivers of ``request_started`` or ``request_finished``."""
    return _KNOWN[id(signal)]


def only_djangos(signal: Signal, sender: object) -> list[Callable[..., Any]] | None:
    """The receivers of ``signal`` if all of them are Django's own, else None."""
    if not is_read_version():
        return None
    live, live_async = signal._live_receivers(sender)
    if live_async or not djangos_own(signal).issuperset(live):
        return None
    return list(live)


def can_finish_here(sender: object) -> bool:
    """Whether ``request_finished`` does nothing on the event loop that could block.

    The connections of the request's thread are not in reach here, and those of this one
    are nobody's; of the caches that were used, only Memcached's talk to a server to close.
    """
    return (
        only_djangos(signals.request_finished, sender) is not None
        and not connections.all(initialized_only=True)
        and all(type(cache).close is BaseCache.close for cache in caches.all(initialized_only=True))
    )


def can_close_here(response: HttpResponseBase) -> bool:
    """Whether closing ``response`` runs nothing but Django's code, and touches no file."""
    return type(response).close is _CLOSE and all(
        map(_is_light, response._resource_closers)  # type: ignore[attr-defined]
    )


_CLOSE = HttpResponseBase.close
_CLOSE_REQUEST = ASGIRequest.close
_UNPATCHED = all(map(is_original, (_CLOSE, _CLOSE_REQUEST, HttpRequest.close)))


def _is_light(closer: object) -> bool:
    """Whether ``closer`` is the ``close()`` of a request that holds no file on disk."""
    request = getattr(closer, "__self__", None)
    return (
        _UNPATCHED
        and isinstance(request, ASGIRequest)
        and getattr(closer, "__func__", None) is _CLOSE_REQUEST
        and not request.__dict__.get("_files")
        and not getattr(request._stream, "_rolled", True)
    )
