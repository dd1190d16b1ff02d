"""The middleware as a server would have it: each made in a process of its own, none called.

The process (``deploytool.project.conduct``) loads the chain for one interface and reads what
a call of each middleware would do. Here it is started, bounded in time, and what it wrote
down becomes plain, frozen data. Nothing that the project does wrong raises.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from deploytool.launch import IsolatedProcess
from deploytool.project.facts import Failure, Location
from deploytool.project.source import is_installed, locate
from deploytool.project.traces import own_frames

if TYPE_CHECKING:
    from deploytool.project.facts import Interface, Project

_PROBE = Path(__file__).resolve().parent / "conduct" / "__main__.py"
_STEPS = 4
"""How much longer than one step's limit the process may take: settings and apps, each
middleware, and the reading of their code."""

Status = Literal["made", "unused", "unimportable", "incapable", "error", "hangs"]
Kind = Literal["plain", "sync", "async"]


@dataclass(frozen=True, slots=True)
class Test:
    """A test in the code, which only a request decides; ``about`` is what it asks for.

    ``mode`` (asynchronous or not), ``type`` (of the content), ``path`` (of the request),
    ``exception`` (what is done after one), ``end`` (that the function ends without a
    return) or ``other``.
    """

    text: str
    about: Literal["mode", "type", "path", "exception", "end", "other"]

    @property
    def is_positive(self) -> bool:
        """Whether it leads into a branch, rather than past one."""
        return not self.text.startswith("not ")


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something that a middleware's code does, and where.

    ``kind`` and ``detail`` are those of ``deploytool.project.conduct.events.Event``; ``text``
    is the source, ``tests`` what has to be so of a request, ``responses`` the kinds of
    response that it happens to. ``on_loop`` where an event loop's thread runs it, ``inside``
    where the rest of the chain has been called before.
    """

    kind: str
    location: Location
    text: str
    detail: str
    tests: tuple[Test, ...]
    responses: tuple[Kind, ...]
    on_loop: bool
    inside: bool
    installed: bool

    @property
    def always(self) -> bool:
        """Whether every ordinary request gets there: no branch leads to it but past others."""
        return not any(test.is_positive or test.about != "other" for test in self.tests)


@dataclass(frozen=True, slots=True)
class Result:
    """One thing that a call may give.

    ``kind`` is ``response`` (from inside), ``own-response``, ``none``, ``generator``,
    ``unknown`` or ``raises``, with ``coroutine>`` before it as often as it has to be awaited.
    """

    kind: str
    tests: tuple[Test, ...]

    @property
    def is_coroutine(self) -> bool:
        """Whether it has to be awaited."""
        return self.kind.startswith("coroutine>")

    @property
    def certain(self) -> bool:
        """Whether it is not left to a test that asks for the mode, or to an exception."""
        return not any(test.about in ("mode", "exception") for test in self.tests)


