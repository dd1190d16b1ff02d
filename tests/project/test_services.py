"""inspect_services(): what the loaded settings of a real project name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deploytool.project.services import ancestors
from tests.support import copy_project, facts

IMPORTS = (
    "from deploytool.project.facts import EntryPoint, EntryPoints, Mount\n"
    "from deploytool.project.services import inspect_services"
)


@pytest.fixture
def project(tmp_path) -> Path:
    return copy_project("services", tmp_path)


def services(project: Path, settings: str = "", wsgi: str = "", asgi: str = "") -> Any:
    """The services of the project with ``settings`` appended to its settings.

    ``wsgi`` and ``asgi`` are further arguments of the two entry points.
    """
    with (project / "shop" / "settings.py").open("a") as file:
        file.write(f"\n{settings}\n")
    expression = (
        "inspect_services(EntryPoints("
        f"EntryPoint('wsgi', 'shop.wsgi:application', 'ok', 'test', {wsgi}), "
        f"EntryPoint('asgi', 'shop.asgi:application', 'ok', 'test', {asgi})))"
    )
    return facts(project, IMPORTS, expression)


def test_a_project_that_uses_nothing(project):
    assert services(project) == {
        "databases": [],
        "caches": [
            {
                "alias": "default",
                "backend": "django.core.cache.backends.locmem.LocMemCache",
                "per_process": True,
            }
        ],
        "session_engine": None,
        "session_cache": None,
        "channel_layers": [],
        "static": {
            "app_installed": False,
            "url": None,
            "root": None,
            "storage": "django.contrib.staticfiles.storage.StaticFilesStorage",
            "served_by": None,
            "evidence": None,
        },
        "tasks": [],
    }


def test_databases(project):
    found = services(
        project,
        """
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql", "NAME": "shop", "USER": "somebody",
        "PASSWORD": "hush", "HOST": "db.internal", "CONN_MAX_AGE": "60",
        "CONN_HEALTH_CHECKS": True, "ATOMIC_REQUESTS": True, "OPTIONS": {"pool": {"min_size": 2}},
    },
    "kept": {"ENGINE": "django.db.backends.mysql", "CONN_MAX_AGE": None, "OPTIONS": {"pool": {}}},
    "memory": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
    "shared": {"ENGINE": "django.db.backends.sqlite3", "NAME": "file:x?mode=memory&cache=shared"},
    "file": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"},
    "empty": {},
    "unknown": {"ENGINE": "no.such.backend", "NAME": ":memory:", "CONN_MAX_AGE": "soon"},
}
""",
    )
    plain = {
        "conn_max_age": 0,
        "conn_health_checks": False,
        "pool": False,
        "atomic_requests": False,
        "in_memory": False,
    }
    sqlite = "django.db.backends.sqlite3"
    assert found["databases"] == [
        {
            "alias": "default",
            "engine": "django.db.backends.postgresql",
            "conn_max_age": 60,
            "conn_health_checks": True,
            "pool": True,
            "atomic_requests": True,
            "in_memory": False,
        },
        {
            **plain,
            "alias": "kept",
            "engine": "django.db.backends.mysql",
            "conn_max_age": None,
        },
        {**plain, "alias": "memory", "engine": sqlite, "in_memory": True},
        {**plain, "alias": "shared", "engine": sqlite, "in_memory": True},
        {**plain, "alias": "file", "engine": sqlite},
        {**plain, "alias": "empty", "engine": "django.db.backends.dummy"},
        {**plain, "alias": "unknown", "engine": "no.such.backend"},
    ]
    assert not {"somebody", "hush", "db.internal"} & set(json.dumps(found).split('"'))


def test_caches_by_their_ancestors(project):
    found = services(
        project,
        """
CACHES = {
    "default": {"BACKEND": "shop.backends.OwnCache"},
    "dummy": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
    "file": {"BACKEND": "shop.backends.SharedCache", "LOCATION": "/nowhere"},
    "redis": {"BACKEND": "django.core.cache.backends.redis.RedisCache",
              "LOCATION": "redis://somebody:hush@cache.internal"},
    "broken": {"BACKEND": "shop.no_such_module.Cache"},
    "odd": {"BACKEND": None},
    "odder": "locmem://",
}
""",
    )
    assert [(c["alias"], c["per_process"]) for c in found["caches"]] == [
        ("default", True),
        ("dummy", True),
        ("file", False),
        ("redis", False),
        ("broken", False),
    ]
    assert "hush" not in json.dumps(found)


@pytest.mark.parametrize(
    ("settings", "engine", "cache"),
    [
        ("", None, None),
        (
            'INSTALLED_APPS += ["django.contrib.contenttypes", "django.contrib.sessions"]',
            "django.contrib.sessions.backends.db",
            None,
        ),
        (
            (
                'MIDDLEWARE += ["django.contrib.sessions.middleware.SessionMiddleware"]\n'
                'SESSION_ENGINE = "django.contrib.sessions.backends.cache"'
            ),
            "django.contrib.sessions.backends.cache",
            "default",
        ),
        (
            (
                'MIDDLEWARE += ["shop.backends.OwnSessions"]\nSESSION_ENGINE = "shop.backends"\n'
                'SESSION_CACHE_ALIAS = "sessions"'
            ),
            "shop.backends",
            "sessions",
        ),
        (
            'MIDDLEWARE += ["shop.backends.OwnSessions"]\nSESSION_ENGINE = "shop.missing"',
            "shop.missing",
            None,
        ),
    ],
)
def test_sessions(project, settings, engine, cache):
    found = services(project, settings)
    assert (found["session_engine"], found["session_cache"]) == (engine, cache)


def test_channel_layers_by_their_ancestors(project):
    found = services(
        project,
        """
