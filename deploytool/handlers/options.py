"""What can be set of the handler."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_THREADS = 8
"""Threads of a process: as many as Gunicorn's threaded worker is given by the plan.

``benchmarks/handlers.py --threads`` shows why: fewer make views that wait for a database
queue, more cost CPU, since one interpreter lock serves them all.
"""

DEFAULT_THREAD_TIMEOUT = 10.0
"""Seconds; below the 30 that load balancers and Gunicorn's workers commonly wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a handler is to work; each of the last four switches one optimisation."""

    threads: int = DEFAULT_THREADS
    """The most threads that requests of one process use, at least 1."""
    thread_timeout: float = DEFAULT_THREAD_TIMEOUT
    """Seconds that a request waits for a thread before it is answered 503."""
    coalescing: bool = True
    """Neighbouring hooks run in one visit to the thread, not in one each."""
    event_loop_hooks: bool = True
    """Django's own hooks run on the event loop where they cannot block."""
    leased_threads: bool = True
    """Threads come from a pool and are used again, instead of one started per request."""
    lazy_listener: bool = True
    """Listening for the client's leaving starts when the request first has to wait."""
