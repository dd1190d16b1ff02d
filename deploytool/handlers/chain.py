"""Loading ``MIDDLEWARE`` as Django does, and calling it with fewer visits to a thread.

Django's own ``load_middleware()`` builds the chain. While it does, each middleware that
keeps ``MiddlewareMixin``'s way of calling its hooks is joined with those directly inside
of it to a ``Run``, and the innermost run includes what resolves and calls the view. A run
calls the same hooks in the same order with the same handling of exceptions; only where
they run differs. Everything else (functions, classes with a call of their own, middleware
for one mode only) stays as Django loaded it and calls the run inside of it as it would
call Django's handler. So does middleware that a tool has wrapped to watch it, but for the
hooks that need no thread.

Sources: ``MiddlewareMixin.__acall__`` (django/utils/deprecation.py),
``BaseHandler._get_response_async`` (django/core/handlers/base.py) and
``convert_exception_to_response`` (django/core/handlers/exception.py), the same in Django
5.2, 6.0 and 6.1.
"""

from __future__ import annotations

import asyncio
from functools import wraps
from typing import TYPE_CHECKING, Any

from asgiref.sync import SyncToAsync, iscoroutinefunction, sync_to_async
from django.core.handlers import exception
from django.core.handlers.base import BaseHandler
from django.utils.deprecation import MiddlewareMixin

from deploytool.handlers.inline import Rule, rules_for
from deploytool.handlers.options import Options
from deploytool.handlers.source import is_original
from deploytool.handlers.travel import IN_THREAD, ON_LOOP, Journey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase
    from django.urls import ResolverMatch

    Respond = Callable[[HttpRequest], Awaitable[HttpResponseBase]]

_MIXIN_CALL = MiddlewareMixin.__dict__["__call__"]
_MIXIN_ACALL = MiddlewareMixin.__dict__["__acall__"]
_GET_RESPONSE = BaseHandler.__dict__["_get_response_async"]
_UNPATCHED = all(map(is_original, (_MIXIN_CALL, _MIXIN_ACALL)))


async def _no_response(request: HttpRequest) -> Any:
    """Never called: shows what Django wraps a handler in."""


_CONVERTING_CODE = exception.convert_exception_to_response(_no_response).__code__


def is_plain(cls: type) -> bool:
    """Whether instances of ``cls`` are called as ``MiddlewareMixin`` calls its hooks.

    Then, and only then, the hooks can be called by a run instead.
    """
    return (
        _UNPATCHED
        and issubclass(cls, MiddlewareMixin)
        and cls.__call__ is _MIXIN_CALL
        and cls.__acall__ is _MIXIN_ACALL
        and not any(
            iscoroutinefunction(getattr(cls, hook, None))
            for hook in ("process_request", "process_response")
        )
    )


class Layer:
    """One middleware of a run, and which of its hooks may stay on the event loop."""

    __slots__ = ("middleware", "on_request", "on_response")

    def __init__(self, middleware: Any, *, inline: bool) -> None:
        self.middleware = middleware
        rules = rules_for(type(middleware)) if inline else {}
        self.on_request = rules.get("process_request")
        self.on_response = rules.get("process_response")


class Run:
    """Adjacent plain middleware, outermost first, and what is inside of them.

    ``inside`` is None where that is the view.
    """

    def __init__(
        self, handler: ChainMixin, layers: tuple[Layer, ...], inside: Respond | None
    ) -> None:
        self.layers = layers
        self.inside = inside
        self._handler = handler
        self._coalescing = "coalescing" not in handler.options.off

    async def respond(self, request: HttpRequest) -> Any:
        """The response of this run to ``request``."""
        journey: Journey[Any] = Journey(staying=self._coalescing)
        return await journey.run(self._layer(journey, request, 0))

    async def _layer(self, journey: Journey[Any], request: HttpRequest, depth: int) -> Any:
        """``MiddlewareMixin.__acall__`` inside of ``convert_exception_to_response``."""
        try:
            if depth == len(self.layers):
                if self.inside is None:
                    return await self._handler.respond_by_view(journey, request)
                if journey.in_thread:
                    await ON_LOOP
                return await self.inside(request)
            layer = self.layers[depth]
            middleware = layer.middleware
            response = None
            if hasattr(middleware, "process_request"):
                response = await call(
                    journey, layer.on_request, middleware.process_request, request
                )
            response = response or await self._layer(journey, request, depth + 1)
            if hasattr(middleware, "process_response"):
                response = await call(
                    journey, layer.on_response, middleware.process_response, request, response
                )
            return response
        except Exception as error:
            if depth == len(self.layers) and self.inside is not None:
                raise  # it was converted inside, and failed at that
            await IN_THREAD
            return exception.response_for_exception(request, error)


