import os

from tests.handlers.counting import counted

if os.environ["HANDLER"] == "django":
    from django.core.asgi import get_asgi_application
else:
    from deploytool.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shown.settings")
application = counted(get_asgi_application())
