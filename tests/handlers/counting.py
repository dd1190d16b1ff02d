"""How often a request goes to a thread, told in a header; for the projects of the tests."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from asgiref.sync import SyncToAsync

_visits: ContextVar[list[object]] = ContextVar("visits")
_call = SyncToAsync.__call__


async def _counting_call(self: Any, *args: Any, **kwargs: Any) -> Any:
    _visits.get([]).append(self.func)
    return await _call(self, *args, **kwargs)


def counted(application: Any) -> Any:
    """``application``, whose responses say in ``X-Visits`` how many there were before them."""
    SyncToAsync.__call__ = _counting_call

    async def counting(scope: Any, receive: Any, send: Any) -> None:
        visits: list[object] = []
        _visits.set(visits)

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                header = (b"x-visits", str(len(visits)).encode())
                message = {**message, "headers": [*message["headers"], header]}
            await send(message)

        await application(scope, receive, sending)

    return counting
