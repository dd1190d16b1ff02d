"""``python -m deploytool.development.reloading SERVER ARGS``: reloading for a server without it.

Runs the server in this very process while a thread watches the files as Django's own
reloader does. On a change the server is asked to stop, as by SIGTERM, so that it removes
its Unix socket, and the process replaces itself by a new copy of itself: same PID, same
arguments, nothing that supervises.
"""

from __future__ import annotations

import _thread
import os
import runpy
import signal
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING

from django.utils import autoreload

from deploytool.development.failing import failed
from deploytool.launch import become

if TYPE_CHECKING:
    from django.apps.registry import Apps


_MODULE = "deploytool.development.reloading"


class ExecReloader(autoreload.StatReloader):
    """Django's reloader, replacing the process where Django's ends it for its supervisor."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = threading.Event()

    def wait_for_apps_ready(self, app_reg: Apps, django_main_thread: threading.Thread) -> bool:
        """Wait until the apps are loaded, or until the entry point has failed."""
        del django_main_thread  # it runs the server, also after a failure
        while not failed.is_set():
            if app_reg.ready_event.wait(timeout=0.1):
                return True
        return False

    def notify_file_changed(self, path: str | os.PathLike[str]) -> None:
        """Start anew unless a receiver (Django's template loaders) has dealt with the change."""
        if any(result for _, result in autoreload.file_changed.send(sender=self, file_path=path)):
            return
        print(f"{path} changed, reloading.", file=sys.stderr, flush=True)
        self.changed.set()
        # Until its handler is installed the signal would not reach the server.
        while not callable(signal.getsignal(signal.SIGTERM)):
            time.sleep(0.05)
        _thread.interrupt_main(signal.SIGTERM)
        self.stop()

    def watch(self) -> None:
        """Watch for ever. Settings that do not load leave the files that were imported so far."""
        try:
            self.run(threading.main_thread())
        except Exception:
            if not failed.is_set():
                traceback.print_exc()
            self.run_loop()


def main() -> None:
    """Run ``SERVER ARGS``; once more after every change."""
    arguments = sys.argv[1:]
    reloader = ExecReloader()
    threading.Thread(target=reloader.watch, name="reloader", daemon=True).start()
    sys.argv = arguments
    try:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    finally:
        if reloader.changed.is_set():
            become([sys.executable, "-m", _MODULE, *arguments], os.environ)


if __name__ == "__main__":
    main()
