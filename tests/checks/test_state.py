"""The checks about state that processes have to share: sessions, caches, channel layers."""

from __future__ import annotations

from tests.checks.project import MIDDLEWARE, deploycheck, found, make_project, ours

LOCAL_SESSIONS = 'SESSION_ENGINE = "django.contrib.sessions.backends.cache"\n'
SHARED_CACHE = """
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": "redis://cache:6379",
    }
}
"""

CHAT = {
    "site1/asgi.py": """
        import os

        from channels.routing import ProtocolTypeRouter, URLRouter
        from django.core.asgi import get_asgi_application

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")
        http = get_asgi_application()

        from app.routing import websocket_urlpatterns

        application = ProtocolTypeRouter(
            {"http": http, "websocket": URLRouter(websocket_urlpatterns)}
        )
        """,
    "app/routing.py": """
        from django.urls import path

        from app.consumers import Chat

        websocket_urlpatterns = [path("ws/chat/", Chat.as_asgi())]
        """,
    "app/consumers.py": """
        from asgiref.sync import async_to_sync
        from channels.generic.websocket import WebsocketConsumer


        class Chat(WebsocketConsumer):
            def connect(self):
                async_to_sync(self.channel_layer.group_add)("chat", self.channel_name)
                self.accept()
        """,
}
ECHO = {
    "app/consumers.py": """
        from channels.generic.websocket import WebsocketConsumer


        class Chat(WebsocketConsumer):
            def receive(self, text_data=None, bytes_data=None):
                self.send(text_data)
        """
}
# A subclass, whose name says nothing.
IN_MEMORY = {
    "app/layers.py": """
        from channels.layers import InMemoryChannelLayer


        class Layer(InMemoryChannelLayer):
            pass
        """
}
LAYER = 'CHANNEL_LAYERS = {"default": {"BACKEND": "app.layers.Layer"}}\n'
REDIS = """
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {"hosts": ["redis://redis:6379"]},
    }
}
"""


def numbers(project, *args, **env):
    """The ids of our findings with the subjects of this file, by number."""
    report = deploycheck(project, *args, **env)
    return {
        finding["id"]: finding
        for finding in report["findings"]
        if finding["id"].startswith("deploytool.") and finding["id"][12:14] == "40"
    }


# Channel layers


def test_a_layer_of_one_process_with_two_workers(tmp_path):
    project = make_project(tmp_path, {**CHAT, **IN_MEMORY}, settings=LAYER)
    [finding] = found(project, 400, "--workers", "2")
    assert finding["id"] == "deploytool.E400"
    assert (finding["path"], finding["line"]) == ("site1/settings.py", 55)
    assert "2 workers" in finding["message"]
    assert "app/consumers.py:7" in finding["message"]
    assert "channels_redis" in finding["hint"]
    # The plan itself has one worker, and a replica is a process too.
    assert found(project, 400) == []
    [finding] = found(project, 400, "--replicas", "3")
    assert finding["id"] == "deploytool.E400"
    assert "3 replicas" in finding["message"]


def test_a_layer_that_no_consumer_uses_is_advice(tmp_path):
    project = make_project(tmp_path, {**CHAT, **ECHO, **IN_MEMORY}, settings=LAYER)
    [finding] = found(project, 400, "--workers", "2")
    assert finding["id"] == "deploytool.I400"


def test_a_shared_layer_is_none(tmp_path):
    project = make_project(tmp_path, CHAT, settings=REDIS)
    assert numbers(project, "--workers", "2", "--replicas", "3") == {}


def test_a_command_sends_to_a_layer_of_one_process(tmp_path):
    command = {
        "app/management/commands/announce.py": """
            from asgiref.sync import async_to_sync
            from channels.layers import get_channel_layer
            from django.core.management.base import BaseCommand


            class Command(BaseCommand):
                def handle(self, *args, **options):
                    layer = get_channel_layer()
                    async_to_sync(layer.group_send)("chat", {"type": "chat.message"})
            """
    }
    project = make_project(tmp_path, {**CHAT, **IN_MEMORY, **command}, settings=LAYER)
    [finding] = found(project, 400)
    assert finding["id"] == "deploytool.W400"
    assert (finding["path"], finding["line"]) == ("app/management/commands/announce.py", 8)


def test_a_task_sends_to_a_layer_of_one_process_where_it_has_a_worker(tmp_path):
    task = {
        "app/tasks.py": """
            from asgiref.sync import async_to_sync
            from channels.layers import get_channel_layer


            def shared_task(function):
                return function


            @shared_task
            def announce():
                async_to_sync(get_channel_layer().group_send)("chat", {"type": "chat.message"})
            """
    }
    project = make_project(
        tmp_path,
        {**CHAT, **IN_MEMORY, **task},
        settings=LAYER
        + """
import os
CELERY_BROKER_URL = "redis://redis:6379"
CELERY_TASK_ALWAYS_EAGER = "EAGER" in os.environ
""",
    )
    [finding] = found(project, 400)
    assert finding["id"] == "deploytool.W400"
    assert (finding["path"], finding["line"]) == ("app/tasks.py", 11)
    # A task that runs at once runs in the process of the consumers.
    assert found(project, 400, EAGER="1") == []


