from functools import partial

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.contrib.sessions.middleware import SessionMiddleware
from django.middleware.gzip import GZipMiddleware as Renamed  # noqa: F401
from django.utils.decorators import sync_and_async_middleware
from django.utils.deprecation import MiddlewareMixin

NAME = "not a middleware"


def simple(get_response):
    def middleware(request):
        return get_response(request)

    return middleware


@sync_and_async_middleware
def hybrid(get_response):
    if iscoroutinefunction(get_response):

        async def middleware(request):
            return await get_response(request)

    else:

        def middleware(request):
            return get_response(request)

    return middleware


class Hooks(MiddlewareMixin):
    def process_view(self, request, view, args, kwargs):
        return None

    def process_exception(self, request, exception):
        return None


class OwnCall(MiddlewareMixin):
    def __call__(self, request):
        return self.get_response(request)


class Sessions(SessionMiddleware):
    def process_response(self, request, response):
        return super().process_response(request, response)


class AsyncOnly:
    sync_capable = False
    async_capable = True

    def __init__(self, get_response):
        raise AssertionError("inspecting must not instantiate")

    async def __call__(self, request):
        return await self.get_response(request)


def _factory(get_response, header):
    def middleware(request):
        return get_response(request)

    return middleware


configured = partial(_factory, header="X-Zoo")
