"""Middleware that is broken, each in one way, and sound middleware that looks like it.

Copied into the projects of the tests as ``app/zoo.py``, and driven by Django's own handler
in test_middleware_claims.py.
"""

from __future__ import annotations

import contextvars
import functools
import threading

from asgiref.local import Local
from asgiref.sync import async_to_sync, iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpResponse, StreamingHttpResponse
from django.utils.decorators import (
    async_only_middleware,
    sync_and_async_middleware,
    sync_only_middleware,
)
from django.utils.deprecation import MiddlewareMixin

# What can be made, and called


class Legacy:
    def process_request(self, request):
        pass


class Neither:
    sync_capable = False
    async_capable = False


def returns_nothing(get_response):
    pass


class Unreachable:
    def __init__(self, get_response):
        raise ConnectionRefusedError("127.0.0.1:6379")


class NotUsed:
    def __init__(self, get_response):
        raise MiddlewareNotUsed("REPORT_URL is not set")


class Plain:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)


class ShortViewHook(Plain):
    def process_view(self, request, view):
        pass


class ShortExceptionHook(Plain):
    def process_exception(self, exception):
        pass


class LongViewHook(Plain):
    def process_view(self, request, *args, extra=None):
        pass

    def process_exception(self, request, exception=None, extra=None):
        pass


class HooksOfItsOwn(MiddlewareMixin):
    async_capable = False

    def __call__(self, request):
        self.process_request(request, "en")
        return self.process_response(self.get_response(request))

    def process_request(self, request, language):
        request.language = language

    def process_response(self, response):
        return response


class AwaitsResponse(Plain):
    def __call__(self, request):
        return async_to_sync(self.answer)(request)

    async def answer(self, request):
        return await self.get_response(request)


class PureASGI:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


class PureWSGI:
    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        return self.app(environ, start_response)


# Coroutines without the mark


class Base:
    def __init__(self, get_response):
        self.get_response = get_response


class UndeclaredAsync(Base):
    async def __call__(self, request):
        response = await self.get_response(request)
        response["X"] = "1"
        return response


class UnmarkedAsync(UndeclaredAsync):
    async_capable = True


class UnmarkedHybrid(Base):
    async_capable = True

    def __call__(self, request):
        if iscoroutinefunction(self.get_response):
            return self.acall(request)
        response = self.get_response(request)
        response["X"] = "1"
        return response

    async def acall(self, request):
        response = await self.get_response(request)
        response["X"] = "1"
        return response


class UnmarkedPassing(Base):
    async_capable = True

    def __call__(self, request):
        request.seen = True
        return self.get_response(request)


@async_only_middleware
def unmarked_lambda(get_response):
    async def middleware(request):
        return await get_response(request)

    return lambda request: middleware(request)  # noqa: PLW0108 - which hides what it is


class Hybrid(UnmarkedHybrid):
    """Sound: marked where it is asynchronous."""

    def __init__(self, get_response):
        super().__init__(get_response)
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)


class RemembersMode(Base):
    """Sound: asks what it noted when it was made, in a property."""

    async_capable = True

    def __init__(self, get_response):
        super().__init__(get_response)
        self._mode = "async" if iscoroutinefunction(get_response) else "sync"
        if self._mode == "async":
            markcoroutinefunction(self)

    @property
    def is_async(self):
        return self._mode == "async"

    def __call__(self, request):
        if self.is_async:
            return self._respond(request)
        response = self.get_response(request)
        response["X"] = "1"
        return response

    async def _respond(self, request):
        response = await self.get_response(request)
        response["X"] = "1"
        return response


@sync_and_async_middleware
def hybrid(get_response):
    """Sound."""
    if iscoroutinefunction(get_response):

        async def middleware(request):
            response = await get_response(request)
            response["X"] = "1"
            return response

    else:

        def middleware(request):
            response = get_response(request)
            response["X"] = "1"
            return response

    return middleware


@sync_and_async_middleware
def hybrid_partial(get_response):
    """Sound: a partial of an async function is a coroutine function."""

    async def asynchronous(name, request):
        return await get_response(request)

    def synchronous(name, request):
        return get_response(request)

    chosen = asynchronous if iscoroutinefunction(get_response) else synchronous
    return functools.partial(chosen, "name")


@async_only_middleware
def asynchronous(get_response):
    """Sound."""

    async def middleware(request):
        return await get_response(request)

    return middleware


# Coroutine functions where a synchronous one is called


def undeclared_function(get_response):
    async def middleware(request):
        response = await get_response(request)
        response["X"] = "1"
        return response

    return middleware


@sync_and_async_middleware
def always_async(get_response):
    async def middleware(request):
        return await get_response(request)

    return middleware


class MarkedAlways(UnmarkedHybrid):
    def __init__(self, get_response):
        super().__init__(get_response)
        markcoroutinefunction(self)


# Declared asynchronous, and synchronous inside


@sync_and_async_middleware
def synchronous_inside(get_response):
    def middleware(request):
        response = get_response(request)
        response["X"] = "1"
        return response

    return middleware