def test_wsgi_sends_to_a_layer_of_one_process(tmp_path):
    project = make_project(tmp_path, {**CHAT, **IN_MEMORY}, settings=LAYER)
    [finding] = found(project, 400, "--interface", "wsgi")
    assert finding["id"] == "deploytool.W400"
    assert "WSGI" in finding["message"]


def test_a_layer_that_cannot_be_made(tmp_path):
    layers = """
import os
CHANNEL_LAYERS = {
    "missing": {"BACKEND": "channels_redis.core.RedisLayer"},
    "misspelt": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {"host": "redis://redis:6379"},
    },
    "plain": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer"},
}
CHANNEL_LAYERS["default"] = CHANNEL_LAYERS[os.environ["LAYER"]]
"""
    project = make_project(tmp_path, CHAT, settings=layers)
    [finding] = found(project, 407, LAYER="missing")
    assert finding["id"] == "deploytool.E407"
    assert finding["path"] == "site1/settings.py"
    assert "RedisLayer" in finding["message"]
    assert "every WebSocket connection fails" in finding["message"]
    [finding] = found(project, 407, LAYER="misspelt")
    assert finding["id"] == "deploytool.E407"
    assert "'host'" in finding["message"]
    assert found(project, 407, LAYER="plain") == []
    [finding] = found(project, 407, "--interface", "wsgi", LAYER="missing")
    assert finding["id"] == "deploytool.W407"


def test_a_consumer_without_a_layer(tmp_path):
    project = make_project(tmp_path / "joins", CHAT)
    [finding] = found(project, 408)
    assert finding["id"] == "deploytool.E408"
    assert (finding["path"], finding["line"]) == ("app/consumers.py", 7)
    assert "CHANNEL_LAYERS" in finding["hint"]
    listed = """
        from channels.generic.websocket import AsyncWebsocketConsumer


        class Chat(AsyncWebsocketConsumer):
            groups = ["chat"]
        """
    project = make_project(tmp_path / "listed", {**CHAT, "app/consumers.py": listed})
    [finding] = found(project, 408)
    assert (finding["path"], finding["line"]) == ("app/consumers.py", 5)


def test_a_consumer_that_needs_no_layer(tmp_path):
    assert numbers(make_project(tmp_path / "echo", {**CHAT, **ECHO})) == {}
    careful = """
        from asgiref.sync import async_to_sync
        from channels.generic.websocket import WebsocketConsumer


        class Chat(WebsocketConsumer):
            groups = []

            def connect(self):
                if self.channel_layer:
                    async_to_sync(self.channel_layer.group_add)("chat", self.channel_name)
                self.accept()
        """
    project = make_project(tmp_path / "careful", {**CHAT, "app/consumers.py": careful})
    assert numbers(project) == {}


# Sessions


def test_sessions_of_one_process(tmp_path):
    settings = LOCAL_SESSIONS + "CACHES['default']['OPTIONS'] = {'MAX_ENTRIES': 100_000}\n"
    local = 'CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}\n'
    project = make_project(tmp_path, settings=local + settings)
    found_there = numbers(project, "--workers", "2")
    assert list(found_there) == ["deploytool.E401"]
    finding = found_there["deploytool.E401"]
    assert (finding["path"], finding["line"]) == ("site1/settings.py", 56)
    assert "2 workers" in finding["message"]
    assert "logged out" in finding["message"]
    assert "backends.db" in finding["hint"]
    # The plan serves them with one worker.
    assert numbers(project) == {}


def test_sessions_of_one_process_with_the_database_behind(tmp_path):
    settings = 'SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"'
    project = make_project(tmp_path / "local", settings=settings)
    [finding] = found(project, 401, WEB_CONCURRENCY="3")
    assert "3 workers" in finding["message"]
    assert "does not see" in finding["message"]
    shared = make_project(tmp_path / "shared", settings=settings + SHARED_CACHE)
    assert numbers(shared, WEB_CONCURRENCY="3") == {}


def test_sessions_in_the_dummy_cache(tmp_path):
    dummy = 'CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}\n'
    project = make_project(tmp_path / "cache", settings=dummy + LOCAL_SESSIONS)
    [finding] = found(project, 402)
    assert finding["id"] == "deploytool.E402"
    assert finding["line"] == 56
    engine = 'SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"'
    project = make_project(tmp_path / "cached_db", settings=dummy + engine)
    assert numbers(project, "--workers", "2") == {}


