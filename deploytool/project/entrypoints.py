"""The entry points: which applications a server could be given, and what they really are.

Each is imported in a fresh interpreter, as a server imports it: in a process where
``django.setup()`` has run, the commonest fault (models imported before
``get_asgi_application()``) does not show. Both run at once, while the caller inspects
other things.
"""

from __future__ import annotations

import json
import secrets
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploytool.launch import IsolatedProcess
from deploytool.project.candidates import Candidate, candidate, module_spec
from deploytool.project.facts import EntryPoint, EntryPoints, Failure, Location, Mount
from deploytool.project.probe.guess import guess
from deploytool.project.probe.text import parsed
from deploytool.project.probing import GRACE, PROBE, environment, failure_of
from deploytool.project.routing import inspect_routing
from deploytool.project.source import locate
from deploytool.project.started import own_secret, started
from deploytool.project.traces import own_frames
from deploytool.project.written import assignment_line, websocket_route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploytool.project.facts import Interface

_OUTPUT = 4000  # characters


class PendingEntryPoints:
    """Both inspections under way; :meth:`result` waits for them and has to be called."""

    def __init__(self, wsgi: _Probe, asgi: _Probe, base_dir: str) -> None:
        self._wsgi = wsgi
        self._asgi = asgi
        self._base_dir = base_dir

    def result(self) -> EntryPoints:
        """Both entry points, and the routing modules that lie ready."""
        routing = inspect_routing(self._base_dir)
        return EntryPoints(self._wsgi.result(), self._asgi.result(), routing)


def start_entrypoints(
    *,
    settings_module: str | None,
    base_dir: str,
    import_path: Sequence[str],
    timeout: float,
) -> PendingEntryPoints:
    """Start the inspection of both entry points, each in an interpreter of its own.

    ``django.conf.settings`` has to be loaded and the apps set up. ``settings_module`` is
    what a server's DJANGO_SETTINGS_MODULE would be, ``import_path`` the directories that
    it would import from, ``timeout`` the limit of each import in seconds. Nothing that the
    project does wrong raises; it is in the result.
    """
    env = environment(import_path, {"DJANGO_SETTINGS_MODULE": settings_module or None})
    wsgi = _Probe("wsgi", candidate("wsgi", settings_module, base_dir), base_dir, env, timeout)
    asgi = _Probe("asgi", candidate("asgi", settings_module, base_dir), base_dir, env, timeout)
    return PendingEntryPoints(wsgi, asgi, base_dir)


def inspect_entrypoints(
    *,
    settings_module: str | None,
    base_dir: str,
    import_path: Sequence[str],
    timeout: float,
) -> EntryPoints:
    """Both entry points of the project: :func:`start_entrypoints`, waited for."""
    return start_entrypoints(
        settings_module=settings_module,
        base_dir=base_dir,
        import_path=import_path,
        timeout=timeout,
    ).result()


