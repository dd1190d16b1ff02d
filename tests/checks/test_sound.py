"""Sound projects, as people write them: nothing at WARNING or above is ours."""

from __future__ import annotations

import json

import pytest

from tests.checks.project import FILES, MIDDLEWARE, SETTINGS, deploycheck, make_project
from tests.support import ROOT, manage

LISTED = "".join(f'    "{path}",\n' for path in MIDDLEWARE)
REDIS = """
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": "redis://redis:6379/1",
    }
}
"""

# Django REST framework, WhiteNoise, Sentry, split settings.
API = {
    "site1/settings/__init__.py": "",
    "site1/settings/base.py": SETTINGS.format(middleware=LISTED).replace(
        "parent.parent", "parent.parent.parent"
    )
    + """
INSTALLED_APPS += ["rest_framework", "rest_framework.authtoken"]
MIDDLEWARE.insert(1, "whitenoise.middleware.WhiteNoiseMiddleware")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
REST_FRAMEWORK = {
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.UserRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {"user": "100/minute"},
    "NUM_PROXIES": 1,
}
"""
    + REDIS,
    "site1/settings/development.py": """
        from .base import *

        DEBUG = True
        ALLOWED_HOSTS = ["*"]
        SECURE_SSL_REDIRECT = False
        """,
    "site1/settings/production.py": """
        import sentry_sdk

        from .base import *

        sentry_sdk.init(dsn="", traces_sample_rate=0.1)
        """,
    "app/views.py": """
        from rest_framework import viewsets
        from rest_framework.response import Response


        class Things(viewsets.ViewSet):
            def list(self, request):
                return Response([{"name": "one"}])
        """,
    "site1/urls.py": """
        from django.urls import include, path
        from rest_framework import routers

        from app.views import Things

        router = routers.DefaultRouter()
        router.register("things", Things, basename="thing")
        urlpatterns = [path("api/", include(router.urls))]
        """,
    **{
        name: FILES[name].replace("site1.settings", f"site1.settings.{module}")
        for name, module in {
            "manage.py": "development",
            "site1/wsgi.py": "production",
            "site1/asgi.py": "production",
        }.items()
    },
    "requirements.txt": """
        Django
        djangorestframework
        gunicorn
        psycopg
        redis
        sentry-sdk
        whitenoise
        """,
    "Dockerfile": """
        FROM python:3.13-slim
        WORKDIR /app
        COPY requirements.txt .
        RUN pip install --no-cache-dir -r requirements.txt
        COPY . .
        RUN SECRET_KEY=build python manage.py collectstatic --noinput
        USER nobody
        CMD ["gunicorn", "site1.wsgi:application", "--bind", "0.0.0.0:8000", "--workers", "2"]
        """,
}

# Channels with Redis, an event stream, an async view that uses the ORM as it has to.
CHAT = {
    "app/views.py": """
        import asyncio

        from asgiref.sync import sync_to_async
        from django.contrib.auth.models import User
        from django.http import HttpResponse, JsonResponse, StreamingHttpResponse


        def home(request):
            return HttpResponse("home")


        async def people(request):
            names = [user.username async for user in User.objects.all()]
            count = await User.objects.acount()
            first = await sync_to_async(User.objects.first)()
            user = await request.auser()
            return JsonResponse({"names": [*names, str(first), str(user)], "count": count})


        async def events(request):
            async def stream():
                for number in range(100):
                    yield f"data: {number}\\n\\n"
                    await asyncio.sleep(1)

            response = StreamingHttpResponse(stream(), content_type="text/event-stream")
            response["X-Accel-Buffering"] = "no"
            response["Cache-Control"] = "no-cache"
            return response
        """,
    "site1/urls.py": """
        from django.urls import path

        from app import views

        urlpatterns = [
            path("", views.home),
            path("people/", views.people),
            path("events/", views.events),
        ]
        """,
    "app/consumers.py": """
        from channels.generic.websocket import AsyncJsonWebsocketConsumer


        class Chat(AsyncJsonWebsocketConsumer):
            async def connect(self):
                await self.channel_layer.group_add("chat", self.channel_name)
                await self.accept()

            async def disconnect(self, code):
                await self.channel_layer.group_discard("chat", self.channel_name)

            async def receive_json(self, content):
                await self.channel_layer.group_send("chat", {"type": "chat.said", "text": content})

            async def chat_said(self, event):
                await self.send_json(event["text"])
        """,
    "app/routing.py": """
        from django.urls import path

        from app.consumers import Chat

        websocket_urlpatterns = [path("ws/chat/", Chat.as_asgi())]
        """,
    "site1/asgi.py": """
        import os

        from channels.auth import AuthMiddlewareStack
        from channels.routing import ProtocolTypeRouter, URLRouter
        from channels.security.websocket import AllowedHostsOriginValidator
        from django.core.asgi import get_asgi_application

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")
        http = get_asgi_application()

        from app.routing import websocket_urlpatterns

        application = ProtocolTypeRouter(
            {
                "http": http,
                "websocket": AllowedHostsOriginValidator(
                    AuthMiddlewareStack(URLRouter(websocket_urlpatterns))
                ),
            }
        )
        """,
}
CHAT_SETTINGS = (
    """
INSTALLED_APPS += ["channels"]
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {"hosts": [("redis", 6379)]},
    }
}
STATIC_URL = "https://static.example.org/"
"""
    + REDIS
)

PROJECTS = {
    "api": (API, "", "wsgi", {"DJANGO_SETTINGS_MODULE": "site1.settings.production"}),
    "chat": (CHAT, CHAT_SETTINGS, "asgi", {}),
    "plain": ({}, 'STATIC_URL = "https://static.example.org/"', "wsgi", {}),
}


@pytest.mark.parametrize("name", PROJECTS)
def test_nothing_is_wrong_with_it(tmp_path, name):
    files, settings, interface, env = PROJECTS[name]
    project = make_project(tmp_path, files, settings=settings)
    if name == "api":
        (project / "site1" / "settings.py").unlink()  # a package is there instead
    report = deploycheck(project, **env)
    assert report["plan"]["interface"] == interface
    wrong = [
        finding
        for finding in report["findings"]
        if finding["id"].startswith("deploytool.") and finding["level"] != "INFO"
    ]
    assert wrong == []


def test_what_is_sound_under_wsgi_is_so_under_asgi(tmp_path):
    project = make_project(tmp_path, settings='STATIC_URL = "https://static.example.org/"')
    report = deploycheck(project, "--what-if", "asgi")
    assert [
        finding["id"]
        for finding in report["findings"]
        if finding["id"].startswith("deploytool.") and finding["level"] != "INFO"
    ] == []


def test_the_demonstration_is_clean_in_production():
    env = {
        "DEBUG": "0",
        "SECRET_KEY": "for-tests-only-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEF",
        "ALLOWED_HOSTS": "example.org",
        "CSRF_TRUSTED_ORIGINS": "https://example.org",
        "BEHIND_TLS_PROXY": "1",
    }
    done = manage(ROOT, "deploycheck", "--format", "json", **env)
    report = json.loads(done.stdout)
    assert [each["id"] for each in report["findings"] if each["level"] != "INFO"] == []
    assert done.returncode == 0
