"""What stands in for an entry point that cannot be imported: its error, until it is mended.

Left alone, a failed import ends Gunicorn, makes every request to Uvicorn hang, and in
Gunicorn's ``asgi`` worker outlives the mended file, which nothing watches.
"""

from __future__ import annotations

import sys
import threading
import traceback
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from deploytool.project.facts import Interface

    Message = dict[str, Any]

# Set once the entry point has failed: a reloader need not wait for the apps.
failed = threading.Event()

_HEADER = ("Content-Type", "text/plain; charset=utf-8")


class FailedWSGI:
    """Answers every WSGI request with a traceback."""

    def __init__(self, text: str) -> None:
        self.body = text.encode(errors="replace")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """See PEP 3333."""
        del environ
        length = ("Content-Length", str(len(self.body)))
        start_response("500 Internal Server Error", [_HEADER, length])
        return [self.body]


class FailedASGI:
    """Answers every HTTP request with a traceback, refuses WebSockets, takes part in lifespan."""

    def __init__(self, text: str) -> None:
        self.body = text.encode(errors="replace")

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """See the ASGI specification."""
        if scope["type"] == "http":
            headers = [tuple(part.lower().encode() for part in _HEADER)]
            await send({"type": "http.response.start", "status": 500, "headers": headers})
            await send({"type": "http.response.body", "body": self.body})
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})
        elif scope["type"] == "lifespan":
            for phase in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{phase}.complete"})


def failed_application(error: BaseException, interface: Interface) -> FailedWSGI | FailedASGI:
    """An application that answers with ``error``, which goes to standard error as well."""
    text = "".join(traceback.format_exception(error))
    print(f"{text}Waiting for a change to the project's files.", file=sys.stderr, flush=True)
    _watch(files_of(error))
    failed.set()
    return FailedASGI(text) if interface == "asgi" else FailedWSGI(text)


def files_of(error: BaseException) -> list[str]:
    """The files on the way to ``error`` and to what caused it, each once."""
    files: dict[str, None] = {}
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        files |= dict.fromkeys(
            frame.filename for frame in traceback.extract_tb(cause.__traceback__)
        )
        if isinstance(cause, SyntaxError) and cause.filename:
            files[cause.filename] = None
        cause = cause.__cause__ or cause.__context__
    return [file for file in files if Path(file).is_file()]


def _watch(files: Iterable[str]) -> None:
    """Let the server's reloader see ``files``.

    Reloaders watch the files of the modules that are loaded, among which a module whose
    import has failed is not.
    """
    for number, file in enumerate(files):
        name = f"{__name__}.file{number}"
        module = ModuleType(name, f"Stands for {file}.")
        module.__file__ = file
        # Django's reloader asks the spec.
        module.__spec__ = spec_from_file_location(name, file)
        sys.modules[name] = module