async def call(
    journey: Journey[Any], rule: Rule | None, function: Callable[..., Any], *arguments: Any
) -> Any:
    """Call a synchronous ``function``, in the request's thread unless ``rule`` covers it."""
    if journey.in_thread or rule is None or not rule.covers(function, arguments):
        await IN_THREAD
        if not type(getattr(function, "__self__", None)).__module__.startswith("django."):
            journey.by_middleware = True
    result = function(*arguments)
    if journey.in_thread and not journey.staying:
        await ON_LOOP
    return result


def keep_on_loop(middleware: Any) -> None:
    """Call a plain ``middleware``'s hooks on the event loop where a rule covers them.

    For one that a run cannot call, as something stands around it: its ``__acall__`` is
    replaced by one that differs from the mixin's in this alone.
    """
    layer = Layer(middleware, inline=True)
    if layer.on_request is None and layer.on_response is None:
        return

    @wraps(middleware.__acall__)
    async def acall(request: HttpRequest) -> Any:
        response = None
        if hasattr(middleware, "process_request"):
            response = await _call_or_hop(layer.on_request, middleware.process_request, request)
        response = response or await middleware.get_response(request)
        if hasattr(middleware, "process_response"):
            response = await _call_or_hop(
                layer.on_response, middleware.process_response, request, response
            )
        return response

    middleware.__acall__ = acall


async def _call_or_hop(rule: Rule | None, function: Callable[..., Any], *arguments: Any) -> Any:
    if rule is not None and rule.covers(function, arguments):
        return function(*arguments)
    return await sync_to_async(function, thread_sensitive=True)(*arguments)


class ViewHook:
    """A hook that is called around the view, as Django's ``load_middleware()`` adapted it."""

    __slots__ = ("_adapted", "_function", "_rule")

    def __init__(self, adapted: Any, *, inline: bool) -> None:
        self._adapted = adapted
        self._function: Any = adapted.func if isinstance(adapted, SyncToAsync) else None
        owner = getattr(self._function, "__self__", None)
        rules = rules_for(type(owner)) if inline and owner is not None else {}
        self._rule = rules.get(getattr(self._function, "__name__", ""))

    @property
    def owner(self) -> str:
        """The class that the hook belongs to."""
        return type(self._adapted.__self__).__name__

    async def call(self, journey: Journey[Any], *arguments: Any) -> Any:
        """Call the hook where it belongs."""
        if self._function is not None:
            return await call(journey, self._rule, self._function, *arguments)
        if journey.in_thread:
            await ON_LOOP
        return await self._adapted(*arguments)


