"""The end of a command in a process where threads of the project's go on.

Python waits at its end for every thread that is not a daemon. What a project starts in
``AppConfig.ready()`` may run for ever, and a check in a CI would never end with it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
import time

_GRACE = 5.0
"""Seconds that such threads are given to end by themselves."""


def end_with(status: int, grace: float = _GRACE) -> None:
    """Have the process end with ``status`` at most ``grace`` seconds from now.

    Threads that keep it are not waited for any longer. Where they end in time, the process
    ends as any other, with what was registered for its exit.
    """
    # All that a large project is made of would be looked through for cycles once more, for
    # more than half a second of benchmarks/checks.py, and then be freed with the process.
    gc.freeze()
    main = threading.main_thread()
    if any(each is not main and not each.daemon for each in threading.enumerate()):
        threading.Thread(target=_end, args=(status, grace), daemon=True).start()


def status_of(ended: BaseException) -> int:
    """The exit status of a process that ``ended`` ends."""
    code = ended.code if isinstance(ended, SystemExit) else 1
    if code is None:
        return 0
    return code if isinstance(code, int) else 1


def _end(status: int, grace: float) -> None:
    time.sleep(grace)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(status)