@dataclass(frozen=True, slots=True)
class Hook:
    """A hook of a middleware that was made; ``marked`` where it is a coroutine function.

    ``problem`` is its signature where it cannot be called with what Django gives it.
    """

    name: str
    marked: bool
    location: Location | None
    results: tuple[Result, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Conduct:
    """One entry of ``settings.MIDDLEWARE`` as the process made it.

    ``status``: ``made``; ``unused`` where it raised MiddlewareNotUsed, for ``reason``;
    ``unimportable``; ``incapable`` of either mode; ``error`` where making it raised;
    ``hangs`` where that did not end. ``mode`` is how Django calls it, True for
    asynchronously, and ``marked`` whether it is a coroutine function to Django.
    ``call_problem`` is ``asgi`` or ``wsgi`` for a middleware of that kind, a signature where
    it cannot be called with a request, None where it can. ``temporary`` says of an error
    that it may be a matter of where this process runs: a connection refused.
    """

    index: int
    path: str
    status: Status
    mode: bool = False
    marked: bool = False
    reason: str = ""
    error: Failure | None = None
    temporary: bool = False
    call_problem: str | None = None
    mixin: bool = False
    own_call: bool = False
    is_function: bool = False
    coroutine: bool = False
    call_at: Location | None = None
    init_at: Location | None = None
    results: tuple[Result, ...] = ()
    hooks: tuple[Hook, ...] = ()
    noticed: tuple[Noticed, ...] = ()

    @property
    def used(self) -> bool:
        """Whether requests go through it."""
        return self.status == "made"

    def of(self, *kinds: str) -> tuple[Noticed, ...]:
        """What was noticed of the given kinds."""
        return tuple(each for each in self.noticed if each.kind in kinds)


@dataclass(frozen=True, slots=True)
class Chain:
    """Every entry, the outermost first; empty where the process could not say anything.

    ``before_setup`` and ``after_setup`` are the entries in the settings before and after
    the apps were set up; ``finished`` where all of them could be looked at.
    """

    interface: Interface
    entries: tuple[Conduct, ...] = ()
    before_setup: tuple[str, ...] = ()
    after_setup: tuple[str, ...] = ()
    finished: bool = False
    error: Failure | None = None

    @property
    def used(self) -> tuple[Conduct, ...]:
        """The entries that requests go through."""
        return tuple(entry for entry in self.entries if entry.used)


class PendingChain:
    """The process under way; :meth:`result` waits for it and has to be called."""

    def __init__(self, project: Project, interface: Interface) -> None:
        self._project = project
        self._interface = interface
        self._timeout = project.conf.entrypoint_timeout
        self._directory = tempfile.TemporaryDirectory(prefix="deploytool-")
        self._process: IsolatedProcess | None = None
        if project.settings_module is None:
            return  # settings.configure(): no other process has these settings
        try:
            self._process = self._start(Path(self._directory.name))
        except OSError:
            self._process = None

    def _start(self, directory: Path) -> IsolatedProcess:
        project = self._project
        entry = project.entrypoints.asgi if self._interface == "asgi" else project.entrypoints.wsgi
        request = {
            "interface": self._interface,
            "application": entry.application or "",
            "timeout": self._timeout,
            "result": str(directory / "result"),
            "trace": str(directory / "trace"),
        }
        env = dict(os.environ)
        env["DJANGO_SETTINGS_MODULE"] = project.settings_module or ""
        before = filter(None, env.get("PYTHONPATH", "").split(os.pathsep))
        env["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([*project.import_path, *before]))
        argv = [sys.executable, "-P", "-u", str(_PROBE), json.dumps(request)]
        return IsolatedProcess(argv, env, directory / "output", self._timeout * _STEPS)

    def result(self) -> Chain:
        """Wait for the process, at most until its limit, and say what it found."""
        if self._process is None:
            self._directory.cleanup()
            return Chain(self._interface)
        self._process.wait()
        with self._directory as directory:
            return self._read(Path(directory))

    def _read(self, directory: Path) -> Chain:
        try:
            raw = json.loads((directory / "result").read_text("utf-8"))
        except (OSError, ValueError):
            return Chain(self._interface)
        base = self._project.base_dir
        trace = _text(directory / "trace")
        found = [_conduct(each, base, trace, self._timeout) for each in raw["entries"]]
        return Chain(
            self._interface,
            tuple(sorted(found, key=lambda each: each.index)),
            tuple(raw.get("before_setup", ())),
            tuple(raw.get("after_setup", ())),
            raw.get("finished", False),
            _failure(raw["error"], base) if raw.get("error") else None,
        )


def inspect_chain(project: Project, interface: Interface) -> Chain:
    """The middleware of ``project`` as a server of ``interface`` would have it."""
    return PendingChain(project, interface).result()


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""


def _conduct(raw: dict[str, Any], base: str, trace: str, timeout: float) -> Conduct:
    error = _failure(raw["error"], base) if raw.get("error") else None
    if raw["status"] == "hangs":
        trail = own_frames(trace, base)
        message = f"making it did not end within {timeout:g} s"
        error = Failure("TimeoutError", message, trail[-1] if trail else None, trail)
    return Conduct(
        index=raw["index"],
        path=raw.get("path", ""),
        status=raw["status"],
        mode=raw.get("mode", False),
        marked=raw.get("marked", False),
        reason=raw.get("reason", ""),
        error=error,
        temporary=_is_temporary(raw.get("error")),
        call_problem=raw.get("call_problem"),
        mixin=raw.get("mixin", False),
        own_call=raw.get("own_call", False),
        is_function=raw.get("is_function", False),
        coroutine=raw.get("coroutine", False),
        call_at=_location(raw.get("call_at"), base),
        init_at=_location(raw.get("init_at"), base),
        results=_results(raw.get("results", ())),
        hooks=tuple(
            Hook(
                name,
                each["marked"],
                _location(each["at"], base),
                _results(each.get("results", ())),
                each.get("problem"),
            )
            for name, each in raw.get("hooks", {}).items()
        ),
        noticed=_noticed(raw.get("events", {}), base),
    )


def _failure(raw: dict[str, Any], base: str) -> Failure:
    trail = tuple(
        locate(path, line, base) for path, line in raw["frames"] if not is_installed(path)
    )
    return Failure(raw["type"], raw["message"], trail[-1] if trail else None, trail)


_OF_THE_PLACE = ("OSError", "OperationalError", "InterfaceError")


def _is_temporary(raw: dict[str, Any] | None) -> bool:
    """Whether an exception says that something elsewhere could not be reached."""
    names = raw["bases"] if raw else ()
    return any(name in _OF_THE_PLACE or "Connection" in name or "Timeout" in name for name in names)


def _location(raw: Any, base: str) -> Location | None:
    return locate(raw[0], raw[1], base) if raw else None


def _tests(raw: Any) -> tuple[Test, ...]:
    return tuple(Test(each["text"], each["about"]) for each in raw)


def _results(raw: Any) -> tuple[Result, ...]:
    return tuple(Result(each["kind"], _tests(each["conditions"])) for each in raw)


def _noticed(raw: dict[Kind, list[dict[str, Any]]], base: str) -> tuple[Noticed, ...]:
    """The events of all kinds of response, each once."""
    kinds: dict[str, list[Kind]] = {}
    events: dict[str, dict[str, Any]] = {}
    for kind, found in raw.items():
        for each in found:
            key = json.dumps(each, sort_keys=True)
            kinds.setdefault(key, []).append(kind)
            events[key] = each
    return tuple(
        Noticed(
            event["kind"],
            locate(event["path"], event["line"], base),
            event["text"],
            event["detail"],
            _tests(event["conditions"]),
            tuple(kinds[key]),
            event["on_loop"],
            event["inside"],
            is_installed(event["path"]),
        )
        for key, event in events.items()
    )
