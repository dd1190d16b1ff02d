from django.urls import path

from live.consumers import Echo, SyncEcho

websocket_urlpatterns = [
    path("ws/echo/", Echo.as_asgi()),
    path("ws/sync/", SyncEcho.as_asgi()),
]
