"""The checks of databases: connections, transactions, SQLite, and what a server answers."""

from __future__ import annotations

import pytest

from benchmarks.postgresql import find_programs, running_cluster
from tests.checks.project import deploycheck, found, make_project, ours
from tests.support import facts, manage

FIRST = ("site1/settings.py", 55)
OWN_HANDLER = {
    "site1/asgi.py": """
        import os

        from deploytool.asgi import get_asgi_application

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")
        application = get_asgi_application()
        """
}


def database(**entry):
    """Settings whose default database is changed by ``entry``, in their first line."""
    return f"DATABASES['default'] |= {entry!r}\n"


def ids(project, *args, **env):
    """The ids of the findings of this file's rules."""
    report = deploycheck(project, *args, **env)
    found = (finding["id"] for finding in report["findings"])
    return sorted(f.removeprefix("deploytool.") for f in found if f[12:15] in BLOCK)


BLOCK = {f"{number}" for number in range(410, 421)}


def at(finding):
    return finding["path"], finding["line"]


# Connections


def test_persistent_connections_under_djangos_asgi_handler(tmp_path):
    project = make_project(tmp_path, settings=database(CONN_MAX_AGE=600))
    [finding] = found(project, 410, "--interface", "asgi")
    assert finding["id"] == "deploytool.W410"
    assert at(finding) == FIRST
    assert "CONN_MAX_AGE of the database 'default' is 600" in finding["message"]
    assert '"CONN_MAX_AGE": 0' in finding["hint"]
    assert ids(project, "--interface", "wsgi") == []


def test_connections_kept_for_ever_and_threads_that_are_not_leased(tmp_path):
    settings = database(CONN_MAX_AGE=None)
    off = settings + 'DEPLOYTOOL = {"ASGI_HANDLER_OFF": ["leased-threads"]}\n'
    project = make_project(tmp_path, OWN_HANDLER, settings=off)
    [finding] = found(project, 410, "--interface", "asgi")
    assert "is None" in finding["message"]
    project = make_project(tmp_path / "leased", OWN_HANDLER, settings=settings)
    assert ids(project, "--interface", "asgi") == []


def test_connections_that_asgi_does_not_leave_open(tmp_path):
    settings = """
default = DATABASES["default"]
DATABASES |= {
    "new": {**default, "CONN_MAX_AGE": 0},
    "pool": {**default, "OPTIONS": {"pool": {"min_size": 2, "max_size": 8}}},
    "file": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/srv/db", "CONN_MAX_AGE": 600},
}
"""
    project = make_project(tmp_path, settings=settings)
    assert ids(project, "--interface", "asgi", "--workers", "1") == []


def test_connections_that_are_not_checked(tmp_path):
    settings = """
DATABASES["default"] = unchecked = {**DATABASES["default"], "CONN_HEALTH_CHECKS": False}
DATABASES["kept"] = {**unchecked, "CONN_MAX_AGE": 600}
DATABASES["pooled"] = {**unchecked, "OPTIONS": {"pool": True}}
"""
    project = make_project(tmp_path, settings=settings)
    findings = found(project, 411, "--interface", "wsgi")
    assert [finding["message"][32:40] for finding in findings] == ["'kept' o", "'pooled'"]
    assert {finding["id"] for finding in findings} == {"deploytool.I411"}
    assert "CONN_HEALTH_CHECKS" in findings[0]["hint"]
    # Under Django's ASGI handler nothing is kept but a pool.
    [finding] = found(project, 411, "--interface", "asgi")
    assert "'pooled'" in finding["message"]


# Transactions

