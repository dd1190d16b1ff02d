# Written by deploytool (manage.py deployfiles wsgi); sha256:4d88a0d411615a07
"""The entry point for WSGI servers: ``site1.wsgi:application``.

https://docs.djangoproject.com/en/stable/howto/deployment/wsgi/
"""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")

application = get_wsgi_application()
