"""Whole sound projects, built and deployed as their packages' documentation has it.

A finding of WARNING or above would be a false alarm; what is said as advice is listed, for
each of it was found to be true.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deploytool.checks.deployment import Stated
from deploytool.checks.registered import make_case
from deploytool.checks.running import messages
from deploytool.plan import Options
from deploytool.project import inspect_project
from tests.checks.project import deploycheck
from tests.support import PROJECTS, ROOT

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = {
    "SECRET_KEY": "for-tests-only-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEF",
    "ALLOWED_HOSTS": "www.example.org",
    "REDIS_URL": "redis://redis.invalid:6379/0",
    "DATABASE_URL": "postgres://site:password@db.invalid:5432/site",
    "DJANGO_CONFIGURATION": None,
}


def copied(name: str, tmp_path: Path) -> Path:
    """A copy outside of this repository, whose own files are not the project's."""
    project = tmp_path / "repository"
    shutil.copytree(PROJECTS / "sound" / name, project)
    for files in ("staticfiles", "static_root"):
        (project / files).mkdir(exist_ok=True)
        (project / files / "staticfiles.json").write_text('{"paths": {}, "version": "1.1"}')
    return project


def said(project: Path, *args: str, **env: str | None) -> tuple[dict[str, Any], list[str]]:
    """The report, and the ids of what is found, by Django's checks too."""
    report = deploycheck(project, *args, **{**ENVIRONMENT, **env})
    return report, [finding["id"] for finding in report["findings"]]


def test_a_shop_by_rest_framework(tmp_path):
    """Split settings, Sentry, WhiteNoise, a toolbar in development; Compose, nginx, Gunicorn."""
    project = copied("shop", tmp_path)
    production = {"DJANGO_SETTINGS_MODULE": "config.settings.production"}
    report, ids = said(project, **production)
    assert report["plan"]["interface"] == "wsgi"
    # X-Forwarded-For may be made up where nothing says how many proxies there are.
    assert ids == ["deploytool.I331"]
    deployment = report["deployment"]
    assert deployment["proxy"]["value"] is True
    assert deployment["container"]["value"] is True
    # What stops Gunicorn as the Dockerfile starts it is not held against the plan.
    assert deployment["stop_grace"]["value"] is None


def test_a_chat_by_channels(tmp_path):
    """daphne for runserver, Redis, consumers of each kind, a pool, Uvicorn behind nginx."""
    report, ids = said(copied("chat", tmp_path))
    assert report["plan"]["interface"] == "asgi"
    advice = {"I131", "I207", "I208", "I411"}
    assert set(ids) <= {f"deploytool.{each}" for each in advice}


def test_an_api_by_ninja_in_a_src_directory(tmp_path):
    """deploytool's own handler and server, Sentry, persistent connections; Kubernetes."""
    report, ids = said(copied("ninja", tmp_path) / "src")
    assert report["plan"]["interface"] == "asgi"
    assert ids == ["deploytool.I321"]


def test_fastapi_around_django(tmp_path):
    """OpenTelemetry, ServeStatic; Uvicorn as a systemd unit behind nginx on the same machine."""
    report, ids = said(copied("fastapi", tmp_path))
    assert report["plan"]["interface"] == "asgi"
    assert ids == ["deploytool.I131"]


def test_a_portal_by_configurations(tmp_path):
    """Classes of settings, Django's own middleware in its order, files and streams; Heroku."""
    report, ids = said(copied("portal", tmp_path))
    assert (report["plan"]["interface"], ids) == ("wsgi", [])


def test_the_demonstration_with_all_its_services(tmp_path):
    """Several workers need them; its chat has nobody under WSGI, and its clock no end there."""
    (tmp_path / "staticfiles.json").write_text('{"paths": {}, "version": "1.1"}')
    env = {
        "DEBUG": "off",
        "CSRF_TRUSTED_ORIGINS": "https://www.example.org",
        "BEHIND_TLS_PROXY": "on",
        "STATIC_ROOT": str(tmp_path),
    }
    report, _ = said(ROOT, "--what-if", "wsgi", **env)
    changed = {(each["id"], each.get("change")) for each in report["findings"]}
    assert changed == {
        ("deploytool.I131", "gone"),
        ("deploytool.E601", "new"),
        ("deploytool.E634", "new"),
    }


@pytest.mark.parametrize(
    ("conf", "grace", "found"), [({}, 10, 0), ({"graceful_timeout": 30}, 10, 1), ({}, 5, 1)]
)
def test_a_check_outside_of_the_container_that_the_site_runs_in(conf, grace, found):
    """The plan is made anew in there, and heeds it where nothing is stated."""
    here = inspect_project()
    project = replace(
        here,
        machine=replace(here.machine, container=None),
        conf=replace(here.conf, **conf),
    )
    stated = Stated(container=True, stop_grace=grace)
    case = make_case(project, Options(interface="wsgi"), stated=stated)
    ids = [message.id for message in messages(case)]
    assert ids.count("deploytool.W203") == found
