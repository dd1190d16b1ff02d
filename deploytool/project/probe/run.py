"""The order of the inspection: import, find the application, walk it, write the answer."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import json
import os
import sys
import traceback
from typing import IO, TYPE_CHECKING, Any, NoReturn

from .chain import Walk
from .choose import choose
from .reading import source_guess
from .signature import evaluated, interface_of
from .text import project_files
from .verdict import verdict
from .witness import Witness

if TYPE_CHECKING:
    from .found import Found

_MESSAGE = 2000  # characters of an exception's message that are kept
_FIRST_CALL = 4.0  # seconds until a first call that hangs is given up


def run(request: dict[str, Any], trace: IO[str]) -> None:
    """Inspect what ``request`` names, write the answer to its result file, and end."""
    role = request["role"]
    witness = Witness()
    try:
        module = importlib.import_module(request["module"])
        attribute, app = choose(module, request["attribute"], role)
        app = evaluated(app)
    except BaseException as error:
        write(request, {"error": described(error), "path": sys.path})
        end()
        return
    finally:
        witness.leave()
    # Only now: it imports what the project may want to patch before.
    left = importlib.import_module(f"{__package__}.aftermath").aftermath(witness, request["salt"])
    name = f"{request['module']}:{attribute}"
    found, answer = inspected(app, role, name)
    answer |= {"attribute": attribute, "started": left}
    write(request, answer)
    if role == "asgi" and found.opaque:
        # What is written already stands if the first call hangs or ends the process.
        faulthandler.dump_traceback_later(_FIRST_CALL, exit=True, file=trace)
        # Only now: it imports asyncio, which gevent wants to patch before it is imported.
        importlib.import_module(f"{__package__}.first_call").first_call(app)
        found, answer = inspected(app, role, name)
        answer |= {"attribute": attribute, "started": left}
        write(request, answer)
    end()


def inspected(app: Any, role: str, name: str) -> tuple[Found, dict[str, Any]]:
    """What ``app``, which is ``name`` (module:attribute), is: as found, and as plain data."""
    interface = interface_of(app)
    walk = Walk(role)
    try:
        found = walk.start(app) if callable(app) and interface != "factory" else walk.found
    except Exception:  # an object of the project's that cannot be looked at
        found = walk.found
        found.opaque = True
    if found.opaque:
        guessed = source_guess(app, role)
        found.guessed = found.guessed or not guessed <= found.protocols
        found.protocols |= guessed
    interface = interface or found.inner_interface
    status, kind, message = verdict(app, role, interface, found.problem, name)
    answer = {**found.as_dict(), "status": status, "callable_interface": interface}
    answer["settings_module"] = os.environ.get("DJANGO_SETTINGS_MODULE")
    if message is not None:
        answer["error"] = {"type": kind, "message": message, "frames": []}
    if found.websocket_routes:
        answer["files"] = project_files()
    return found, answer


def described(error: BaseException) -> dict[str, Any]:
    """An exception as plain data: class, message, and the frames that it came through."""
    try:
        message = str(error).strip()
    except Exception:
        message = ""
    if isinstance(error, SystemExit):
        message = f"the import ended the process: sys.exit({error.code!r})"
    frames: list[tuple[str, int | None]] = []
    seen: set[int] = set()
    cause: BaseException | None = error
    chain = []
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        place = [(f.filename, f.lineno) for f in traceback.extract_tb(cause.__traceback__)]
        if isinstance(cause, SyntaxError) and cause.filename:
            place.append((cause.filename, cause.lineno))
        chain.append(place)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    frames = chain[0]
    return {
        "type": type(error).__name__,
        "message": (message or type(error).__name__)[:_MESSAGE],
        "frames": frames[-200:],
        "causes": [place[-200:] for place in chain[1:]],
    }


def write(request: dict[str, Any], answer: dict[str, Any]) -> None:
    """Write the answer whole: a reader sees the old file or the new one."""
    partial = request["result"] + ".new"
    with open(partial, "w", encoding="utf-8") as file:
        json.dump(answer, file)
    os.replace(partial, request["result"])


def end() -> NoReturn:
    """End at once, whatever threads and exit handlers the import left."""
    faulthandler.cancel_dump_traceback_later()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # closed or replaced by the import
            stream.flush()
    os._exit(0)
