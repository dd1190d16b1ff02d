"""The WebSocket routes of the site."""

from channels.security.websocket import WebsocketDenier
from django.urls import path, re_path

from myproject.live.consumers import ChatConsumer

websocket_urlpatterns = [
    path("ws/chat/", ChatConsumer.as_asgi()),
    # Without this, each request of a scanner would be a traceback in the log.
    re_path(r"", WebsocketDenier.as_asgi()),
]
