"""Whole small projects that are sound, for tests that put one fault into them."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support import manage

if TYPE_CHECKING:
    from collections.abc import Mapping

MIDDLEWARE = (
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
)

SETTINGS = """
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "for-tests-only-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGH"
DEBUG = False
ALLOWED_HOSTS = ["example.org"]
CSRF_TRUSTED_ORIGINS = ["https://example.org"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
INSTALLED_APPS = [
    "deploytool",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "app",
]
MIDDLEWARE = [
{middleware}]
ROOT_URLCONF = "site1.urls"
TEMPLATES = [
    {{
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
    }}
]
WSGI_APPLICATION = "site1.wsgi.application"
ASGI_APPLICATION = "site1.asgi.application"
DATABASES = {{
    "default": {{
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "site1",
        "CONN_HEALTH_CHECKS": True,
    }}
}}
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
"""

FILES = {
    "manage.py": """
        import os
        import sys

        if __name__ == "__main__":
            os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")
            from django.core.management import execute_from_command_line

            execute_from_command_line(sys.argv)
        """,
    "site1/__init__.py": "",
    "site1/urls.py": """
        from django.urls import path

        from app import views

        urlpatterns = [path("", views.home)]
        """,
    "site1/wsgi.py": """
        import os

        from django.core.wsgi import get_wsgi_application

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")
        application = get_wsgi_application()
        """,
    "site1/asgi.py": """
        import os

        from django.core.asgi import get_asgi_application

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")
        application = get_asgi_application()
        """,
    "app/__init__.py": "",
    "app/views.py": """
        from django.http import HttpResponse


        def home(request):
            return HttpResponse("home")
        """,
}


def make_project(
    directory: Path,
    files: Mapping[str, str] | None = None,
    *,
    middleware: tuple[str, ...] = MIDDLEWARE,
    settings: str = "",
) -> Path:
    """A sound project in ``directory/site``, changed by what the test says.

    ``files`` are written over those of the sound one (dedented), ``settings`` is added to
    the end of the settings, ``middleware`` is the whole of MIDDLEWARE.
    """
    root = directory / "site"
    listed = "".join(f'    "{path}",\n' for path in middleware)
    written = {**FILES, **(files or {})}
    written.setdefault("site1/settings.py", SETTINGS.format(middleware=listed))
    written["site1/settings.py"] += "\n" + textwrap.dedent(settings)
    for name, text in written.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not (path.parent / "__init__.py").exists() and path.suffix == ".py" and "/" in name:
            (path.parent / "__init__.py").touch()
        path.write_text(textwrap.dedent(text).lstrip("\n"), "utf-8")
    return root


def deploycheck(project: Path, *args: str, **env: str | None) -> dict[str, Any]:
    """The JSON report of ``manage.py deploycheck ARGS`` in ``project``."""
    done = manage(project, "deploycheck", "--format", "json", *args, **env)
    assert done.returncode in (0, 1), done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def found(project: Path, number: int, *args: str, **env: str | None) -> list[dict[str, Any]]:
    """The findings of our check ``number``, whatever its level."""
    report = deploycheck(project, *args, **env)
    return [
        finding
        for finding in report["findings"]
        if finding["id"].startswith("deploytool.") and finding["id"].endswith(f"{number:03}")
    ]


def ours(project: Path, *args: str, **env: str | None) -> list[str]:
    """The ids of all findings that are ours, WARNING or worse."""
    report = deploycheck(project, *args, **env)
    return [
        finding["id"]
        for finding in report["findings"]
        if finding["id"].startswith("deploytool.") and finding["level"] != "INFO"
    ]
