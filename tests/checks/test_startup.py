"""The checks of what a server starts with: settings, import path, a server at all."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import django

from tests.checks.project import SETTINGS, make_project
from tests.checks.test_entrypoints import found, line, only
from tests.support import ROOT, run_python

SPLIT = {
    "site1/settings/__init__.py": "",
    "site1/settings/base.py": SETTINGS.format(middleware=""),
    "site1/settings/local.py": "from site1.settings.base import *\n\nDEBUG = True\n",
    "site1/settings/production.py": "from site1.settings.base import *\n",
}


def chooses(project: Path, file: str, module: str, *, assigned: bool = False) -> None:
    """Let a file of the project name other settings."""
    path = project / file
    text = re.sub(r'"site1\.settings[\w.]*"', f'"{module}"', path.read_text())
    if assigned:
        text = text.replace('environ.setdefault("DJANGO_SETTINGS_MODULE", ', "environ.update(x=")
        text = text.replace("environ.update(x=", "environ.update(DJANGO_SETTINGS_MODULE=")
    path.write_text(text)


def split(tmp_path: Path, manage: str, wsgi: str, asgi: str) -> Path:
    """A project with settings for development and production, and what each file names."""
    project = make_project(tmp_path, SPLIT)
    (project / "site1" / "settings.py").unlink()
    for file, module in (("manage.py", manage), ("site1/wsgi.py", wsgi), ("site1/asgi.py", asgi)):
        chooses(project, file, f"site1.settings.{module}")
    return project


def test_split_settings_are_sound(tmp_path):
    project = split(tmp_path, "local", "production", "production")
    # Production settings that want a secret which is not here are chosen all the same.
    (project / "site1" / "settings" / "production.py").write_text(
        "import os\nfrom site1.settings.base import *\n\nSECRET_KEY = os.environ['SITE_KEY']\n"
    )
    [(identifier, place, message, hint)] = found(project, among=range(10, 80))
    assert (identifier, place) == ("I019", line(project, "site1/wsgi.py", "production"))
    assert "these findings are about site1.settings.local" in message
    assert "manage.py deploycheck --settings site1.settings.production" in hint
    there = {"SITE_KEY": "k" * 60}
    option = ("--settings", "site1.settings.production")
    assert found(project, *option, among=range(10, 80), **there) == []
    there["DJANGO_SETTINGS_MODULE"] = "site1.settings.production"
    assert found(project, among=range(10, 80), **there) == []


COMPOSE = """
services:
  web:
    image: site
    command: gunicorn site1.wsgi --bind 0.0.0.0:8000
    environment:
      DJANGO_SETTINGS_MODULE: site1.settings.production
