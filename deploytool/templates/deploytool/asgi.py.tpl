"""The entry point for ASGI servers: ``{{ module }}:{{ attribute }}``.

https://docs.djangoproject.com/en/stable/howto/deployment/asgi/
"""

import os{% if import_paths %}
import sys
from pathlib import Path{% endif %}
{% if routing or not configurations or handler == "deploytool" %}
{% endif %}{% if routing and authentication %}from channels.auth import AuthMiddlewareStack
{% endif %}{% if routing %}from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
{% endif %}{% if handler == "deploytool" %}{% if configurations %}from configurations import importer
{% endif %}from deploytool.asgi import get_asgi_application
{% elif not configurations %}from django.core.asgi import get_asgi_application
{% endif %}{% if import_paths %}
# Modules are imported from here too, as manage.py has it.
BASE_DIR = Path(__file__).resolve(){{ up }}
{% for path in import_paths %}sys.path.append(str(BASE_DIR / "{{ path }}"))
{% endfor %}{% endif %}
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{{ settings_module }}")
{% if configuration %}os.environ.setdefault("DJANGO_CONFIGURATION", "{{ configuration }}")
{% endif %}{% if configurations and handler == "deploytool" %}
# Below the names: the settings are classes, which this makes loadable.
importer.install()
{% elif configurations %}
# Below the names: the settings are classes, which this import makes loadable.
from configurations.asgi import get_asgi_application  # noqa: E402
{% endif %}
{% if not routing %}{{ attribute }} = get_asgi_application()
{% else %}# First: this loads the apps; no consumer or model can be imported before that.
django_application = get_asgi_application()

{% if routing|length == 1 %}from {{ routing.0.module }} import {{ routing.0.attribute }}  # noqa: E402
{% else %}{% for module in routing_modules %}import {{ module }}  # noqa: E402
{% endfor %}
websocket_routes = [
{% for module in routing %}    *{{ module.module }}.{{ module.attribute }},
{% endfor %}]
{% endif %}
{{ attribute }} = ProtocolTypeRouter(
    {
        "http": django_application,
        # Pages of any site may open a WebSocket, and browsers send the cookies along:
        # only those whose host is in ALLOWED_HOSTS are let in.
        "websocket": AllowedHostsOriginValidator(
            {% if authentication %}AuthMiddlewareStack({% endif %}URLRouter({% if routing|length == 1 %}{{ routing.0.attribute }}{% else %}websocket_routes{% endif %}){% if authentication %}){% endif %},
        ),
    }
)
{% endif %}
