# Written by deploytool (manage.py deployfiles asgi); sha256:99d3de879af24f2e
"""The entry point for ASGI servers: ``site1.asgi:application``.

https://docs.djangoproject.com/en/stable/howto/deployment/asgi/
"""

import os

from deploytool.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")

application = get_asgi_application()
