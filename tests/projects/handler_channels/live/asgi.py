import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter

from tests.handlers.counting import counted

if os.environ["HANDLER"] == "django":
    from django.core.asgi import get_asgi_application
else:
    from deploytool.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "live.settings")
bare = get_asgi_application()

from live.routing import websocket_urlpatterns

application = ProtocolTypeRouter(
    {
        "http": counted(bare),
        "websocket": AuthMiddlewareStack(URLRouter(websocket_urlpatterns)),
    }
)


async def with_lifespan(scope, receive, send):
    """Answers lifespan itself, and leaves the rest to Django."""
    if scope["type"] != "lifespan":
        scope["state"]["requests"].append(scope["path"])
        await bare(scope, receive, send)
        return
    while True:
        message = await receive()
        print(f"answered {message['type']}", flush=True)
        if message["type"] == "lifespan.startup":
            scope["state"]["requests"] = []
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
