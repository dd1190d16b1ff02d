import time
from contextvars import ContextVar
from urllib.parse import parse_qs

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from channels.db import database_sync_to_async
from channels.middleware import BaseMiddleware
from django.core.cache import cache
from django.utils.decorators import sync_and_async_middleware

started = ContextVar("started", default=0.0)


class LastSeenMiddleware:
    sync_capable = True
    async_capable = True

    def __init__(self, get_response):
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request):
        if iscoroutinefunction(self):
            return self.__acall__(request)
        cache.set(f"seen-{request.META['REMOTE_ADDR']}", time.time())
        return self.get_response(request)

    async def __acall__(self, request):
        await cache.aset(f"seen-{request.META['REMOTE_ADDR']}", time.time())
        return await self.get_response(request)


@sync_and_async_middleware
def timing(get_response):
    if iscoroutinefunction(get_response):

        async def middleware(request):
            started.set(time.monotonic())
            response = await get_response(request)
            response["Server-Timing"] = f"app;dur={time.monotonic() - started.get()}"
            return response

    else:

        def middleware(request):
            started.set(time.monotonic())
            response = get_response(request)
            response["Server-Timing"] = f"app;dur={time.monotonic() - started.get()}"
            return response

    return middleware


@database_sync_to_async
def user_of(token):
    from django.contrib.auth.models import AnonymousUser, User

    return User.objects.filter(password=token).first() or AnonymousUser()


class TokenAuthMiddleware(BaseMiddleware):
    async def __call__(self, scope, receive, send):
        query = parse_qs(scope["query_string"].decode())
        if token := query.get("token"):
            scope = dict(scope, user=await user_of(token[0]))
        return await super().__call__(scope, receive, send)
