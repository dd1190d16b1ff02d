"""``python -m deploytool.development.reloading SERVER ARGS``: reloading for a server without it.

Runs the server in this very process while a thread watches the files as Django's own
reloader does. On a change the process replaces itself by a new copy of itself: same PID,
same arguments, nothing that supervises.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
import traceback
from typing import TYPE_CHECKING

from django.utils import autoreload

from deploytool.development.failing import failed
from deploytool.launch import become

if TYPE_CHECKING:
    from django.apps.registry import Apps


class ExecReloader(autoreload.StatReloader):
    """Django's reloader, replacing the process where Django's ends it for its supervisor."""

    def __init__(self, arguments: list[str]) -> None:
        super().__init__()
        self.arguments = arguments

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
        module = "deploytool.development.reloading"
        become([sys.executable, "-m", module, *self.arguments], os.environ)

    def watch(self) -> None:
        """Watch for ever. Settings that do not load leave the files that were imported so far."""
        try:
            self.run(threading.main_thread())
        except Exception:
            if not failed.is_set():
                traceback.print_exc()
            self.run_loop()


def main() -> None:
    """Run ``SERVER ARGS`` and watch the files meanwhile."""
    reloader = ExecReloader(sys.argv[1:])
    threading.Thread(target=reloader.watch, name="reloader", daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
