"""Whatever is wrong with the project, or with a check: a report and a defined exit status."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.checks.project import make_project
from tests.support import copy_project, manage, run_python

if TYPE_CHECKING:
    from pathlib import Path


def report_of(project: Path, *args: str, status: int = 1, **options: Any) -> dict[str, Any]:
    """The JSON report of deploycheck, which has to end with ``status`` and no traceback."""
    done = manage(project, "deploycheck", "--format", "json", *args, **options)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def of(report: dict[str, Any], identifier: str) -> list[dict[str, Any]]:
    return [finding for finding in report["findings"] if finding["id"] == identifier]


def app(body: str) -> str:
    """An apps.py of the project's app of which ``ready()`` is ``body``."""
    lines = "".join(f"        {line}\n" for line in body.strip().splitlines())
    return (
        "from django.apps import AppConfig\n\n\n"
        "class Sabotage(AppConfig):\n"
        '    name = "app"\n\n'
        "    def ready(self):\n" + lines
    )


SABOTAGE = """
from deploytool.checks.rule import Finding, rule, rules
rules()
@rule(996, "W")
def raises(case):
    yield Finding("Found before it.", "")
    raise ZeroDivisionError("in a rule")
@rule(997, "W")
def recurses(case):
    return recurses(case)
@rule(998, "E")
def yields_nonsense(case):
    yield "no finding"
@rule(999, "I")
def after(case):
    yield Finding("Made all the same.", "", "here")
rules.cache_clear()
"""


def test_a_rule_that_crashes_is_a_finding_and_the_others_are_made(tmp_path):
    project = make_project(tmp_path, {"app/apps.py": app(SABOTAGE)})
    report = report_of(project)
    crashed = of(report, "deploytool.W001")
    assert [finding["object"] for finding in crashed] == [
        "deploytool.W996",
        "deploytool.W997",
        "deploytool.E998",
    ]
    assert crashed[0]["message"].startswith(
        "The check deploytool.W996 (raises) could not be made: ZeroDivisionError: in a rule "
    )
    assert "apps.py:" in crashed[0]["message"]
    assert "RecursionError" in crashed[1]["message"]
    assert {finding["level"] for finding in crashed} == {"WARNING"}
    assert of(report, "deploytool.I999")
    # Django's command shows the same and does not end in a traceback either.
    done = manage(project, "check", "--deploy")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert done.stderr.count("(deploytool.W001)") == 3
    assert "(deploytool.I999) Made all the same." in done.stderr


def test_a_module_of_checks_that_cannot_be_loaded_is_a_finding(tmp_path):
    body = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name == "deploytool.checks.judging":
            raise RuntimeError("not today")
sys.meta_path.insert(0, Refuse())
"""
    report = report_of(make_project(tmp_path, {"app/apps.py": app(body)}))
    [crashed] = of(report, "deploytool.W001")
    assert crashed["message"].startswith(
        "The checks of deploytool.checks.judging could not be made: RuntimeError: not today ("
    )


CRASHING_CHECKS = """
from django.core import checks