class SynchronousInside(Base):
    async_capable = True

    def __call__(self, request):
        response = self.get_response(request)
        response.headers["X"] = "1"
        return response


class EarlyResponse(Hybrid):
    def __call__(self, request):
        if request.headers.get("X-Blocked"):
            return HttpResponse("no", status=403)
        return super().__call__(request)


@sync_only_middleware
def synchronous(get_response):
    """Sound."""

    def middleware(request):
        response = get_response(request)
        response["X"] = "1"
        return response

    return middleware


# MiddlewareMixin


class OverridesCall(MiddlewareMixin):
    def __call__(self, request):
        response = super().__call__(request)
        response["X"] = "1"
        return response


class OverridesCallSynchronous(OverridesCall):
    """Sound: says that it is synchronous."""

    async_capable = False


class OverridesCallPassing(MiddlewareMixin):
    """Sound: what it passes on may as well be a coroutine."""

    def __call__(self, request):
        request.seen = True
        return super().__call__(request)


class OverridesBoth(MiddlewareMixin):
    """Sound: it has both forms."""

    def __call__(self, request):
        if iscoroutinefunction(self):
            return self.__acall__(request)
        response = self.get_response(request)
        response["X"] = "1"
        return response

    async def __acall__(self, request):
        response = await self.get_response(request)
        response["X"] = "1"
        return response


class NoSuperInit(MiddlewareMixin):
    def __init__(self, get_response):
        self.get_response = get_response


class OwnInit(MiddlewareMixin):
    """Sound: sets what the mixin's constructor would."""

    def __init__(self, get_response):
        self.get_response = get_response
        self.async_mode = iscoroutinefunction(get_response)
        if self.async_mode:
            markcoroutinefunction(self)


class KeepsNothing:
    def __init__(self, get_response):
        self.name = "nothing"

    def __call__(self, request):
        return self.get_response(request)


class AsyncRequestHook(MiddlewareMixin):
    async def process_request(self, request):
        pass


class AsyncResponseHook(MiddlewareMixin):
    async def process_response(self, request, response):
        return response


class HiddenAsyncHook(MiddlewareMixin):
    async def _look(self, request):
        pass

    def process_view(self, request, view, args, kwargs):
        return self._look(request)


class AsyncViewHook(MiddlewareMixin):
    """Sound: Django adapts it."""

    async def process_view(self, request, view, args, kwargs):
        pass

    async def process_exception(self, request, exception):
        pass


# Results


class HookWithoutReturn(MiddlewareMixin):
    def process_response(self, request, response):
        response["X"] = "1"


class CallWithoutReturn(Base):
    def __call__(self, request):
        response = self.get_response(request)
        response["X"] = "1"


_lock = threading.Lock()


class SometimesReturns(Base):
    def __call__(self, request):  # noqa: RET503 - the fault
        response = self.get_response(request)
        if response.status_code < 400:
            return response


class AlwaysReturns(Base):
    """Sound: every way ends with a response, or with an exception."""

    def __call__(self, request):
        response = None
        if hasattr(self, "process_request"):
            response = self.process_request(request)
        response = response or self.get_response(request)
        try:
            if response.status_code < 400:
                return response
        except ValueError:
            raise
        else:
            with _lock:
                return response

    def process_request(self, request):
        for name in request.GET:
            if name == "blocked":
                return HttpResponse("no")
        return None


@async_only_middleware
def forgets_await(get_response):
    async def middleware(request):
        return get_response(request)

    return middleware


# Responses that stream


class TouchesContent(MiddlewareMixin):
    def process_response(self, request, response):
        response["X-Length"] = str(len(response.content))
        return response


class TouchesText(Base):
    def __call__(self, request):
        response = self.get_response(request)
        self._measure(response)
        return response

    def _measure(self, response):
        response["X-Length"] = str(len(response.content.decode()))


class TouchesForStaff(MiddlewareMixin):
    def process_response(self, request, response):
        if request.headers.get("X-Staff"):
            response["X-Length"] = str(len(response.content))
        return response


class LooksFirst(MiddlewareMixin):
    """Sound."""

    def process_response(self, request, response):
        if response.streaming:
            return response
        response["X-Length"] = str(len(response.content))
        return response


class LooksWithGetattr(MiddlewareMixin):
    """Sound."""

    def process_response(self, request, response):
        if not getattr(response, "streaming", False) and len(response.content) > 9:
            response["X-Length"] = str(len(response.content))
        return response


class LooksWithHasattr(Base):
    """Sound."""

    def __call__(self, request):
        response = self.get_response(request)
        length = len(response.content) if hasattr(response, "content") else 0
        response["X-Length"] = str(length)
        return response


class LooksAtType(MiddlewareMixin):
    """Sound."""

    def process_response(self, request, response):
        if isinstance(response, StreamingHttpResponse):
            return response
        response["X-Length"] = str(len(response.content))
        return response


class LooksAtContentType(MiddlewareMixin):
    """Sound, where what streams is no HTML."""

    def process_response(self, request, response):
        if not response.get("Content-Type", "").startswith("text/html"):
            return response
        response["X-Length"] = str(len(response.content))
        return response


