"""What the checks of redirects say of Django, seen to happen in one process of a project."""

from __future__ import annotations

import json

import pytest

from tests.checks.project import make_project
from tests.checks.test_hosts import LOGINS
from tests.support import run_python

SCRIPT = """
import json, os
os.environ["DJANGO_SETTINGS_MODULE"] = "site1.settings"
import django
django.setup()
from django.conf import settings
from django.test import Client, override_settings

answer = {}
plain = {"SECURE_SSL_REDIRECT": False}
required = "django.contrib.auth.middleware.LoginRequiredMiddleware"


def ask(path, host="example.org", **changes):
    with override_settings(**changes):
        response = Client(raise_request_exception=False).get(path, headers={"host": host})
        return [response.status_code, response.get("Location", "")]


def login(url, *more):
    middleware = [*settings.MIDDLEWARE, *more]
    return ask(url, **plain, LOGIN_URL=url, MIDDLEWARE=middleware)


for name in ("plain", "open", "view", "changed"):
    answer[name] = login(f"/{name}/", required)
for name in ("closed", "mixed", "other"):
    answer[name] = login(f"/{name}/")
answer["in part"] = login("/plain/", "app.required.Some")
answer["everywhere"] = login("/plain/", "app.required.Everywhere")

answer["www"] = ask("/", **plain, PREPEND_WWW=True)
answer["at www"] = ask("/", "www.example.org", **plain, PREPEND_WWW=True)
host = {"SECURE_SSL_HOST": "secure.example.org"}
answer["host"] = ask("/", **host)
answer["at host"] = ask("/", "secure.example.org", **plain, **host)
print("@@" + json.dumps(answer))
"""


@pytest.fixture(scope="module")
def answer(tmp_path_factory):
    settings = """
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    LOGGING = {"version": 1, "disable_existing_loggers": True}
    TEMPLATES[0]["OPTIONS"] = {
        "context_processors": ["django.template.context_processors.request"]
    }
    """
    files = {**LOGINS, "app/templates/registration/login.html": "log in"}
    project = make_project(tmp_path_factory.mktemp("redirects"), files, settings=settings)
    done = run_python("-c", SCRIPT, cwd=project)
    assert "@@" in done.stdout, done.stderr
    return json.loads(done.stdout.rpartition("@@")[2])


def test_a_login_page_that_asks_for_a_login_redirects_to_itself(answer):
    for name in ("plain", "changed", "closed", "mixed"):
        assert answer[name] == [302, f"/{name}/?next=/{name}/"]
    assert answer["everywhere"] == [302, "/plain/?to=/plain/"]


def test_one_that_asks_for_none_or_leads_elsewhere_does_not(answer):
    assert answer["open"] == answer["view"] == answer["in part"] == [200, ""]
    assert answer["other"] == [302, "/plain/?next=/other/"]


def test_redirects_to_a_host_that_is_not_allowed_end_in_400(answer):
    assert answer["www"] == [301, "http://www.example.org/"]
    assert answer["at www"] == [400, ""]
    assert answer["host"] == [301, "https://secure.example.org/"]
    assert answer["at host"] == [400, ""]
