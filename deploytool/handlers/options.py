"""What can be set of the handler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DEFAULT_THREADS = 8
"""Threads of a process: as many as Gunicorn's threaded worker is given by the plan.

``benchmarks/handlers.py --threads`` shows why: fewer make views that wait for a database
queue, more cost CPU, since one interpreter lock serves them all.
"""

PLANNED_THREADS = "DEPLOYTOOL_ASGI_THREADS"
"""The environment variable with what was planned for a server, below the setting."""

ASKED_THREADS = "DEPLOYTOOL_ASGI_THREADS_ASKED"
"""The one with what the command line asks for, above the setting."""

DEFAULT_THREAD_TIMEOUT = 10.0
"""Seconds; below the 30 that load balancers and Gunicorn's workers commonly wait."""


Optimisation = Literal["coalescing", "event-loop-hooks", "leased-threads", "lazy-listener"]
"""What makes the handler faster than Django's; each can be switched off by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a handler is to work."""

    threads: int = DEFAULT_THREADS
    """The most threads that requests of one process use, at least 1."""
    thread_timeout: float = DEFAULT_THREAD_TIMEOUT
    """Seconds that a request waits for a thread before it is answered 503."""
    off: frozenset[Optimisation] = frozenset()
    """The optimisations that are not to be used.

    ``coalescing``: neighbouring hooks run in one visit to the thread, not in one each.
    ``event-loop-hooks``: Django's own hooks run on the event loop where they cannot block.
    ``leased-threads``: threads come from a pool and are used again, instead of one started
    for each request. ``lazy-listener``: listening for the client's leaving starts when the
    request first has to wait.
    """