@checks.register
def raises(app_configs, **kwargs):
    return [checks.Warning("Never seen."), 1 // 0]


@checks.register(deploy=True)
def exits(app_configs, **kwargs):
    raise SystemExit(4)


@checks.register(deploy=True)
def returns_nothing(app_configs, **kwargs):
    pass


@checks.register(deploy=True)
def returns_strings(app_configs, **kwargs):
    return ["no message"]


@checks.register(deploy=True)
def is_well(app_configs, **kwargs):
    return [checks.Info("Made all the same.", id="app.I001")]
"""


def test_a_crashed_check_of_an_app_is_a_finding(tmp_path):
    project = make_project(tmp_path, {"app/models.py": CRASHING_CHECKS})
    report = report_of(project)
    crashed = of(report, "deploytool.E004")
    by_type = {each["message"].partition(": ")[2].partition(":")[0]: each for each in crashed}
    assert len(crashed) == 4
    assert set(by_type) == {"ZeroDivisionError", "SystemExit", "TypeError"}
    failed = by_type["ZeroDivisionError"]
    assert (failed["path"], failed["line"]) == ("app/models.py", 6)
    objects = {each["object"]: each["message"] for each in crashed}
    assert "app.models.returns_nothing" in objects
    assert "'no message', which is no message" in objects["app.models.returns_strings"]
    assert of(report, "app.I001")


def test_a_urlconf_that_cannot_be_imported(tmp_path):
    project = copy_project("broken_urlconf", tmp_path)
    report = report_of(project)
    # One, though several of Django's checks fail, and ours says what follows from it.
    assert not of(report, "deploytool.E004")
    [broken] = of(report, "deploytool.E025")
    assert "URLconf cannot be loaded" in broken["message"]
    assert broken["path"].endswith(".py")
    assert broken["line"]
    for kind in ("text", "github", "sarif"):
        assert manage(project, "deploycheck", "--format", kind).returncode == 1


@pytest.mark.parametrize(
    "urls", ["raise SystemExit(3)", "import sys\nsys.exit()", "urlpatterns = 5", "1 +", ""]
)
def test_urlconfs_that_end_the_process_or_are_none(urls, tmp_path):
    project = make_project(tmp_path, {"site1/urls.py": urls})
    report = report_of(project)
    assert any(finding["level"] in {"ERROR", "CRITICAL"} for finding in report["findings"])
    assert not of(report, "deploytool.W001")


def test_a_database_that_is_down(tmp_path):
    down = """
        DATABASES = {
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": "site1",
                "HOST": "127.0.0.1",
                "PORT": "9",
                "USER": "u",
                "PASSWORD": "hush-hush",
                "CONN_HEALTH_CHECKS": True,
            },
            "files": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": "/nonexistent/directory/db.sqlite3",
            },
        }
        """
    project = make_project(tmp_path, settings=down)
    for status, args in (
        (0, ("--tag", "security")),
        (1, ("--database", "default", "--fail-level", "DEBUG")),
        (1, ("--database", "default", "--database", "files", "--fail-level", "DEBUG")),
    ):
        done = manage(project, "deploycheck", "--format", "json", *args)
        assert done.returncode == status, done.stdout + done.stderr
        report = json.loads(done.stdout)
        assert not of(report, "deploytool.W001")
        assert "Traceback" not in done.stderr
        assert "hush-hush" not in done.stdout + done.stderr
    text = json.dumps(report["findings"])
    assert "'default' cannot be used: OperationalError: " in text
    assert "'files' cannot be used: there is no file /nonexistent/directory/db" in text


def test_an_entry_point_that_hangs(tmp_path):
    project = copy_project("asgi_hangs", tmp_path)
    settings = next(project.glob("*/settings.py"))
    with settings.open("a") as file:
        file.write("\nDEPLOYTOOL = {'ENTRYPOINT_TIMEOUT': 1}\n")
    for args in ((), ("--interface", "asgi"), ("--what-if", "asgi")):
        assert not of(report_of(project, *args), "deploytool.W001")


def test_settings_that_lack_everything(tmp_path):
    (tmp_path / "bare.py").write_text('SECRET_KEY = "x"\nINSTALLED_APPS = ["deploytool"]\n')
    (tmp_path / "manage.py").write_text(
        "import os, sys\n"
        "from django.core.management import execute_from_command_line\n"
        'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bare")\n'
        "execute_from_command_line(sys.argv)\n"
    )
    for args in ((), ("--interface", "asgi"), ("--what-if", "asgi")):
        assert not of(report_of(tmp_path, *args), "deploytool.W001")


def test_settings_without_a_module(tmp_path):
    script = (
        "from django.conf import settings\n"
        "settings.configure(SECRET_KEY='x', INSTALLED_APPS=['deploytool'])\n"
        "import django, sys\n"
        "django.setup()\n"
        "from django.core.management import execute_from_command_line\n"
        "execute_from_command_line(['manage.py', 'deploycheck', *sys.argv[1:]])\n"
    )
    for kind in ("json", "sarif", "github", "text"):
        done = run_python("-c", script, "--format", kind, cwd=tmp_path)
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
        assert "deploytool.W001" not in done.stdout


def odd_files(project: Path) -> None:
    """Deployment files and sources that nobody can read, or that have no end."""
    deep = "".join(" " * depth + f"k{depth}:\n" for depth in range(900))
    bomb = "a0: &a0 [x, x]\n" + "".join(
        f"a{number}: &a{number} [*a{number - 1}, *a{number - 1}]\n" for number in range(1, 60)
    )
    nested = "{" * 3000
    # What makes the rules read a file.
    mentioned = "path(.as_asgi( serve static Celery( cache.add(1, 1) X-Forwarded-Proto\n" * 2
    mentioned = "".join(f"# {line}\n" for line in mentioned.splitlines()) + "import cache\n"
    texts: dict[str, bytes] = {
        "Dockerfile": "FROM python\nRUN <<EOF\ngunicorn".encode("utf-16"),
        "web.Dockerfile": b'FROM python\nCMD ["gunicorn", "site1.wsgi"\nENV A=\xff\xfe\n',
        "Dockerfile.prod": b"\0\1\2\xff" * 1000,
        "docker-compose.yml": bomb.encode() + b"services: *a59\n",
        "compose.yaml": deep.encode(),
        "docker-compose.prod.yml": b"services: [\n",
        "compose.prod.yaml": b"services:\n  web: &w\n    <<: *w\n    command: [1, {}, null]\n",
        "docker-compose.override.yml": "services:\n  web:\n    command: é".encode("latin-1"),
        "nginx/nginx.conf": f"http {nested}".encode() + b"include nginx.conf;",
        "nginx/site.conf": b"server { listen 80; include *.conf; location ~ (((( { proxy_pass",
        "uwsgi.ini": b"[uwsgi]\nini = uwsgi.ini\nmodule = %(module)\n[uwsgi\n",
        "Procfile": b"web: gunicorn 'unclosed\n\xff: x\nweb\n: \n",
        "gunicorn.conf.py": b"bind = (\n",
        "deploy/site.service": b"ExecStart=gunicorn\n[Service\n[Service]\nExecStart=\\\n",
        "entrypoint.sh": b"#!/bin/sh\nexec gunicorn $(((( `\n. ./entrypoint.sh\nsh entrypoint.sh\n",
        "supervisord.conf": b"[program:web]\n[program:web]\ncommand = %(ENV_X\n%%%",
        "requirements.txt": b"-r requirements.txt\n-r missing.txt\nDjango\xff\n",
        "pyproject.toml": b"[project\nname = \n",
        "poetry.lock": b"\xff\xfe\0",
        "Caddyfile": nested.encode(),
        "app/latin.py": "NAME = 'é'\n".encode("latin-1"),
        "app/cookie.py": b"# coding: no-such-encoding\nNAME = 1\n",
        "app/broken.py": b"def f(:\n",
        "app/deep.py": mentioned.encode() + b"X = " + b"-" * 20_000 + b"1\n",
        "app/wide.py": (
            mentioned + f"X = {'(' * 150}1{')' * 150}\n" + "Y = 1" + " + 1" * 5000
        ).encode(),
        "app/nul.py": b"X = 1\0\n",
        "deploy/large.conf": b"server { listen 80; }\n" * 300_000,
    }
    for name, content in texts.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (project / "compose.yml").mkdir()  # where a file is looked for
    (project / "app" / "directory.py").mkdir()
    (project / "docker-compose.dev.yml").symlink_to("nowhere.yml")
    (project / "loop.conf").symlink_to("loop.conf")
    (project / "around").symlink_to(".")
    os.mkfifo(project / "docker-compose.pipe.yml")  # nobody ever writes into it
    os.mkfifo(project / "start.sh")
    os.mkfifo(project / "app" / "pipe.py")
    locked = project / "locked.service"
    locked.write_text("[Service]\nExecStart=gunicorn site1.wsgi\n")
    locked.chmod(0)


def test_files_that_cannot_be_read(tmp_path):
    project = make_project(tmp_path)
    odd_files(project)
    done = manage(project, "deploycheck", "--format", "json", "--fail-level", "CRITICAL")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    report = json.loads(done.stdout)
    assert [each["message"] for each in of(report, "deploytool.W001")] == []
