import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")

django_application = get_asgi_application()

from mysite.live import sockets
from mysite.router import Platform

application = Platform(django_application, sockets)
