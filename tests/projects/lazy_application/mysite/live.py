from channels.generic.websocket import WebsocketConsumer
from django.urls import path


class Clock(WebsocketConsumer):
    pass


websocket_urlpatterns = [path("ws/clock/", Clock.as_asgi())]
