"""The project that ``handlers.py`` serves: the same views for every handler."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from generated import PACKAGE, start_project
from measuring import environment, run

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 100

MIDDLEWARES = (0, 7, 12)
"""None; those of ``startproject``; and with five that projects commonly add."""

VIEWS = ("async", "sync", "orm-async", "orm-sync", "wait-async", "wait-sync")

# Which of the handlers serves is the entry point's matter, all else is the same for them.
_SETTINGS = f"""
import os

from {PACKAGE}.startproject import *

DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "{PACKAGE}.urls"
INSTALLED_APPS += ["deploytool", "{PACKAGE}"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES["default"]["CONN_MAX_AGE"] = int(os.environ.get("MAX_AGE", "0"))

if "THREADS" in os.environ:
    DEPLOYTOOL = {{"ASGI_THREADS": int(os.environ["THREADS"])}}

match os.environ.get("MIDDLEWARES"):
    case "0":
        MIDDLEWARE = []
    case "12":
        security, session, *others = MIDDLEWARE
        MIDDLEWARE = [
            security,
            "django.middleware.gzip.GZipMiddleware",
            "django.middleware.http.ConditionalGetMiddleware",
            session,
            "django.middleware.locale.LocaleMiddleware",
            *others,
            "{PACKAGE}.middleware.Version",
            "{PACKAGE}.middleware.Section",
        ]
"""

_MIDDLEWARE = """
from django.utils.deprecation import MiddlewareMixin


class Version(MiddlewareMixin):
    def process_response(self, request, response):
        response.headers["X-Version"] = "1.0"
        return response


class Section(MiddlewareMixin):
    def process_request(self, request):
        request.section = request.path.partition("-")[0]

    def process_view(self, request, callback, args, kwargs):
        request.view_name = callback.__name__
"""

_MODELS = """
from django.db import models


class Note(models.Model):
    title = models.CharField(max_length=100)
    text = models.TextField()
"""

# The bodies are the same in both forms, so that those of all servers can be compared.
_URLS = f"""
import asyncio
import time

from django.http import HttpResponse, JsonResponse
from django.urls import path

from {PACKAGE}.models import Note

NOTES = Note.objects.order_by("-pk")[:10]


def plain(request):
    return HttpResponse("answered")


async def plain_async(request):
    return HttpResponse("answered")


def shown(notes):
    return JsonResponse({{"notes": [[note.pk, note.title] for note in notes]}})


def orm(request):
    return shown(list(NOTES.all()))


async def orm_async(request):
    return shown([note async for note in NOTES.all()])


def wait(request):
    time.sleep(0.05)
    return HttpResponse("answered")


async def wait_async(request):
    await asyncio.sleep(0.05)
    return HttpResponse("answered")


urlpatterns = [
    path("sync", plain),
    path("async", plain_async),
    path("orm-sync", orm),
    path("orm-async", orm_async),
    path("wait-sync", wait),
    path("wait-async", wait_async),
]
"""

_OURS = """
from deploytool.asgi import get_asgi_application

application = get_asgi_application()
"""

_FILL = f"""
import django

django.setup()

from {PACKAGE}.models import Note

Note.objects.bulk_create(
    Note(title=f"note {{number}}", text="words " * 20) for number in range({ROWS})
)
"""


def generate(folder: Path) -> Path:
    """The project in ``folder``, its tables made and filled; returns where its manage.py is.

    Its entry points are ``wsgi``, ``asgi`` and ``ours``, modules of its package.
    """
    package = start_project(folder / "project", _SETTINGS)
    root = package.parent
    (package / "middleware.py").write_text(_MIDDLEWARE)
    (package / "models.py").write_text(_MODELS)
    (package / "urls.py").write_text(_URLS)
    (package / "ours.py").write_text(_OURS)
    run([sys.executable, "manage.py", "migrate", "--run-syncdb", "-v0"], root, environment())
    run([sys.executable, "-c", _FILL], root, project_environment(7))
    return root


def project_environment(middlewares: int, **changes: str) -> dict[str, str]:
    """The environment in which the project is served with so many middleware."""
    assert middlewares in MIDDLEWARES
    return environment(
        DJANGO_SETTINGS_MODULE=f"{PACKAGE}.settings", MIDDLEWARES=str(middlewares), **changes
    )