class ChainMixin(BaseHandler):
    """A handler of Django's whose asynchronous chain is made of runs where it can be."""

    options = Options()
    # Django's, which its type stubs leave out.
    _view_middleware: list[Any]
    _template_response_middleware: list[Any]
    _exception_middleware: list[Any]
    _get_response_async: Any

    def load_middleware(self, is_async: bool = False) -> None:
        """Populate the chain from ``settings.MIDDLEWARE``; raises what Django's does."""
        self._runs: dict[object, Run] = {}
        super().load_middleware(is_async=is_async)
        if is_async:
            inline = self._hooks_inline
            self._around_view = [ViewHook(hook, inline=inline) for hook in self._view_middleware]
            self._around_template = [
                ViewHook(hook, inline=inline) for hook in self._template_response_middleware
            ]

    @property
    def _hooks_inline(self) -> bool:
        return "event-loop-hooks" not in self.options.off

    def adapt_method_mode(
        self,
        is_async: bool,
        method: Any,
        method_is_async: bool | None = None,
        debug: bool = False,
        name: str | None = None,
    ) -> Any:
        """Adapt as Django does; a handler for the next middleware becomes a run first.

        ``load_middleware()`` says of handlers, and only of them, whether they are
        asynchronous.
        """
        if is_async and method_is_async:
            method = self._joined(method)
        return super().adapt_method_mode(is_async, method, method_is_async, debug, name)

    def _joined(self, handler: Any) -> Any:
        """``handler`` as a run, where it is plain middleware or Django's call of the view."""
        if (
            self.options.off.issuperset(("coalescing", "event-loop-hooks"))
            or getattr(handler, "__code__", None) is not _CONVERTING_CODE
        ):
            return handler
        wrapped = handler.__wrapped__
        if wrapped == self._get_response_async:
            if type(self)._get_response_async is not _GET_RESPONSE or not is_original(
                _GET_RESPONSE
            ):
                return handler
            run = Run(self, (), None)
        elif is_plain(type(wrapped)) and iscoroutinefunction(wrapped):
            layer = Layer(wrapped, inline=self._hooks_inline)
            inside = self._runs.get(wrapped.get_response)
            if inside is None:
                run = Run(self, (layer,), wrapped.get_response)
            else:
                run = Run(self, (layer, *inside.layers), inside.inside)
        else:
            self._look_inside(wrapped)
            return handler

        @wraps(handler)
        async def respond(request: HttpRequest) -> Any:
            return await run.respond(request)

        self._runs[respond] = run
        return respond

    def _look_inside(self, wrapper: Any) -> None:
        """Spare the middleware inside of ``wrapper``, if it is one of Sentry's, some hops.

        sentry_sdk puts an object around each middleware, which may measure what is inside
        (``SentryWrappingMiddleware``, sentry_sdk/integrations/django/middleware.py). It is
        called as ever; only what it calls, ``_inner.__acall__``, is another function.
        """
        inner = getattr(wrapper, "_inner", None)
        if self._hooks_inline and is_plain(type(inner)) and iscoroutinefunction(inner):
            keep_on_loop(inner)

    async def respond_by_view(self, journey: Journey[Any], request: HttpRequest) -> Any:
        """``BaseHandler._get_response_async()``, moving to the thread where it has to."""
        response: Any = None
        match = self.resolve_request(request)
        callback, args, kwargs = match
        for hook in self._around_view:
            response = await hook.call(journey, request, callback, args, kwargs)
            if response:
                break

        if response is None:
            response = await self._response_of_view(journey, request, match)
        self.check_response(response, callback)
        if hasattr(response, "render") and callable(response.render):
            response = await self._rendered(journey, request, response)
        if asyncio.iscoroutine(response):
            raise RuntimeError("Response is still a coroutine.")
        return response

    async def _response_of_view(
        self, journey: Journey[Any], request: HttpRequest, match: ResolverMatch
    ) -> Any:
        callback, args, kwargs = match
        view = self.make_view_atomic(callback)
        try:
            if not iscoroutinefunction(view):
                await IN_THREAD
                return view(request, *args, **kwargs)
            if journey.in_thread:
                await ON_LOOP
            return await view(request, *args, **kwargs)
        except Exception as error:
            response = await self._response_of_middleware(journey, error, request)
            if response is None:
                raise
            return response

    async def _rendered(self, journey: Journey[Any], request: HttpRequest, response: Any) -> Any:
        for hook in self._around_template:
            response = await hook.call(journey, request, response)
            self.check_response(response, hook, name=f"{hook.owner}.process_template_response")
        try:
            if not iscoroutinefunction(response.render):
                await IN_THREAD
                return response.render()
            if journey.in_thread:
                await ON_LOOP
            return await response.render()
        except Exception as error:
            response = await self._response_of_middleware(journey, error, request)
            if response is None:
                raise
            return response

    async def _response_of_middleware(
        self, journey: Journey[Any], error: Exception, request: HttpRequest
    ) -> Any:
        if not self._exception_middleware:
            return None
        await IN_THREAD
        return self.process_exception_by_middleware(error, request)
