"""WhiteNoise for both interfaces: the files of ``STATIC_ROOT``, served by the site itself."""

from __future__ import annotations

from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from whitenoise.middleware import WhiteNoiseMiddleware

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from django.http import HttpRequest, HttpResponse


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """WhiteNoise that is asynchronous where the request is.

    WhiteNoise is synchronous: under ASGI each request would cross into a thread for it, and
    Django would warn that it has to read each file whole before it can send it.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """The response; under ASGI an awaitable of it."""
        if iscoroutinefunction(self):
            return self.__acall__(request)
        return super().__call__(request)

    async def __acall__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(self.static_prefix):
            return await self.get_response(request)
        # In a thread, because WhiteNoise looks on the disk.
        response = await sync_to_async(super().__call__)(request)
        if isawaitable(response):  # no such file: the answer of get_response
            return await response
        response.streaming_content = _asynchronous(response.streaming_content)
        return response


async def _asynchronous(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    """The parts of a file, which are read in a thread as they are sent."""
    iterator = iter(parts)
    while part := await sync_to_async(next)(iterator, b""):
        yield part
