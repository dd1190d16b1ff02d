from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import URLRouter
from django.urls import path, re_path


class Ticker(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept()


inner = URLRouter(
    [
        re_path(r"^ticker/(?P<symbol>[a-z]+)/$", Ticker.as_asgi()),
        path("all/", Ticker.as_asgi()),
    ]
)
sockets = [
    path("ws/", inner),
]
