# Written by deploytool (manage.py deployfiles asgi); sha256:4e8272ff1cc24f33
"""The entry point for ASGI servers: ``site1.asgi:application``.

https://docs.djangoproject.com/en/stable/howto/deployment/asgi/
"""

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from deploytool.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")

# First: this loads the apps; no consumer or model can be imported before that.
django_application = get_asgi_application()

import chat.routing  # noqa: E402
import news.routing  # noqa: E402

websocket_routes = [
    *news.routing.websocket_urlpatterns,
    *chat.routing.websocket_urlpatterns,
]

application = ProtocolTypeRouter(
    {
        "http": django_application,
        # Pages of any site may open a WebSocket, and browsers send the cookies along:
        # only those whose host is in ALLOWED_HOSTS are let in.
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(URLRouter(websocket_routes)),
        ),
    }
)