class Tries(MiddlewareMixin):
    """Sound."""

    def process_response(self, request, response):
        try:
            response["X-Length"] = str(len(response.content))
        except AttributeError:
            response["X-Length"] = "unknown"
        return response


class Measures(MiddlewareMixin):
    """Sound: of its own responses it may ask the content."""

    def process_request(self, request):
        if request.headers.get("X-Blocked"):
            response = HttpResponse("no")
            response["X-Length"] = str(len(response.content))
            return response
        return None


class WrapsWithMap(MiddlewareMixin):
    def process_response(self, request, response):
        if response.streaming:
            response.streaming_content = map(bytes.upper, response.streaming_content)
        return response


class WrapsWithGenerator(MiddlewareMixin):
    def process_response(self, request, response):
        if response.streaming:
            response.streaming_content = self._upper(response.streaming_content)
        return response

    def _upper(self, chunks):
        for chunk in chunks:
            yield chunk.upper()


class WrapsWithAsyncGenerator(WrapsWithGenerator):
    def process_response(self, request, response):
        if response.streaming:
            response.streaming_content = self._aupper(response.streaming_content)
        return response

    async def _aupper(self, chunks):
        async for chunk in chunks:
            yield chunk.upper()


class WrapsEither(WrapsWithAsyncGenerator):
    """Sound."""

    def process_response(self, request, response):
        if response.streaming:
            wrapper = self._aupper if response.is_async else self._upper
            response.streaming_content = wrapper(response.streaming_content)
        return response


class Banner(MiddlewareMixin):
    def process_response(self, request, response):
        if not response.streaming:
            response.content = response.content + b"<p>banner</p>"
        return response


class BannerMeasured(MiddlewareMixin):
    """Sound above CommonMiddleware."""

    def process_response(self, request, response):
        if not response.streaming and "Content-Encoding" not in response.headers:
            response.content = response.content + b"<p>banner</p>"
            response["Content-Length"] = str(len(response.content))
        return response


# State

_local = threading.local()
_asgiref = Local()
_user = contextvars.ContextVar("user")
_requests: dict[object, object] = {}
_current = None


class InThreadLocal(MiddlewareMixin):
    def process_request(self, request):
        _local.agent = request.headers.get("User-Agent")


def remember(agent):
    setattr(_local, "agent", agent)  # noqa: B010


class InThreadLocalOnLoop(Hybrid):
    async def acall(self, request):
        remember(request.headers.get("User-Agent"))
        return await super().acall(request)


class ByThread(MiddlewareMixin):
    def process_request(self, request):
        _requests[threading.get_ident()] = request


def in_global(get_response):
    def middleware(request):
        global _current  # noqa: PLW0603
        _current = request
        return get_response(request)

    return middleware


class OnSelf(MiddlewareMixin):
    def process_request(self, request):
        self.request = request


class OnRequest(MiddlewareMixin):
    """Sound."""

    def process_request(self, request):
        request.agent = request.headers.get("User-Agent")
        _user.set(request.agent)
        _asgiref.agent = request.agent


class Counts(MiddlewareMixin):
    """Sound: nothing of it is of one request."""

    started = 0

    def __init__(self, get_response):
        super().__init__(get_response)
        self.count = 0
        self.sites = {}
        self.resolver = None

    def process_request(self, request):
        self.count += 1
        _local.count = self.count
        if request.get_host() not in self.sites:
            self.sites[request.get_host()] = request.get_host()
        if self.resolver is None:
            self.resolver = find_resolver(request)


def find_resolver(request):
    return object()


# Order


class ReadsSession(MiddlewareMixin):
    def process_request(self, request):
        request.cart = request.session.get("cart")


class MayReadSession(MiddlewareMixin):
    """Sound anywhere."""

    def process_request(self, request):
        session = getattr(request, "session", None)
        if hasattr(request, "session"):
            request.cart = request.session.get("cart")
        try:
            request.cart = request.session["cart"]
        except AttributeError:
            request.cart = session

    def process_response(self, request, response):
        request.session.modified = False
        return response


class SetsSession(MiddlewareMixin):
    """What stands in for SessionMiddleware."""

    def process_request(self, request):
        request.session = {}


class AllowsOrigins(Base):
    def __call__(self, request):
        response = self.get_response(request)
        response["Access-Control-Allow-Origin"] = "*"
        return response


# Modes, for their hops


def first_synchronous(get_response):
    def middleware(request):
        request.first = True
        return get_response(request)

    return middleware


def second_synchronous(get_response):
    def middleware(request):
        response = get_response(request)
        response["X-Second"] = "1"
        return response

    return middleware


def reads_the_user(get_response):
    def middleware(request):
        request.name = request.user.username
        return get_response(request)

    return middleware


def may_answer(get_response):
    def middleware(request):
        if request.headers.get("X-Blocked"):
            return HttpResponse("no")
        return get_response(request)

    return middleware


class InThread(Hybrid):
    """Sound."""

    async def acall(self, request):
        await sync_to_async(request.headers.get)("X")
        return await super().acall(request)
