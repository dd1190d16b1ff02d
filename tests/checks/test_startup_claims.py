"""What the checks of the start say of Django and of the servers, seen to happen."""

from __future__ import annotations

import os
import urllib.error
import urllib.request

import pytest

from tests.checks.project import make_project
from tests.checks.test_entrypoints_claims import OPEN, run, started, status
from tests.checks.test_startup import TOO_LATE, chooses, split
from tests.support import ROOT


def test_which_settings_are_served(tmp_path):
    project = split(tmp_path, "production", "local", "gone")
    served = "import {0}, django.conf; print(django.conf.settings.SETTINGS_MODULE)"
    unset = {"DJANGO_SETTINGS_MODULE": None}
    # Where the environment says nothing, the entry point decides ...
    assert run(project, "-c", served.format("site1.wsgi"), **unset).stdout == (
        "site1.settings.local\n"
    )
    # ... and names a module that does not exist.
    done = run(project, "-c", "import site1.asgi", **unset)
    assert "ModuleNotFoundError: No module named 'site1.settings.gone'" in done.stderr
    # Where it says something, setdefault() heeds it and an assignment does not.
    production = {"DJANGO_SETTINGS_MODULE": "site1.settings.production"}
    assert "production" in run(project, "-c", served.format("site1.wsgi"), **production).stdout
    chooses(project, "site1/wsgi.py", "site1.settings.local", assigned=True)
    assert "local" in run(project, "-c", served.format("site1.wsgi"), **production).stdout
    # What is imported with the package comes first.
    (project / "site1" / "__init__.py").write_text(
        "import os\n\n"
        'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings.production")\n'
    )
    (project / "site1" / "asgi.py").write_text(
        'import os\n\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings.local")\n'
        "from django.core.asgi import get_asgi_application\n\n"
        "application = get_asgi_application()\n"
    )
    assert "production" in run(project, "-c", served.format("site1.asgi"), **unset).stdout


def test_what_asks_for_a_setting_before_they_are_named(tmp_path):
    project = make_project(
        tmp_path,
        {"app/names.py": "from django.conf import settings\nNAME = settings.ROOT_URLCONF\n"},
    )
    wsgi = project / "site1" / "wsgi.py"
    wsgi.write_text("from app.names import NAME\n" + wsgi.read_text())
    done = run(project, "-c", "import site1.wsgi", DJANGO_SETTINGS_MODULE=None)
    assert "Requested setting ROOT_URLCONF, but settings are not configured" in done.stderr
    assert run(project, "-c", "import site1.wsgi").returncode == 0
    wsgi.write_text(TOO_LATE)
    done = run(project, "-c", "import site1.wsgi", DJANGO_SETTINGS_MODULE=None)
    assert "settings are not configured" in done.stderr


def test_the_import_path_of_manage_is_no_servers(tmp_path):
    project = make_project(
        tmp_path, {"apps/blog/__init__.py": ""}, settings='INSTALLED_APPS += ["blog"]'
    )
    server = ("gunicorn", "-b", "127.0.0.1:PORT", "site1.wsgi")
    done = run(project, "-m", *(each.replace("PORT", "0") for each in server))
    assert done.returncode != 0
    assert "ModuleNotFoundError: No module named 'blog'" in done.stderr
    path = f"{project / 'apps'}{os.pathsep}{ROOT}"
    with started(project, *server, PYTHONPATH=path) as (url, _):
        assert status(f"{url}/") in {301, 400}


def test_a_server_starts_with_a_urlconf_that_cannot_be_loaded(tmp_path):
    project = make_project(
        tmp_path, {"site1/urls.py": "from app.views import nothing\n"}, settings=OPEN
    )
    with started(project, "gunicorn", "-b", "127.0.0.1:PORT", "site1.wsgi") as (url, _):
        assert status(f"{url}/") == 500


def test_a_handshake_without_a_websocket_library_is_a_page(tmp_path):
    project = make_project(tmp_path, settings=OPEN)
    server = ("--port", "PORT", "--ws", "none", "site1.asgi:application")
    handshake = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    with started(project, "uvicorn", *server) as (url, _):
        request = urllib.request.Request(f"{url}/ws/chat/", headers=handshake)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=10)
    with refused.value as answer:
        assert answer.code == 404
