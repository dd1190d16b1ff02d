# Written by deploytool (manage.py deployfiles asgi); sha256:18220dc6d3fa6ce5
"""The entry point for ASGI servers: ``site1.asgi:application``.

https://docs.djangoproject.com/en/stable/howto/deployment/asgi/
"""

import os

from configurations import importer
from deploytool.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")
os.environ.setdefault("DJANGO_CONFIGURATION", "Site")

# Below the names: the settings are classes, which this makes loadable.
importer.install()

application = get_asgi_application()