ASYNC_VIEWS = {
    "app/views.py": """
        from django.db import transaction
        from django.http import HttpResponse
        from django.utils.decorators import method_decorator
        from django.views import View


        def home(request):
            return HttpResponse("home")


        async def quote(request):
            return HttpResponse("quote")


        @transaction.non_atomic_requests
        async def spared(request):
            return HttpResponse("spared")


        class Ticker(View):
            async def get(self, request):
                return HttpResponse("tick")


        @method_decorator(transaction.non_atomic_requests, name="dispatch")
        class SparedTicker(View):
            async def get(self, request):
                return HttpResponse("tick")
        """,
    "site1/urls.py": """
        from django.urls import path

        from app import views

        urlpatterns = [
            path("", views.home),
            path("quote/", views.quote),
            path("quotes/<int:pk>/", views.quote),
            path("spared/", views.spared),
            path("ticker/", views.Ticker.as_view()),
            path("spared-ticker/", views.SparedTicker.as_view()),
        ]
        """,
}


def test_async_views_in_transactions(tmp_path):
    project = make_project(tmp_path, ASYNC_VIEWS, settings=database(ATOMIC_REQUESTS=True))
    quote, ticker = found(project, 412, "--interface", "wsgi")
    assert quote["id"] == "deploytool.E412"
    assert at(quote) == ("app/views.py", 11)
    assert "app.views.quote (route 'quote/' and 1 more route)" in quote["message"]
    assert "@transaction.non_atomic_requests" in quote["hint"]
    assert at(ticker) == ("app/views.py", 20)


def test_a_view_spared_for_one_database_of_two(tmp_path):
    other = "DATABASES['other'] = {**DATABASES['default'], 'NAME': 'other'}\n"
    project = make_project(tmp_path, ASYNC_VIEWS, settings=database(ATOMIC_REQUESTS=True) + other)
    findings = found(project, 412, "--interface", "asgi")
    spared = [finding for finding in findings if "spared" in finding["message"].lower()]
    assert len(spared) == 2
    assert "@transaction.non_atomic_requests(using='other')" in spared[0]["hint"]


def test_async_views_without_transactions(tmp_path):
    project = make_project(tmp_path, ASYNC_VIEWS)
    assert ids(project, "--interface", "asgi") == []


# What Django refuses


