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

    Message = dict[str, Any]

# Set once the entry point has failed: a reloader need not wait for the apps.
failed = threading.Event()

_HEADER = ("Content-Type", "text/plain; charset=utf-8")


class FailedApplication:
    """What answers instead, with the traceback; shows it on standard error as well."""

    def __init__(self, error: BaseException) -> None:
        traceback.print_exception(error)
        print("Waiting for a change to the project's files.", file=sys.stderr, flush=True)
        self._body = "".join(traceback.format_exception(error)).encode(errors="replace")
        _watch(files_of(error))
        failed.set()

    def wsgi(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a WSGI request."""
        del environ
        length = ("Content-Length", str(len(self._body)))
        start_response("500 Internal Server Error", [_HEADER, length])
        return [self._body]

    async def asgi(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer an ASGI request, refuse a WebSocket, go along with lifespan events."""
        if scope["type"] == "http":
            headers = [tuple(part.lower().encode() for part in _HEADER)]
            await send({"type": "http.response.start", "status": 500, "headers": headers})
            await send({"type": "http.response.body", "body": self._body})
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})
        elif scope["type"] == "lifespan":
            for phase in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{phase}.complete"})


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