def test_sessions_in_a_cache_that_culls(tmp_path):
    cache = """
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache"}
}
"""
    project = make_project(tmp_path / "default", settings=cache + LOCAL_SESSIONS)
    [finding] = found(project, 403)
    assert finding["id"] == "deploytool.W403"
    assert (finding["path"], finding["line"]) == ("site1/settings.py", 56)
    assert "300 entries" in finding["message"]
    more = cache + 'CACHES["default"]["OPTIONS"] = {"MAX_ENTRIES": 50_000}\n' + LOCAL_SESSIONS
    assert numbers(make_project(tmp_path / "more", settings=more)) == {}


def test_a_session_engine_that_cannot_be_used(tmp_path):
    settings = """
import os
SESSION_ENGINE = os.environ["ENGINE"]
SESSION_CACHE_ALIAS = "sessions"
if "NO_APP" in os.environ:
    INSTALLED_APPS.remove("django.contrib.sessions")
"""
    project = make_project(tmp_path, settings=settings)
    [finding] = found(project, 404, ENGINE="django.contrib.sessions.backends.redis")
    assert finding["id"] == "deploytool.E404"
    assert (finding["path"], finding["line"]) == ("site1/settings.py", 57)
    assert "ModuleNotFoundError" in finding["message"]
    [finding] = found(project, 404, ENGINE="django.contrib.sessions.backends.cache")
    assert "'sessions'" in finding["message"]
    [finding] = found(project, 404, ENGINE="django.contrib.sessions.backends.db", NO_APP="1")
    assert "INSTALLED_APPS" in finding["message"]
    cookies = "django.contrib.sessions.backends.signed_cookies"
    assert found(project, 404, ENGINE=cookies, NO_APP="1") == []


def test_sessions_without_the_middleware_may_have_any_engine(tmp_path):
    kept = (MIDDLEWARE[0], MIDDLEWARE[2], MIDDLEWARE[6])
    settings = 'SESSION_ENGINE = "nowhere"'
    assert found(make_project(tmp_path, middleware=kept, settings=settings), 404) == []


def test_sessions_in_files(tmp_path):
    settings = 'SESSION_ENGINE = "django.contrib.sessions.backends.file"'
    project = make_project(tmp_path, settings=settings)
    [finding] = found(project, 405, "--replicas", "2")
    assert finding["id"] == "deploytool.W405"
    assert finding["line"] == 55
    assert "2 replicas" in finding["message"]
    # The workers of one machine share its files.
    assert [f for f in found(project, 405, "--workers", "2") if f["level"] != "INFO"] == []


# What is counted

COUNTING = {
    "app/shared.py": """
        from django.core.cache import cache

        kept = cache
        """,
    "app/views.py": """
        from django.core import cache as caching
        from django.core.cache import cache, caches
        from django.http import HttpResponse

        from app.shared import kept

        locks = caches["default"]


        def once(key):
            return cache.add(key, True, 60)


        def home(request):
            if not locks.add("report", "running"):
                return HttpResponse("running")
            caching.cache.incr("visits")
            hits = kept.get("hits") or 0
            hits += 1
            kept.set("hits", hits)
            return HttpResponse("home")
        """,
}
KEEPING = {
    "app/views.py": """
        from django.core.cache import cache, caches
        from django.http import HttpResponse


        class Basket(set):
            def put(self, value):
                self.add(value)


        def home(request):
            page = cache.get("page")
            if page is None:
                page = "home"
                cache.set("page", page + "!")
            cache.add("title", "home")
            number = cache.get("number", 0)
            cache.set("next", number + 1)
            caches["shared"].add("lock", 1) or caches["shared"].incr("n")
            Basket().add("x")
            return HttpResponse(page)
        """
}


def test_locks_and_counters_of_one_process(tmp_path):
    project = make_project(tmp_path, COUNTING)
    findings = found(project, 406, "--workers", "2")
    assert {(f["id"], f["path"], f["line"]) for f in findings} == {
        ("deploytool.W406", "app/views.py", 11),
        ("deploytool.W406", "app/views.py", 15),
        ("deploytool.W406", "app/views.py", 17),
        ("deploytool.W406", "app/views.py", 20),
    }
    assert [f["message"].count("lock") > 0 for f in findings] == [True, True, False, False]
    assert "2 workers" in findings[0]["message"]
    assert "RedisCache" in findings[0]["hint"]
    assert found(project, 406, "--workers", "1") == []


def test_values_that_are_only_kept_are_none(tmp_path):
    settings = """
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "shared": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": "redis://cache:6379",
    },
}
"""
    project = make_project(tmp_path, KEEPING, settings=settings)
    assert numbers(project, "--workers", "2", "--replicas", "2") == {}


