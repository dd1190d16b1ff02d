# Written by deploytool (manage.py deployfiles asgi); sha256:6aa42ba8411e96a3
"""The entry point for ASGI servers: ``config.asgi:application``.

https://docs.djangoproject.com/en/stable/howto/deployment/asgi/
"""

import os
import sys
from pathlib import Path

from django.core.asgi import get_asgi_application

# Modules are imported from here too, as manage.py has it.
BASE_DIR = Path(__file__).resolve().parent.parent
sys.path.append(str(BASE_DIR / "parts"))

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

application = get_asgi_application()
