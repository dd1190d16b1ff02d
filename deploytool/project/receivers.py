"""Who listens to ``request_started`` and ``request_finished`` beside Django itself.

Receivers are looked for in this process, where the apps are set up and the URLconf is
loaded, as they are in a server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from django.core import signals
from django.core.handlers.asgi import ASGIHandler

from deploytool.handlers.receivers import djangos_own
from deploytool.project.definitions import dotted
from deploytool.project.facts import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.dispatch import Signal


def inspect_receivers() -> tuple[Receiver, ...]:
    """The receivers of both signals that are not Django's own, in the order of their calls."""
    return (
        *_receivers("request_started", signals.request_started),
        *_receivers("request_finished", signals.request_finished),
    )


def _receivers(
    name: Literal["request_started", "request_finished"], signal: Signal
) -> Iterator[Receiver]:
    own = djangos_own(signal)
    live, live_async = signal._live_receivers(ASGIHandler)
    for receiver in live:
        if receiver not in own:
            yield Receiver(name, dotted(receiver), "sync")
    for receiver in live_async:
        yield Receiver(name, dotted(receiver), "async")