class _Probe:
    """One application being inspected in a process of its own."""

    def __init__(
        self,
        role: Interface,
        found: Candidate | None,
        base_dir: str,
        env: dict[str, str],
        timeout: float,
    ) -> None:
        self._role: Interface = role
        self._candidate = found
        self._base_dir = base_dir
        self._timeout = timeout
        self._settings_module = env.get("DJANGO_SETTINGS_MODULE")
        self._salt = secrets.token_hex(32)
        self._process: IsolatedProcess | None = None
        self._failed: OSError | None = None
        if found is None or found.problem:
            return
        try:
            self._start(found, env)
        except OSError as error:
            self._failed = error

    def _start(self, found: Candidate, env: dict[str, str]) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="deploytool-")
        directory = Path(self._directory.name)
        request = {
            "module": found.module,
            "attribute": found.attribute,
            "role": self._role,
            "timeout": self._timeout,
            "salt": self._salt,
            "result": str(directory / "result"),
            "trace": str(directory / "trace"),
        }
        argv = [sys.executable, "-P", "-u", str(PROBE), json.dumps(request)]
        limit = self._timeout + GRACE
        self._process = IsolatedProcess(argv, env, directory / "output", limit)

    def result(self) -> EntryPoint:
        """Wait for the process, at most until its limit, and say what it found."""
        found = self._candidate
        if found is None:
            return EntryPoint(self._role, None, "missing", source="not found")
        if found.problem:
            return self._error(found, Failure("ImproperlyConfigured", found.problem))
        if self._process is None:
            return self._error(found, Failure("OSError", f"no interpreter: {self._failed}"))
        status = self._process.wait()
        with self._directory as directory:
            return self._read(found, Path(directory), status)

    def _read(self, found: Candidate, directory: Path, status: int) -> EntryPoint:
        output = _text(directory / "output")
        try:
            raw = json.loads((directory / "result").read_text("utf-8"))
        except (OSError, ValueError):
            failure = self._ended(found, _text(directory / "trace", 200_000), status)
            return self._error(found, failure, output)
        if "status" not in raw:
            return self._error(found, failure_of(raw["error"], self._base_dir), output)
        return self._entry_point(found, raw, output)

    def _entry_point(self, found: Candidate, raw: dict[str, Any], output: str) -> EntryPoint:
        location = self._location(found.module, raw["attribute"])
        error = raw.get("error")
        same_settings = raw["settings_module"] == self._settings_module
        secret = own_secret(self._salt) if same_settings else None
        return EntryPoint(
            self._role,
            f"{found.module}:{raw['attribute']}",
            raw["status"],
            found.source,
            location,
            raw["callable_interface"],
            error and Failure(error["type"], error["message"], location),
            raw["handler"],
            tuple(raw["wrappers"]),
            tuple(raw["protocols"]),
            raw["guessed"],
            tuple(
                websocket_route(route, raw["files"], self._base_dir)
                for route in raw["websocket_routes"]
            ),
            tuple(raw["http_consumers"]),
            tuple(Mount(*mount) for mount in raw["mounts"]),
            raw["socketio"],
            output,
            raw["settings_module"],
            started(raw, self._base_dir, secret),
        )

    def _error(self, found: Candidate, error: Failure, output: str = "") -> EntryPoint:
        """An entry point that cannot be imported: what its text shows all the same."""
        spec = module_spec(found.module) if found.module else None
        tree = parsed(spec.origin) if spec and spec.origin else None
        guessed = guess(tree, found.attribute or "application") if tree else None
        socketio = guessed is not None and guessed.socketio
        protocols = guessed.protocols if guessed and (self._role == "asgi" or socketio) else ()
        return EntryPoint(
            self._role,
            found.application if found.module else None,
            "missing" if spec is None and error.type == "ModuleNotFoundError" else "error",
            found.source,
            self._location(found.module, found.attribute or "application"),
            error=error,
            protocols=protocols,
            guessed=bool(protocols),
            socketio=socketio,
            output=output,
        )

    def _location(self, module: str, attribute: str) -> Location | None:
        spec = module_spec(module) if module else None
        if spec is None or spec.origin is None:
            return None
        return locate(spec.origin, assignment_line(spec.origin, attribute), self._base_dir)

    def _ended(self, found: Candidate, trace: str, status: int) -> Failure:
        """Why the process left no answer: it hung, crashed or ended itself."""
        trail = own_frames(trace, self._base_dir)
        where = trail[-1] if trail else None
        if trace.startswith("Timeout") or (self._process and self._process.timed_out):
            text = f"the import of {found.module} did not end within {self._timeout:g} s"
            return Failure("TimeoutError", text, where, trail)
        if status < 0:
            name = _signal_name(-status)
            text = f"the process was ended by {name} while it imported {found.module}"
            return Failure(name, text, where, trail)
        text = f"the process ended itself with status {status} while it imported {found.module}"
        return Failure("SystemExit", text, where, trail)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _text(path: Path, limit: int = _OUTPUT) -> str:
    """The first ``limit`` characters of a file that may hold anything."""
    try:
        with path.open("rb") as file:
            text = file.read(limit * 4).decode("utf-8", "replace")
    except OSError:
        return ""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)[:limit]
