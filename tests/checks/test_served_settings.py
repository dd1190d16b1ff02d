"""Settings for development that manage.py loads are not held against what is served."""

from __future__ import annotations

import pytest

from tests.checks.project import FILES, MIDDLEWARE, SETTINGS, deploycheck, make_project

BASE = SETTINGS.format(middleware="".join(f'    "{path}",\n' for path in MIDDLEWARE)).replace(
    "parent.parent", "parent.parent.parent"
)
SQLITE = """
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
"""
LOCMEM = """
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
"""
LOCK = """
        from django.core.cache import cache
        from django.http import HttpResponse


        def home(request):
            if cache.add("running", True, 60):
                return HttpResponse("started")
            return HttpResponse("home")
        """
PRODUCTION = """
from .base import *

SECRET_KEY = os.environ["A_SECRET_THAT_IS_NOT_HERE"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql", "NAME": "site", "CONN_HEALTH_CHECKS": True
    }
}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://redis"
    }
}
"""


def split(base, local, production):
    """manage.py names ``site1.settings.local``, the entry points ``….production``."""
    chosen = {"manage.py": "local", "site1/wsgi.py": "production", "site1/asgi.py": "production"}
    return {
        "site1/settings/__init__.py": "",
        "site1/settings/base.py": BASE + base,
        "site1/settings/local.py": local,
        "site1/settings/production.py": "import os\n" + production,
        "app/views.py": LOCK,
        **{
            name: FILES[name].replace("site1.settings", f"site1.settings.{module}")
            for name, module in chosen.items()
        },
    }


def wrong(tmp_path, files, settings=None):
    """Our findings above INFO."""
    project = make_project(tmp_path, files)
    (project / "site1" / "settings.py").unlink()
    report = deploycheck(project, DJANGO_SETTINGS_MODULE=settings)
    return sorted(
        finding["id"].removeprefix("deploytool.")
        for finding in report["findings"]
        if finding["id"].startswith("deploytool.") and finding["level"] != "INFO"
    )


STATIC = 'STATIC_URL = "https://static.example.org/"\n'


def test_what_development_alone_has(tmp_path):
    local = "from .base import *\nDEBUG = True\nALLOWED_HOSTS = ['*']\n" + LOCMEM
    files = split(STATIC + SQLITE, local, PRODUCTION)
    assert wrong(tmp_path, files) == []
    # Asked for by name they are what is judged.
    asked = wrong(tmp_path / "asked", files, "site1.settings.local")
    assert {"E050", "W312", "W406", "W414"} <= set(asked)


def test_what_production_is_made_of(tmp_path):
    local = "from .base import *\nALLOWED_HOSTS = ['*']\n" + LOCMEM
    made_of_it = PRODUCTION.replace(".base", ".local").partition("DATABASES")[0]
    got = wrong(tmp_path, split(STATIC + SQLITE, local, made_of_it))
    assert {"W312", "W406", "W414"} <= set(got)
    kept = PRODUCTION.partition("DATABASES")[0]
    got = wrong(tmp_path / "base", split(STATIC + SQLITE + LOCMEM, "from .base import *", kept))
    assert {"W406", "W414"} <= set(got)


@pytest.mark.parametrize("variable", ["site1.settings", None])
def test_what_a_package_chooses_before_the_entry_point(variable, tmp_path):
    project = make_project(
        tmp_path,
        {
            "site1/__init__.py": """
                import os

                os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.local")
                """,
            "site1/local.py": "from site1.settings import *\nDEBUG = True\n",
        },
        settings=STATIC,
    )
    report = deploycheck(project, "--interface", "wsgi", DJANGO_SETTINGS_MODULE=variable)
    [finding] = [each for each in report["findings"] if each["id"].endswith("019")]
    assert finding["path"] == "site1/wsgi.py"
    if variable:
        assert "site1/wsgi.py is served with the settings site1.local" in finding["message"]
        assert finding["hint"] == "Name site1.settings in what chooses them before it does."
