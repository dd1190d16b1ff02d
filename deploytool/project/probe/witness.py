"""What an import starts and whom it asks, noted as it happens.

Threads, processes and database connections know nothing of the line that led to them once
they are there. So the three methods that begin them are wrapped, each as soon as its module
is loaded: not before, as gevent wants to patch ``threading`` first.
"""

from __future__ import annotations

import functools
import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from .text import is_project

if TYPE_CHECKING:
    from collections.abc import Callable

_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
_MOST = 50  # connections that are noted: more tell nothing new

Frame = tuple[str, int]


class Begun(NamedTuple):
    """Something that was started: the object, and the project's frames, innermost first."""

    thing: Any
    frames: list[Frame]


class Connected:
    """One database connection that was asked for.

    ``module`` is the innermost one that is neither Django's nor Python's.
    """

    def __init__(self, connection: Any, frames: list[Frame], module: str) -> None:
        self.connection = connection
        self.frames = frames
        self.module = module
        self.answered = False


class Witness:
    """Stands first among the finders of modules, finds none, and sees what is loaded."""

    def __init__(self) -> None:
        self.threads: dict[int, Begun] = {}
        self.processes: dict[int, Begun] = {}
        self.connections: list[Connected] = []
        self._methods: dict[str, tuple[str, str, Callable[..., Any]]] = {
            "threading": ("Thread", "start", self._thread),
            "multiprocessing.process": ("BaseProcess", "start", self._process),
            "django.db.backends.base.base": ("BaseDatabaseWrapper", "connect", self._connect),
        }
        self._wrap()
        sys.meta_path.insert(0, self)

    def find_spec(self, *_: Any) -> None:
        """Nothing: called at every import, where a module that was loaded can be met."""
        self._wrap()

    def leave(self) -> None:
        """See nothing more."""
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]

    def _wrap(self) -> None:
        for name in list(self._methods):
            class_name, method, seen = self._methods[name]
            cls = getattr(sys.modules.get(name), class_name, None)
            original = getattr(cls, method, None)
            if cls is not None and original is not None:
                del self._methods[name]
                setattr(cls, method, _seen(original, seen))

    def _thread(self, start: Callable[..., Any], thread: Any) -> Any:
        self.threads[id(thread)] = Begun(thread, own_frames(sys._getframe(2)))
        return start(thread)

    def _process(self, start: Callable[..., Any], process: Any) -> Any:
        # start() forgets the target of the process.
        target = getattr(process, "_target", None)
        self.processes[id(process)] = Begun((process, target), own_frames(sys._getframe(2)))
        return start(process)

    def _connect(self, connect: Callable[..., Any], connection: Any) -> Any:
        threading = sys.modules.get("threading")
        if threading and threading.current_thread() is not threading.main_thread():
            return connect(connection)  # what a thread does is not the import's doing
        frame = sys._getframe(2)
        noted = Connected(connection, own_frames(frame), _asking_module(frame))
        if len(self.connections) < _MOST:
            self.connections.append(noted)
        answer = connect(connection)
        noted.answered = True
        return answer


def _seen(original: Callable[..., Any], seen: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return seen(functools.partial(_called, original, args, kwargs), self)

    return method


def _called(original: Any, args: Any, kwargs: Any, owner: Any) -> Any:
    return original(owner, *args, **kwargs)


def is_own(path: str) -> bool:
    """Whether a file is the project's, neither deploytool's nor of something installed."""
    return is_project(path) and not path.startswith(_PACKAGE)


def own_frames(frame: Any) -> list[Frame]:
    """The project's own frames from ``frame`` outwards: file and line."""
    found = []
    while frame is not None:
        if is_own(frame.f_code.co_filename):
            found.append((frame.f_code.co_filename, frame.f_lineno))
        frame = frame.f_back
    return found


def _asking_module(frame: Any) -> str:
    while frame is not None:
        name = str(frame.f_globals.get("__name__") or "")
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in {"django", "_deploytool_probe"}:
            return name
        frame = frame.f_back
    return "django"
