"""The demonstration's settings, read in fresh processes as each environment makes them."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.support import ROOT, manage, run_python

VARIABLES = (
    "ALLOWED_HOSTS",
    "BEHIND_TLS_PROXY",
    "CSRF_TRUSTED_ORIGINS",
    "DATABASE_URL",
    "DEBUG",
    "REDIS_URL",
    "SECRET_KEY",
    "SECURE_COOKIES",
    "SECURE_HSTS_SECONDS",
    "STATIC_ROOT",
)
SECRET = "a key of the tests, long enough and of many different letters 0123456789"
SCRIPT = """
import json, sys
from django.conf import settings
print(json.dumps({name: getattr(settings, name) for name in sys.argv[1:]}, default=str))
"""


def only(**env: str) -> dict[str, str | None]:
    """Of the site's variables these, and no other that this machine happens to set."""
    return {name: env.get(name) for name in VARIABLES}


def load(*names: str, **env: str) -> subprocess.CompletedProcess[str]:
    return run_python(
        "-W",
        "error",
        "-c",
        SCRIPT,
        *names,
        cwd=ROOT,
        timeout=30,
        DJANGO_SETTINGS_MODULE="myproject.settings",
        **only(**env),
    )


def setting(name: str, **env: str) -> Any:
    done = load(name, **env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)[name]


def error(**env: str) -> str:
    done = load("DEBUG", **env)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("django.core.exceptions.ImproperlyConfigured: "), done.stderr
    return last


def test_without_any_variable_it_is_ready_for_development():
    done = load("DEBUG", "SECRET_KEY", "ALLOWED_HOSTS", "DATABASES", "CHANNEL_LAYERS")
    found = json.loads(done.stdout)
    assert found["DEBUG"] is True
    assert found["SECRET_KEY"]
    assert "127.0.0.1" in found["ALLOWED_HOSTS"]
    assert found["DATABASES"]["default"]["NAME"] == str(ROOT / "db.sqlite3")
    assert found["CHANNEL_LAYERS"]["default"]["BACKEND"].endswith("InMemoryChannelLayer")


@pytest.mark.parametrize("word", ["False", "0", "no", "OFF", " false "])
def test_debug_off(word):
    assert setting("DEBUG", DEBUG=word, SECRET_KEY=SECRET) is False


@pytest.mark.parametrize("word", ["True", "1", "yes", "on", ""])
def test_debug_on(word):
    assert setting("DEBUG", DEBUG=word) is True


def test_debug_that_is_no_boolean():
    message = error(DEBUG="flase", SECRET_KEY=SECRET)
    assert "DEBUG is 'flase', which is not a boolean" in message
    assert "true" in message


@pytest.mark.parametrize("key", [{}, {"SECRET_KEY": ""}, {"SECRET_KEY": "  "}])
def test_a_secret_key_is_required_without_debug(key):
    assert "SECRET_KEY is required" in error(DEBUG="0", **key)


def test_hosts_are_separated_by_commas():
    hosts = setting("ALLOWED_HOSTS", ALLOWED_HOSTS="example.org, www.example.org,,")
    assert hosts == ["example.org", "www.example.org"]
    assert setting("ALLOWED_HOSTS", DEBUG="0", SECRET_KEY=SECRET) == []


def test_database_url():
    url = "postgres://ada:secret@db.example:5433/site"
    database = setting("DATABASES", DATABASE_URL=url)["default"]
    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("db.example", 5433, "site")
    assert "OPTIONS" not in database
    url = "sqlite:////srv/site.sqlite3?timeout=5"
    database = setting("DATABASES", DATABASE_URL=url)["default"]
    assert database["NAME"] == "/srv/site.sqlite3"
    assert database["OPTIONS"] == {"transaction_mode": "IMMEDIATE", "timeout": 5}


@pytest.mark.parametrize(
    "url", ["postgers://ada:hunter2@db/site", "ada:hunter2", "postgres://a:b:c"]
)
def test_a_database_url_that_is_none(url):
    message = error(DATABASE_URL=url)
    assert "DATABASE_URL" in message
    assert "hunter2" not in message


def test_redis_serves_what_processes_share():
    env = {"REDIS_URL": "redis://redis.example:6379/3"}
    layer = setting("CHANNEL_LAYERS", **env)["default"]
    assert layer["BACKEND"] == "channels_redis.core.RedisChannelLayer"
    assert layer["CONFIG"]["hosts"] == [env["REDIS_URL"]]
    assert setting("CACHES", **env)["default"]["LOCATION"] == env["REDIS_URL"]
    assert setting("SESSION_ENGINE", **env).endswith("cached_db")


def test_a_proxys_header_is_believed_when_there_is_a_proxy():
    names = ("SECURE_PROXY_SSL_HEADER", "SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE")
    production = {"DEBUG": "0", "SECRET_KEY": SECRET}
    bare = json.loads(load(*names, **production).stdout)
    assert list(bare.values()) == [None, False, True]
    behind = json.loads(load(*names, **production, BEHIND_TLS_PROXY="1").stdout)
    assert list(behind.values()) == [["HTTP_X_FORWARDED_PROTO", "https"], True, True]


def test_seconds_that_are_no_number():
    assert "SECURE_HSTS_SECONDS is '1h'" in error(SECURE_HSTS_SECONDS="1h")


def test_production_passes_djangos_deployment_checks():
    env = only(DEBUG="0", SECRET_KEY=SECRET, ALLOWED_HOSTS="example.org", BEHIND_TLS_PROXY="1")
    command = ("check", "--deploy", "--tag", "security", "--fail-level", "INFO")
    done = manage(ROOT, *command, **env)
    assert done.returncode == 0, done.stderr
    assert "W018" in manage(ROOT, *command, **only()).stderr  # the command can fail


def test_every_model_has_its_migration():
    done = manage(ROOT, "makemigrations", "--check", "--dry-run", **only())
    assert done.returncode == 0, done.stdout
