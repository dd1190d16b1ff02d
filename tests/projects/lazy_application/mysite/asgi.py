import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")


class LazyApplication:
    """Builds the application when it is first called."""

    def __init__(self):
        self._application = None

    async def __call__(self, scope, receive, send):
        if self._application is None:
            self._application = self._build()
        return await self._application(scope, receive, send)

    def _build(self):
        from channels.routing import ProtocolTypeRouter, URLRouter
        from django.core.asgi import get_asgi_application

        http = get_asgi_application()

        from mysite.live import websocket_urlpatterns

        return ProtocolTypeRouter(dict(http=http, websocket=URLRouter(websocket_urlpatterns)))


application = LazyApplication()