def test_what_is_deleted_in_one_process_is_advice(tmp_path):
    views = """
        from django.core.cache import cache
        from django.http import HttpResponse


        def home(request):
            cache.delete("page")
            return HttpResponse("home")
        """
    project = make_project(tmp_path, {"app/views.py": views})
    [finding] = found(project, 406, "--workers", "2")
    assert (finding["id"], finding["line"]) == ("deploytool.I406", 6)


def test_a_lock_in_the_dummy_cache_or_in_files(tmp_path):
    settings = """
import os
CACHES = {"default": {"BACKEND": os.environ["CACHE"], "LOCATION": "/var/tmp/site1-cache"}}
"""
    project = make_project(tmp_path, COUNTING, settings=settings)
    findings = found(project, 406, CACHE="django.core.cache.backends.dummy.DummyCache")
    assert "everybody gets it" in findings[0]["message"]
    files = "django.core.cache.backends.filebased.FileBasedCache"
    assert found(project, 406, "--workers", "2", CACHE=files) == []
    findings = found(project, 406, "--replicas", "2", CACHE=files)
    assert {f["id"] for f in findings} == {"deploytool.W406"}


THROTTLED = {
    "app/views.py": """
        from rest_framework.decorators import api_view
        from rest_framework.response import Response
        from rest_framework.throttling import ScopedRateThrottle, UserRateThrottle
        from rest_framework.views import APIView


        class Burst(UserRateThrottle):
            rate = "10/min"


        class Search(APIView):
            throttle_classes = [Burst]

            def get(self, request):
                return Response({})


        class Unlimited(APIView):
            throttle_classes = [ScopedRateThrottle]

            def get(self, request):
                return Response({})


        @api_view()
        def status(request):
            return Response({})
        """,
    "site1/urls.py": """
        from django.urls import path
        from django.views.decorators.cache import never_cache

        from app import views

        urlpatterns = [
            path("search/", never_cache(views.Search.as_view())),
            path("unlimited/", views.Unlimited.as_view()),
            path("status/", views.status),
        ]
        """,
}


def test_throttles_of_one_process(tmp_path):
    settings = 'INSTALLED_APPS += ["rest_framework"]\n'
    project = make_project(tmp_path, THROTTLED, settings=settings)
    [finding] = found(project, 406, "--workers", "2")
    assert finding["id"] == "deploytool.W406"
    assert (finding["path"], finding["line"]) == ("app/views.py", 7)
    assert "app.views.Burst" in finding["message"]
    assert "'search/'" in finding["message"]
    assert found(project, 406, "--workers", "1") == []
    shared = make_project(tmp_path / "shared", THROTTLED, settings=settings + SHARED_CACHE)
    assert found(shared, 406, "--workers", "2") == []


def test_throttles_that_the_settings_name(tmp_path):
    settings = """
INSTALLED_APPS += ["rest_framework"]
REST_FRAMEWORK = {
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.AnonRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {"anon": "10/min"},
}
"""
    project = make_project(tmp_path, THROTTLED, settings=settings)
    findings = found(project, 406, "--workers", "2")
    assert {(f["line"], f["message"].split()[3]) for f in findings} == {
        (7, "app.views.Burst"),
        (25, "rest_framework.throttling.AnonRateThrottle"),
    }


def test_throttles_of_django_ninja(tmp_path):
    views = """
        from django.urls import path
        from ninja import NinjaAPI
        from ninja.throttling import AnonRateThrottle

        api = NinjaAPI()


        @api.get("/search", throttle=[AnonRateThrottle("10/m")])
        def search(request):
            return {}


        @api.get("/status")
        def status(request):
            return {}
        """
    urls = """
        from django.urls import path

        from app.views import api

        urlpatterns = [path("api/", api.urls)]
        """
    project = make_project(tmp_path, {"app/views.py": views, "site1/urls.py": urls})
    [finding] = found(project, 406, "--workers", "2")
    assert (finding["path"], finding["line"]) == ("app/views.py", 8)
    assert "api/search" in finding["message"]


def test_a_sound_project_with_all_of_it_shared(tmp_path):
    settings = (
        'INSTALLED_APPS += ["rest_framework"]\n'
        + SHARED_CACHE
        + REDIS
        + LOCAL_SESSIONS
        + 'REST_FRAMEWORK = {"DEFAULT_THROTTLE_RATES": {"user": "10/min"}}\n'
    )
    files = {**COUNTING, **CHAT, "app/api.py": THROTTLED["app/views.py"]}
    project = make_project(tmp_path, files, settings=settings)
    assert ours(project, "--workers", "2", "--replicas", "2") == []