"""


def test_settings_that_deployment_files_choose(tmp_path):
    # As django-cookiecutter has it: everything names the local settings, the containers do not.
    project = split(tmp_path, "local", "local", "local")
    assert [each[0] for each in found(project, among=range(10, 80))] == ["E050"]
    compose = project / "compose.yaml"
    compose.write_text(COMPOSE)
    [(identifier, place, message, hint)] = found(project, among=range(10, 80))
    assert (identifier, place) == ("I019", line(project, "compose.yaml", "DJANGO_SETTINGS"))
    assert "sets DJANGO_SETTINGS_MODULE to site1.settings.production" in message
    assert "--settings site1.settings.production" in hint
    # What an entry point names by itself does not matter then.
    chooses(project, "site1/wsgi.py", "site1.gone")
    assert found(project, "--settings", "site1.settings.production", among=range(10, 80)) == []


def test_configurations_are_settings_of_their_own(tmp_path):
    """As with split settings, in classes of django-configurations."""
    body = textwrap.indent(SETTINGS.format(middleware=""), "    ")
    project = make_project(
        tmp_path,
        {
            "site1/settings.py": "from configurations import Configuration\n"
            f"\n\nclass Production(Configuration):\n{body}"
            "\n\nclass Local(Production):\n    DEBUG = True\n",
        },
    )
    for file, configuration in (
        ("manage.py", "Local"),
        ("site1/wsgi.py", "Production"),
        ("site1/asgi.py", "Local"),
    ):
        path = project / file
        text = path.read_text()
        role = path.stem
        text = text.replace(f"from django.core.{role} import", f"from configurations.{role} import")
        text = text.replace("django.core.management", "configurations.management")
        named = 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")'
        assert named in text
        configured = f'os.environ.setdefault("DJANGO_CONFIGURATION", "{configuration}")'
        first = text.index("import os\n") + len("import os\n")
        path.write_text(f"{text[:first]}\n{configured}\n{named}\n{text[first:]}")
    findings = found(project, "--interface", "wsgi", among=range(10, 80))
    assert {each[0][0] for each in findings} == {"I"}
    [(identifier, _, message, hint)] = [each for each in findings if "wsgi.py" in each[1]]
    assert identifier == "I019"
    assert "the settings site1.settings (Production)" in message
    assert "these findings are about site1.settings (Local)" in message
    assert "--settings site1.settings --configuration Production" in hint
    assert "E050" in {each[0] for each in found(project, "--interface", "asgi", among=RANGE)}
    assert found(project, "--configuration", "Production", "--interface", "wsgi", among=RANGE) == []


RANGE = range(50, 80)


def test_settings_that_do_not_exist(tmp_path):
    project = make_project(tmp_path)
    chooses(project, "site1/wsgi.py", "site1.settings_production")
    findings = found(project, "--interface", "wsgi")
    place, message, hint = only(findings, "W019")
    assert place == line(project, "site1/wsgi.py", "settings_production")
    assert "names the settings site1.settings_production, and there is no such module" in message
    assert "Where DJANGO_SETTINGS_MODULE is not set" in message
    assert hint == "Name site1.settings, the settings that are loaded here."
    # As the entry point that is not served
    place, message, _ = only(found(project, "--interface", "asgi"), "W019")
    assert place == line(project, "site1/wsgi.py", "settings_production")
    assert "The plan serves ASGI" in message


def test_entry_point_names_the_development_settings(tmp_path):
    project = split(tmp_path, "production", "local", "production")
    findings = found(project, "--interface", "wsgi")
    place, message, _ = only(findings, "W019")
    assert place == line(project, "site1/wsgi.py", "site1.settings.local")
    assert "in which DEBUG is on" in message
    assert "shows settings and source to visitors" in message
    assert only(findings, "I019")[0] == line(project, "site1/asgi.py", "production")
    # The environment chooses, here as there.
    environment = {"DJANGO_SETTINGS_MODULE": "site1.settings.production"}
    assert {each[0] for each in found(project, "--interface", "wsgi", **environment)} == {"I019"}


def test_assigned_settings(tmp_path):
    project = split(tmp_path, "local", "production", "production")
    chooses(project, "site1/wsgi.py", "site1.settings.production", assigned=True)
    assert "environ.update(DJANGO" in (project / "site1" / "wsgi.py").read_text()
    findings = found(project, "--interface", "wsgi", among=range(10, 80))
    place, message, hint = only(findings, "I019")
    assert place.startswith("site1/wsgi.py")
    assert "site1.wsgi:application assigns DJANGO_SETTINGS_MODULE" in message
    assert "it serves the settings site1.settings.production" in message
    assert "--settings site1.settings.production" in hint
    assert len(findings) == 1
    # Asked for others, and not heeded
    findings = found(project, "--interface", "wsgi", "--settings", "site1.settings.base")
    assert [each[0] for each in findings] == ["W019"]


TOO_LATE = """\
import os

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")
"""


def test_settings_asked_for_too_early_and_not_named_at_all(tmp_path):
    project = make_project(
        tmp_path,
        {
            "app/names.py": """
                from django.conf import settings

                NAME = settings.ROOT_URLCONF
                """,
            "site1/wsgi.py": """
                from app.names import NAME

                import os

                os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")

                from django.core.wsgi import get_wsgi_application

                application = get_wsgi_application()
                """,
            "site1/asgi.py": """
                from django.core.asgi import get_asgi_application

                application = get_asgi_application()
                """,
        },
    )
    place, message, hint = only(found(project, "--interface", "wsgi"), "W019")
    assert place == "site1/wsgi.py:5"
    assert "before it names the settings" in message
    assert "Requested setting ROOT_URLCONF, but settings are not configured" in message
    assert "first in the file" in hint
    _, message, _ = only(found(project, "--interface", "asgi"), "I019")
    assert "site1/asgi.py names no settings" in message
    # The application is made, which loads the settings, and then they are named.
    (project / "site1" / "wsgi.py").write_text(TOO_LATE)
    place, message, _ = only(found(project, "--interface", "wsgi"), "W019")
    assert place == line(project, "site1/wsgi.py", "setdefault")
    assert "before it names the settings" in message


def test_the_package_chooses_first(tmp_path):
    """A Celery application that is imported with the package has the first word."""
    project = split(tmp_path, "production", "production", "production")
    (project / "site1" / "__init__.py").write_text("from .queue import app\n")
    (project / "site1" / "queue.py").write_text(
        'import os\n\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings.local")\n'
        "app = None\n"
    )
    place, message, _ = only(found(project, "--interface", "wsgi"), "W019")
    assert place == line(project, "site1/wsgi.py", "production")
    assert "site1.settings.local, in which DEBUG is on" in message


def test_celery(tmp_path):
    project = split(tmp_path, "production", "production", "production")
    installed = tmp_path / "site-packages"
    (installed / "celery").mkdir(parents=True)
    (installed / "celery" / "__init__.py").write_text(
        "class Celery:\n    def __init__(self, name):\n        self.name = name\n"
    )
    celery = project / "site1" / "celery.py"
    path = {"PYTHONPATH": f"{installed}:{ROOT}"}
    celery.write_text(
        "import os\n\nfrom celery import Celery\n\n"
        'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings.local")\n'
        'app = Celery("site1")\n'
    )
    place, message, hint = only(found(project, **path), "I020")
    assert place == "site1/celery.py:5"
    assert "the site is served with site1.settings.production" in message
    assert "DEBUG on" in message
    assert "for the workers as for the site" in hint
    celery.write_text(celery.read_text().replace("settings.local", "settings.prod"))
    assert "no worker starts" in only(found(project, **path), "W020")[1]
    celery.write_text(celery.read_text().replace("settings.prod", "settings.production"))
    assert found(project, **path) == []


def test_import_path_of_manage(tmp_path):
    project = make_project(
        tmp_path,
        {
            "manage.py": """
                import os
                import sys

                if __name__ == "__main__":
                    sys.path.append(os.path.join(os.path.dirname(__file__), "apps"))
                    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")
                    from django.core.management import execute_from_command_line

                    execute_from_command_line(sys.argv)
                """,
            "apps/blog/__init__.py": "",
        },
        settings='INSTALLED_APPS += ["blog"]',
    )
    place, message, hint = only(found(project, "--interface", "wsgi"), "W026")
    assert place == "site1/wsgi.py:6"
    assert f"({project / 'apps'})" in message
    assert "No module named 'blog'" in message
    assert "Extend sys.path in site1/wsgi.py" in hint
    # Where the entry point does so too, it is sound.
    wsgi = project / "site1" / "wsgi.py"
    wsgi.write_text(
        "import sys\nfrom pathlib import Path\n\n"
        'sys.path.append(str(Path(__file__).resolve().parent.parent / "apps"))\n' + wsgi.read_text()
    )
    assert found(project, "--interface", "wsgi") == []


def test_nothing_can_be_served(tmp_path):
    project = make_project(
        tmp_path,
        {"site1/urls.py": "from app.views import homepage\n"},
        settings='DEPLOYTOOL = {"HTTP2": True, "SERVER": "uvicorn"}',
    )
    findings = found(project, "--interface", "asgi")
    place, message, _ = only(findings, "E025")
    assert place == "site1/urls.py:1"
    assert "cannot import name 'homepage'" in message
    assert "requests are answered 500" in message
    assert "CERTFILE" in only(findings, "E027")[2]
    place, message, _ = only(findings, "E024")
    assert place == line(project, "site1/settings.py", "DEPLOYTOOL")
    assert "Uvicorn speaks HTTP/2 with zttp, which is not installed" in message


def test_no_server(tmp_path):
    """In an environment with Django and nothing else."""
    project = make_project(
        tmp_path,
        settings='DATABASES["default"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": "db"}',
    )
    installed = Path(django.__file__).parent.parent
    alone = tmp_path / "alone"
    alone.mkdir()
    for pattern in ("django", "django-*", "Django-*", "asgiref*", "sqlparse*"):
        for each in installed.glob(pattern):
            (alone / each.name).symlink_to(each)
    done = run_python(
        "-S",
        "manage.py",
        "deploycheck",
        "--tag",
        "deploytool",
        cwd=project,
        PYTHONPATH=f"{alone}:{ROOT}",
        NO_COLOR="1",
    )
    assert done.returncode == 1, done.stderr
    assert "ERROR deploytool.E024\n    No server for WSGI is installed.\n" in done.stdout
    assert 'Install one: pip install "django-deploytool[gunicorn]"' in done.stdout