REFUSED = {
    "text": ({"CONN_MAX_AGE": "600"}, "CONN_MAX_AGE is '600', which is no number"),
    "both": (
        {"CONN_MAX_AGE": 60, "OPTIONS": {"pool": True}},
        "Pooling doesn't support persistent connections",
    ),
    "option": ({"OPTIONS": {"pool": {"size": 4}}}, "'size'"),
    "nameless": ({"NAME": ""}, "Please supply the NAME"),
    "mode": (
        {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": {"transaction_mode": "IMEDIATE"}},
        "'IMEDIATE'",
    ),
}


def test_what_django_refuses(tmp_path):
    entries = {alias: entry for alias, (entry, _) in REFUSED.items()}
    settings = f"""
DATABASES |= {{alias: DATABASES["default"] | entry for alias, entry in {entries!r}.items()}}
DATABASES["number"] = DATABASES["default"] | {{"CONN_MAX_AGE": 0.5}}
DATABASES["pool"] = DATABASES["default"] | {{"OPTIONS": {{"pool": True}}}}
"""
    findings = found(make_project(tmp_path, settings=settings), 413)
    assert [finding["id"] for finding in findings] == ["deploytool.E413"] * len(REFUSED)
    for finding, (alias, (_, said)) in zip(findings, REFUSED.items(), strict=True):
        assert at(finding) == ("site1/settings.py", 58)
        assert f"the database {alias!r}" in finding["message"]
        assert said in finding["message"]


def test_a_driver_that_is_not_installed(tmp_path):
    other = "DATABASES['other'] = {'ENGINE': 'django.db.backends.mysql', 'NAME': 'other'}\n"
    [finding] = found(make_project(tmp_path, settings=other), 413)
    assert "Error loading MySQLdb module" in finding["message"]


# SQLite

SQLITE = {"ENGINE": "django.db.backends.sqlite3", "NAME": "/srv/site1/db.sqlite3"}
IMMEDIATE = {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;"}


def test_sqlite_with_several_processes(tmp_path):
    project = make_project(tmp_path, settings=database(**SQLITE))
    [finding] = found(project, 414, "--workers", "2")
    assert finding["id"] == "deploytool.W414"
    assert at(finding) == FIRST
    assert "database is locked" in finding["message"]
    assert '"transaction_mode": "IMMEDIATE"' in finding["hint"]
    assert ids(project, "--workers", "1") == []


def test_sqlite_with_several_replicas(tmp_path):
    project = make_project(tmp_path, settings=database(**SQLITE, OPTIONS=IMMEDIATE))
    [finding] = found(project, 414, "--workers", "1", "--replicas", "2")
    assert finding["id"] == "deploytool.W414"
    assert "data of its own" in finding["message"]
    assert ids(project, "--workers", "4") == []


def test_sqlite_beside_the_default_database(tmp_path):
    backends = {
        "app/locking/base.py": """
            from django.db.backends.sqlite3 import base


            class DatabaseWrapper(base.DatabaseWrapper):
                def _start_transaction_under_autocommit(self):
                    self.cursor().execute("BEGIN IMMEDIATE")
            """,
        "app/plain/base.py": """
            from django.db.backends.sqlite3 import base


            class DatabaseWrapper(base.DatabaseWrapper):
                pass
            """,
    }
    settings = """
DATABASES |= {
    "locking": {"ENGINE": "app.locking", "NAME": "/srv/site1/locking.sqlite3"},
    "plain": {"ENGINE": "app.plain", "NAME": "/srv/site1/plain.sqlite3"},
    "read": {"ENGINE": "app.plain", "NAME": "file:/srv/site1/read.sqlite3?mode=ro"},
}
"""
    project = make_project(tmp_path, backends, settings=settings)
    [finding] = found(project, 414, "--workers", "2")
    assert finding["id"] == "deploytool.I414"
    assert "'plain'" in finding["message"]


def test_sqlite_in_a_container(tmp_path):
    settings = """
sqlite = {"ENGINE": "django.db.backends.sqlite3"}
DATABASES["apart"] = {**sqlite, "NAME": "/srv/site1/db.sqlite3"}
DATABASES["among"] = {**sqlite, "NAME": BASE_DIR / "data/db.sqlite3"}
"""
    project = make_project(tmp_path, settings=settings)
    [finding] = found(project, 415, "--container")
    assert finding["id"] == "deploytool.I415"
    assert at(finding) == ("site1/settings.py", 58)
    assert "'among'" in finding["message"]
    assert "volume" in finding["message"]
    assert found(project, 415, "--no-container") == []


def test_sqlite_in_memory(tmp_path):
    settings = database(ENGINE="django.db.backends.sqlite3", NAME=":memory:")
    project = make_project(tmp_path / "used", settings=settings)
    [finding] = found(project, 416, "--workers", "1")
    assert finding["id"] == "deploytool.E416"
    assert "no such table" in finding["message"]
    unused = settings + 'SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"\n'
    assert ids(make_project(tmp_path / "unused", settings=unused), "--workers", "2") == []


# PgBouncer


def test_a_pooler_and_cursors(tmp_path):
    settings = """
default = DATABASES["default"]
DATABASES |= {
    "port": {**default, "HOST": "10.0.0.5", "PORT": 6432},
    "host": {
        **default,
        "HOST": "prod-pgbouncer.internal",
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": {"prepare_threshold": 5},
    },
    "told": {**default, "PORT": "6432", "DISABLE_SERVER_SIDE_CURSORS": True},
    "named": {**default, "HOST": "spoolersville.example", "PORT": "5432"},
}
"""
    port, host = found(make_project(tmp_path, settings=settings), 417)
    assert port["id"] == "deploytool.W417"
    assert at(port) == ("site1/settings.py", 57)
    assert "transaction pooling mode" in port["message"]
    assert '"DISABLE_SERVER_SIDE_CURSORS": True' in port["hint"]
    assert "'host'" in host["message"]
    assert "prepared statements" in host["message"]
    assert "server-side cursors" not in host["message"]


# What a database answers


def test_a_database_that_does_not_answer(tmp_path):
    project = make_project(tmp_path, settings=database(HOST="127.0.0.1", PORT="1"))
    [finding] = found(project, 418, "--database", "default")
    assert finding["id"] == "deploytool.E418"
    assert at(finding) == FIRST
    assert "OperationalError" in finding["message"]
    # Nobody is asked who is not named.
    assert ids(project) == []


def test_an_sqlite_file_that_is_not_there_is_not_made(tmp_path):
    settings = database(ENGINE="django.db.backends.sqlite3", NAME=str(tmp_path / "none.sqlite3"))
    project = make_project(tmp_path, settings=settings)
    [finding] = found(project, 418, "--database", "default")
    assert "none.sqlite3" in finding["message"]
    assert not (tmp_path / "none.sqlite3").exists()


def test_a_database_that_hangs(tmp_path):
    hanging = """
        import socket

        from django.db.backends.postgresql import base


        class DatabaseWrapper(base.DatabaseWrapper):
            def get_new_connection(self, conn_params):
                ends = socket.socketpair()
                ends[0].recv(1)
        """
    project = make_project(
        tmp_path, {"app/hanging/base.py": hanging}, settings=database(ENGINE="app.hanging")
    )
    imports = "from deploytool.project.database_answers import ask_databases"
    error = facts(project, imports, "ask_databases(('default',), 0.5)[0].error")
    assert error == "no answer within 0.5 seconds"


@pytest.fixture(scope="module")
def cluster():
    if find_programs() is None:
        pytest.skip("initdb and postgres, the programs of PostgreSQL, are missing")
    with running_cluster() as cluster:
        yield cluster


MODELS = {
    "app/models.py": """
        from django.db import models


        class Item(models.Model):
            title = models.CharField(max_length=20)
        """,
    "app/migrations/0001_initial.py": """
        from django.db import migrations, models


        class Migration(migrations.Migration):
            initial = True
            operations = [
                migrations.CreateModel(
                    "Item",
                    [
                        ("id", models.BigAutoField(primary_key=True)),
                        ("title", models.CharField(max_length=20)),
                    ],
                )
            ]
        """,
}
LATER = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("app", "0001_initial")]
    operations = [migrations.AddField("Item", "price", models.IntegerField(default=0))]
"""


def test_migrations_and_a_cache_table(tmp_path, cluster):
    env = cluster.create_database("migrations")
    settings = f"""
DATABASES["default"] |= {{
    "HOST": {env["DATABASE_HOST"]!r},
    "NAME": {env["DATABASE_NAME"]!r},
    "USER": {env["DATABASE_USER"]!r},
}}
CACHES = {{
    "default": {{"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "kept"}}
}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""
    project = make_project(tmp_path, MODELS, settings=settings)
    report = deploycheck(project, "--database", "default")
    findings = {finding["id"]: finding for finding in report["findings"]}
    assert "app.0001_initial" in findings["deploytool.W419"]["message"]
    assert "manage.py migrate --database default" in findings["deploytool.W419"]["hint"]
    assert "'kept'" in findings["deploytool.E420"]["message"]
    assert at(findings["deploytool.E420"]) == ("site1/settings.py", 61)
    assert "createcachetable" in findings["deploytool.E420"]["hint"]
    for command in (("migrate", "-v0"), ("createcachetable",)):
        assert manage(project, *command).returncode == 0
    assert ours(project, "--database", "default") == []
    (project / "app/migrations/0002_price.py").write_text(LATER)
    [finding] = found(project, 419, "--database", "default")
    assert finding["message"].startswith("1 migration not applied")
    (project / "app/migrations/0002_price.py").write_text(LATER.replace("0001_i", "0001_x"))
    [finding] = found(project, 419, "--database", "default")
    assert "NodeNotFoundError" in finding["message"]


def test_a_database_that_does_not_exist(tmp_path, cluster):
    entry = database(HOST=str(cluster.folder), NAME="nowhere", USER="site")
    [finding] = found(make_project(tmp_path, settings=entry), 418, "--database", "default")
    assert 'database "nowhere" does not exist' in finding["message"]
