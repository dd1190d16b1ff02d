from channels.middleware import BaseMiddleware
from channels.routing import ProtocolTypeRouter, URLRouter


class Platform(ProtocolTypeRouter):
    """A router that a project made its own."""

    def __init__(self, http, sockets):
        super().__init__({"http": http, "websocket": TokenAuth(URLRouter(sockets))})

    async def __call__(self, scope, receive, send):
        scope["platform"] = "test"
        return await super().__call__(scope, receive, send)


class TokenAuth(BaseMiddleware):
    async def __call__(self, scope, receive, send):
        scope["token"] = None
        return await super().__call__(scope, receive, send)