CHANNEL_LAYERS = {
    "default": {"BACKEND": "shop.backends.OwnLayer"},
    "redis": {"BACKEND": "channels_redis.core.RedisChannelLayer",
              "CONFIG": {"hosts": ["redis://:hush@cache.internal"]}},
    "broken": {"BACKEND": "shop.no_such_module.Layer"},
}
""",
    )
    assert found["channel_layers"] == [
        {"alias": "default", "backend": "shop.backends.OwnLayer", "per_process": True},
        {
            "alias": "redis",
            "backend": "channels_redis.core.RedisChannelLayer",
            "per_process": False,
        },
        {"alias": "broken", "backend": "shop.no_such_module.Layer", "per_process": False},
    ]


STATIC = """
INSTALLED_APPS += ["django.contrib.staticfiles"]
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "assets"
"""


def test_static_files_that_nobody_serves(project):
    found = services(
        project,
        STATIC + 'STORAGES = {"staticfiles": {"BACKEND": "whitenoise.storage.'
        'CompressedManifestStaticFilesStorage"}}',
    )
    assert found["static"] == {
        "app_installed": True,
        "url": "/static/",
        "root": str(project / "assets"),
        "storage": "whitenoise.storage.CompressedManifestStaticFilesStorage",
        "served_by": None,
        "evidence": None,
    }


@pytest.mark.parametrize(
    ("middleware", "served_by"),
    [
        ("whitenoise.middleware.WhiteNoiseMiddleware", "whitenoise"),
        ("shop.backends.OwnWhiteNoise", "whitenoise"),
        ("servestatic.middleware.ServeStaticMiddleware", "servestatic"),
        ("shop.backends.OwnServeStatic", "servestatic"),
    ],
)
def test_static_files_served_by_middleware(project, middleware, served_by):
    static = services(project, STATIC + f'MIDDLEWARE.insert(1, "{middleware}")')["static"]
    assert (static["served_by"], static["evidence"]) == (served_by, "settings.MIDDLEWARE[1]")


@pytest.mark.parametrize(
    ("wsgi", "asgi", "served_by", "evidence"),
    [
        (
            "wrappers=('whitenoise.base.WhiteNoise',)",
            "",
            "whitenoise",
            "whitenoise.base.WhiteNoise around shop.wsgi:application",
        ),
        (
            "wrappers=('other.Wrapper', 'shop.backends.OwnWhiteNoise')",
            "",
            "whitenoise",
            "shop.backends.OwnWhiteNoise around shop.wsgi:application",
        ),
        (
            "wrappers=('dj_static.Cling',)",
            "",
            "dj_static.Cling",
            "dj_static.Cling around shop.wsgi:application",
        ),
        (
            "",
            "wrappers=('servestatic.asgi.ServeStaticASGI',)",
            "servestatic",
            "servestatic.asgi.ServeStaticASGI around shop.asgi:application",
        ),
        (
            "",
            "mounts=(Mount('/static', 'starlette.staticfiles.StaticFiles', 'asgi'),)",
            "starlette.staticfiles.StaticFiles",
            "mounted by shop.asgi:application",
        ),
        ("", "mounts=(Mount('/api', 'api.main:app', 'asgi'),)", None, None),
        ("wrappers=('shop.wsgi.Timing',)", "", None, None),
    ],
)
def test_static_files_served_by_the_entry_point(project, wsgi, asgi, served_by, evidence):
    static = services(project, STATIC, wsgi, asgi)["static"]
    assert (static["served_by"], static["evidence"]) == (served_by, evidence)


def test_inspecting_never_imports_an_entry_point(project):
    (project / "shop" / "wsgi.py").write_text("raise SystemExit('imported')\n")
    assert services(project, STATIC, "wrappers=('shop.wsgi.Own',)")["static"]["served_by"] is None


def test_a_class_whose_module_warns_is_known_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "old_wrapper.py").write_text(
        "import warnings\nwarnings.warn('old', stacklevel=1)\nclass Wrapper(dict): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert ancestors("old_wrapper.Wrapper") == ("old_wrapper.Wrapper", "builtins.dict")


ROUTE = (
    "from django.urls import include, path, re_path\nfrom django.views.static import serve\n"
    "urlpatterns = [re_path(r'^static/(?P<path>.*)$', serve, {'document_root': '/srv'})]\n"
)


@pytest.mark.parametrize(
    ("debug", "urls", "served_by"),
    [
        (False, ROUTE, "django.views.static.serve"),
        (False, ROUTE.replace("static/", "media/"), None),
        # Under DEBUG the same route is what static() adds for the development server.
        (True, ROUTE, None),
        (False, "import no_such_module\n", None),
    ],
)
def test_static_files_served_by_a_route(project, debug, urls, served_by):
    (project / "shop" / "urls.py").write_text(urls)
    assert services(project, STATIC + f"DEBUG = {debug}")["static"]["served_by"] == served_by


def tasks(found: Any) -> list[tuple[str, str]]:
    return [(task["name"], task["evidence"]) for task in found["tasks"]]


@pytest.mark.parametrize(
    ("app", "setting", "expected"),
    [
        ("django_q", 'Q_CLUSTER = {"name": "shop"}', [("django-q", "settings.Q_CLUSTER")]),
        ("django_q", "", [("django-q", "settings.INSTALLED_APPS[1]")]),
        ("django_q", 'Q_CLUSTER = {"sync": True}', []),
        ("huey.contrib.djhuey", "", [("huey", "settings.INSTALLED_APPS[1]")]),
        ("huey.contrib.djhuey", 'HUEY = {"immediate": True}', []),
        ("django_dramatiq", "", [("dramatiq", "settings.INSTALLED_APPS[1]")]),
        (
            "django_rq",
            'RQ_QUEUES = {"default": {"HOST": "cache.internal"}}',
            [("rq", "settings.RQ_QUEUES")],
        ),
        ("django_rq", 'RQ_QUEUES = {"default": {"ASYNC": False}}', []),
        ("django_celery_beat", "", [("celery", "settings.INSTALLED_APPS[1]")]),
        (
            "django_celery_results",
            'CELERY_BROKER_URL = "redis://:hush@cache.internal"',
            [("celery", "settings.CELERY_BROKER_URL")],
        ),
        ("django_celery_results", "CELERY_TASK_ALWAYS_EAGER = True", []),
    ],
)
def test_task_queues_by_app_and_setting(project, app, setting, expected):
    package = project
    for part in app.split("."):
        package /= part
        package.mkdir()
        (package / "__init__.py").touch()
    found = services(project, f'INSTALLED_APPS += ["{app}"]\n{setting}')
    assert tasks(found) == expected
    assert "cache.internal" not in json.dumps(found)


CELERY = "import os\n\nfrom celery import Celery\n\napp = Celery('shop')\n"


def test_a_celery_application_that_nothing_imports(project):
    (project / "shop" / "celery.py").write_text(CELERY)
    assert tasks(services(project)) == [("celery", "shop/celery.py:5")]


def test_a_celery_application_of_another_package_that_is_imported(project):
    # A stand-in: what counts is the class of the object, by its module and name.
    (project / "celery" / "app").mkdir(parents=True)
    (project / "celery" / "app" / "__init__.py").touch()
    (project / "celery" / "app" / "base.py").write_text(
        "class Celery:\n    def __init__(self, name):\n        self.name = name\n"
    )
    (project / "celery" / "__init__.py").write_text("from celery.app.base import Celery\n")
    (project / "worker").mkdir()
    (project / "worker" / "__init__.py").write_text(CELERY.replace("app =", "queue ="))
    found = services(project, 'INSTALLED_APPS += ["worker"]')
    assert tasks(found) == [("celery", "worker:queue")]


@pytest.mark.parametrize("text", ["def Celery(:", "name = 'Celery('\n", "\0Celery("])
def test_modules_that_make_no_celery_application(project, text):
    (project / "shop" / "worker.py").write_text(text)
    assert tasks(services(project)) == []


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        ("django.tasks.backends.immediate.ImmediateBackend", []),
        ("django.tasks.backends.dummy.DummyBackend", []),
        ("shop.tasks.AtOnce", []),
        ("shop.tasks.Queued", [("django-tasks", "settings.TASKS['default']: shop.tasks.Queued")]),
        (
            "django_tasks.backends.database.DatabaseBackend",
            [
                (
                    "django-tasks",
                    "settings.TASKS['default']: django_tasks.backends.database.DatabaseBackend",
                )
            ],
        ),
    ],
)
def test_django_tasks(project, backend, expected):
    (project / "shop" / "tasks.py").write_text(
        "class ImmediateBackend:\n    pass\n\n"
        "class AtOnce(ImmediateBackend):\n    pass\n\nclass Queued:\n    pass\n"
    )
    found = services(project, f'TASKS = {{"default": {{"BACKEND": "{backend}"}}}}')
    assert tasks(found) == expected


def test_channels_worker(project):
    found = services(project, asgi="protocols=('http', 'channel')")
    assert tasks(found) == [("channels", "shop.asgi:application answers 'channel'")]


def test_settings_of_the_wrong_type_are_no_traceback(project):
    found = services(
        project,
        "DATABASES = CACHES = CHANNEL_LAYERS = STORAGES = TASKS = None\n"
        "RQ_QUEUES = []\nSTATIC_URL = None\nSESSION_ENGINE = 5",
    )
    assert (found["databases"], found["caches"], found["channel_layers"]) == ([], [], [])
    assert tasks(found) == [("rq", "settings.RQ_QUEUES")]
