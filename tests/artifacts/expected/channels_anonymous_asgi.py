# Written by deploytool (manage.py deployfiles asgi); sha256:90419730dbd1d2ed
"""The entry point for ASGI servers: ``site1.asgi:application``.

https://docs.djangoproject.com/en/stable/howto/deployment/asgi/
"""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")

# First: this loads the apps; no consumer or model can be imported before that.
django_application = get_asgi_application()

from chat.routing import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": django_application,
        # Pages of any site may open a WebSocket, and browsers send the cookies along:
        # only those whose host is in ALLOWED_HOSTS are let in.
        "websocket": AllowedHostsOriginValidator(
            URLRouter(websocket_urlpatterns),
        ),
    }
)
