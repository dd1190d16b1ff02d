"""The clock: the server's time as Server-Sent Events, one a second."""

from __future__ import annotations

import asyncio
import json
import os
import time
from typing import TYPE_CHECKING

from django.utils import timezone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_viewers = 0


def tick() -> str:
    """The event that tells the time now, and how many watch this process's clock."""
    now = timezone.now()
    data = {
        "time": now.strftime("%H:%M:%S"),
        "date": now.date().isoformat(),
        "process": os.getpid(),
        "viewers": _viewers,
    }
    return f"event: tick\ndata: {json.dumps(data)}\n\n"


async def ticks() -> AsyncIterator[str]:
    """The events of one open clock, until the browser leaves.

    Each tick is also the heartbeat that keeps a proxy from closing a silent stream. When the
    browser leaves, Django cancels this generator where it waits: nothing here catches that,
    and what has to be undone is in ``finally``.
    """
    global _viewers  # noqa: PLW0603
    _viewers += 1
    try:
        yield ": the clock\nretry: 2000\n\n"
        while True:
            yield tick()
            # Just after the next whole second: a timer that fires a little early would
            # show the same second twice.
            await asyncio.sleep(1.005 - time.time() % 1)
    finally:
        _viewers -= 1
