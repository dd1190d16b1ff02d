"""The ASGI handler: Django's own, without what a request through it pays for nothing.

``ASGIHandler.__call__``, ``create_request``, ``get_response_async``, ``read_body`` and
``send_response`` are Django's, so that tools that patch them find them.
"""

from __future__ import annotations

import logging
from contextlib import closing
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from asgiref.sync import SyncToAsync
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers import asgi
from django.http import HttpResponse
from django.urls import set_script_prefix

from deploytool.handlers.chain import ChainMixin
from deploytool.handlers.disconnect import while_connected
from deploytool.handlers.leases import Lease, NoThreadAvailableError, ThreadPool
from deploytool.handlers.options import Options
from deploytool.handlers.receivers import can_close_here, can_finish_here, only_djangos

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from django.http.response import HttpResponseBase

    Message = Mapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

logger = logging.getLogger("django.request")


class ASGIHandler(ChainMixin, asgi.ASGIHandler):
    """Django's ``ASGIHandler`` with fewer visits to fewer threads."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        super().__init__()

    @cached_property
    def pool(self) -> ThreadPool:
        """The threads of this handler; subclasses of Django's may not call ``__init__``."""
        return ThreadPool(self.options.threads, self.options.thread_timeout)

    @property
    def sender(self) -> type:
        """Who sends the signals: receivers that listen to Django's handler hear this one."""
        return asgi.ASGIHandler if type(self) is ASGIHandler else type(self)

    async def handle(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request; called by ``__call__`` inside of its thread's context."""
        try:
            body_file = await self.read_body(receive)
        except RequestAborted:
            return
        lease = self.pool.lease() if "leased-threads" not in self.options.off else None
        exchange = _Exchange(self, lease, send)
        try:
            with closing(body_file):
                await exchange.run(scope, receive, body_file)
        finally:
            if lease is not None:
                await lease.end()


class _Exchange:
    """One request and its response."""

    def __init__(self, handler: ASGIHandler, lease: Lease | None, send: Send) -> None:
        self.handler = handler
        self.sender = handler.sender
        self.lease = lease
        self.response: HttpResponseBase | None = None
        self._send = send
        self._started = False
        self._closes_here = False

    async def send(self, message: Message) -> None:
        """Send, and remember that the response has begun."""
        self._started = True
        await self._send(message)

    async def run(self, scope: dict[str, Any], receive: Receive, body_file: Any) -> None:
        """``ASGIHandler.handle()`` (django/core/handlers/asgi.py, Django 6.1), body read."""
        handler = self.handler
        try:
            set_script_prefix(asgi.get_script_prefix(scope))
            await self._announce(scope)
            request, error_response = handler.create_request(scope, body_file)
            if error_response is not None:
                body_file.close()
                await handler.send_response(error_response, self.send)
                await _close(error_response)
                return
            await while_connected(
                self._answer(request),
                partial(handler.listen_for_disconnect, receive),
                lazily="lazy-listener" not in handler.options.off,
            )
        except NoThreadAvailableError:
            if self._started:
                raise
            await self._refuse(scope)
        await self._finish()

    async def _answer(self, request: Any) -> None:
        handler = self.handler
        response: Any = await handler.run_get_response(request)
        response._handler_class = self.sender
        self.response = response
        if self.lease is not None:
            self._closes_here = not response.streaming and self._can_close_here()
            # The middleware and the view are through. Should a stream need a thread now and
            # then, it gets one when it does; one that is not asynchronous is read in the
            # thread, at once and as a whole.
            if self._closes_here or getattr(response, "is_async", False):
                self.lease.let_go()
        await handler.send_response(response, self.send)

    async def _announce(self, scope: dict[str, Any]) -> None:
        """Send ``request_started``.

        What Django's own receivers tidy belongs to the thread, and the request has none
        yet: they are called in the one it gets.
        """
        receivers = only_djangos(signals.request_started, self.sender)
        if receivers is None or self.lease is None:
            await signals.request_started.asend(sender=self.sender, scope=scope)
            return

        def tidy() -> None:
            for receiver in receivers:
                receiver(signal=signals.request_started, sender=self.sender, scope=scope)

        self.lease.before = tidy

    async def _finish(self) -> None:
        """Close the response, which sends ``request_finished``."""
        if self.lease is not None:
            self.lease.patient = True
        if self._closes_here or self._can_close_here():
            if self.response is None:
                signals.request_finished.send(sender=self.sender)
            else:
                self.response.close()
        elif self.response is None:
            await signals.request_finished.asend(sender=self.sender)
        else:
            await _close(self.response)

    def _can_close_here(self) -> bool:
        """Whether all that happens at the end could not block the event loop.

        What Django's receivers do to the connections of a thread is done in the request's,
        when the lease is given back.
        """
        return (
            self.lease is not None
            and not self.lease.in_use
            and can_finish_here(self.sender)
            and (self.response is None or can_close_here(self.response))
        )

    async def _refuse(self, scope: dict[str, Any]) -> None:
        """Answer 503: no thread became free in time."""
        pool = self.handler.pool
        seconds = max(1, round(pool.timeout))
        logger.error(
            "Service Unavailable: %s: none of %d threads became free within %g seconds",
            scope["path"],
            pool.size,
            pool.timeout,
            extra={"status_code": 503},
        )
        response: Any = HttpResponse(
            b"Service Unavailable", status=503, headers={"Retry-After": str(seconds)}
        )
        response._handler_class = self.sender
        self.response = response
        await self.handler.send_response(response, self.send)


def _close_response(response: HttpResponseBase) -> None:
    response.close()


_close = SyncToAsync(_close_response, thread_sensitive=True)
