"""The entry point for WSGI servers: ``{{ module }}:{{ attribute }}``.

https://docs.djangoproject.com/en/stable/howto/deployment/wsgi/
"""

import os{% if import_paths %}
import sys
from pathlib import Path{% endif %}
{% if not configurations %}
from django.core.wsgi import get_wsgi_application
{% endif %}{% if import_paths %}
# Modules are imported from here too, as manage.py has it.
BASE_DIR = Path(__file__).resolve(){{ up }}
{% for path in import_paths %}sys.path.append(str(BASE_DIR / "{{ path }}"))
{% endfor %}{% endif %}
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{{ settings_module }}")
{% if configuration %}os.environ.setdefault("DJANGO_CONFIGURATION", "{{ configuration }}")
{% endif %}{% if configurations %}
# Below the names: the settings are classes, which this import makes loadable.
from configurations.wsgi import get_wsgi_application  # noqa: E402
{% endif %}
{{ attribute }} = get_wsgi_application()
