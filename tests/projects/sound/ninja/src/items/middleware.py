from contextvars import ContextVar

from asgiref.sync import iscoroutinefunction, markcoroutinefunction

tenant = ContextVar("tenant", default=None)


class TenantMiddleware:
    async_capable = True
    sync_capable = False

    def __init__(self, get_response):
        self.get_response = get_response
        if iscoroutinefunction(self.get_response):
            markcoroutinefunction(self)

    async def __call__(self, request):
        token = tenant.set(request.get_host().partition(".")[0])
        try:
            return await self.get_response(request)
        finally:
            tenant.reset(token)
