"""The first call of an application that builds itself then."""

from __future__ import annotations

import asyncio
from typing import Any

from .dispatch import Reader, parameters
from .inner import constants
from .signature import function_of, interface_of
from .text import definition

_LIMIT = 3.0  # seconds


def first_call(app: Any) -> None:
    """Call ``app`` as a server first calls it, unless that would start something of its own."""
    if _builds_only(app):
        try:
            asyncio.run(_lifespan(app))
        except BaseException:  # Django's handler raises ValueError for this scope
            return


def _builds_only(app: Any) -> bool:
    """Whether the code of ``app`` leaves lifespan events to what it builds."""
    function = function_of(app)
    if function is None:
        return False
    if "lifespan" in constants(function.__code__):
        return False
    node = definition(function)
    if node is None:
        return True
    return not any(
        answer.target is None for answer in Reader(node, parameters(node, bound=False)).answers
    )


async def _lifespan(app: Any) -> None:
    """Send the application what a server sends first: startup, then shutdown."""
    events = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> dict[str, str]:
        for event in events:
            return {"type": event}
        await asyncio.sleep(_LIMIT)
        return {"type": "lifespan.shutdown"}

    async def send(message: Any) -> None:
        return None

    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
    async with asyncio.timeout(_LIMIT):
        if interface_of(app) == "asgi2":
            await app(scope)(receive, send)
        else:
            await app(scope, receive, send)
