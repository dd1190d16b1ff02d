"""What goes on by itself in a process: the threads, timers and processes of the project.

Most threads are nobody's business: those of a thread pool, of a connection pool, of what
sends telemetry. The project's are those that its own code runs in or is called from.
"""

from __future__ import annotations

import functools
import sys
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from .signature import descends, dotted
from .witness import is_own

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .witness import Begun, Frame

# Classes whose threads call by time what they were given elsewhere. They keep it in a store
# of their own, so that nothing but the class tells them from, say, an exporter of metrics.
# APScheduler 3 (BaseScheduler), Celery's beat in a thread (EmbeddedService), Huey's consumer.
_SCHEDULERS = (
    "apscheduler.schedulers.base.BaseScheduler",
    "celery.beat._Threaded",
    "huey.consumer.Consumer",
    "huey.consumer.Scheduler",
)


class Running(NamedTuple):
    """One thing that goes on, as :class:`deploytool.project.facts.Background` has it.

    ``file`` and ``line`` are where what runs is written; ``at`` is the project's innermost
    frame of it, ``started`` the project's frames that started it, innermost first.
    """

    kind: str
    runs: str
    file: str | None
    line: int | None
    at: Frame | None
    started: list[Frame]
    waiting: bool


def background(
    threads: Mapping[int, Begun], processes: Mapping[int, Begun]
) -> list[tuple[int, Running]]:
    """What goes on in this process, each with a number that stays its own."""
    found = [*_threads(threads), *_processes(processes)]
    return sorted(found, key=lambda item: (item[1].started[:1], item[1].runs))


def _threads(begun: Mapping[int, Begun]) -> Iterator[tuple[int, Running]]:
    threading = sys.modules.get("threading")
    if threading is None:
        return
    known = {thread.ident: thread for thread in threading.enumerate()}
    mine = {threading.get_ident(), threading.main_thread().ident}
    for ident, frame in sys._current_frames().items():
        if ident not in mine:
            thread = known.get(ident)
            note = begun.get(id(thread))
            running = _running(thread, frame, note.frames if note else [])
            if running is not None:
                yield ident, running


def _running(thread: Any, frame: Any, started: list[Frame]) -> Running | None:
    target = getattr(thread, "_target", None)
    holder = getattr(target, "__self__", None)
    for each in (thread, holder):
        if each is not None and descends(each, *_SCHEDULERS):
            return Running("scheduler", dotted(type(each)), None, None, None, started, False)
    frames = list(_outwards(frame))
    own = [each for each in frames if is_own(each.f_code.co_filename)]
    if own:
        inner = own[0]
        return _made(
            "thread",
            _qualified(own[-1]),
            own[-1].f_code,
            (inner.f_code.co_filename, inner.f_lineno),
            started,
            _waits(frames[: frames.index(inner)]),
        )
    if thread is not None and descends(thread, "threading.Timer"):
        function = _own_function(getattr(thread, "function", None))
        return function and _of_function("timer", function, started)
    module = getattr(target, "__module__", None) or type(thread).__module__
    if str(module).partition(".")[0] in sys.stdlib_module_names:
        # A pool's worker, a listener of logging: what it is given it does when asked to.
        return None
    given = [target, *(getattr(thread, "_args", None) or ())]
    for each in (thread, holder):
        given += getattr(each, "__dict__", {}).values()
    function = next(filter(None, map(_own_function, given)), None)
    return function and _of_function("scheduler", function, started)


def _outwards(frame: Any) -> Iterator[Any]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _waits(frames: list[Any]) -> bool:
    """Whether the project's code called something that waits for this process, without end.

    ``frames`` are those of what it called: ``Queue.get()``, ``Event.wait()``.
    """
    for frame in reversed(frames):
        if frame.f_globals.get("__name__") in {"queue", "threading", "multiprocessing.queues"}:
            return "timeout" in frame.f_locals and frame.f_locals["timeout"] is None
    return False


def _own_function(value: Any) -> FunctionType | None:
    """The function of the project's that calling ``value`` runs, None where it is another's."""
    while isinstance(value, functools.partial):
        value = value.func
    value = getattr(value, "__func__", value)
    if isinstance(value, FunctionType) and is_own(value.__code__.co_filename):
        return value
    return None


def _of_function(kind: str, function: FunctionType, started: list[Frame]) -> Running:
    return _made(kind, dotted(function), function.__code__, None, started, False)


def _made(
    kind: str, runs: str, code: Any, at: Frame | None, started: list[Frame], waiting: bool
) -> Running:
    return Running(kind, runs, code.co_filename, code.co_firstlineno, at, started, waiting)


def _qualified(frame: Any) -> str:
    name = frame.f_globals.get("__name__")
    return f"{name}.{frame.f_code.co_qualname}" if name else str(frame.f_code.co_qualname)


def _processes(begun: Mapping[int, Begun]) -> Iterator[tuple[int, Running]]:
    for note in begun.values():
        process, target = note.thing
        function = _own_function(target) or _own_function(type(process).run)
        try:
            alive = process.is_alive()
        except Exception:
            alive = False
        if function is not None and alive:
            yield -id(process), _of_function("process", function, note.frames)
