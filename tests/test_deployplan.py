"""``manage.py deployplan`` on whole projects: the answer, its evidence, nothing else on stdout."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import jsonschema
import pytest

from tests.support import PROJECTS, ROOT, copy_project, environment, manage

SCHEMA = json.loads((ROOT / "deploytool/reports/deployplan.schema.json").read_text())
EVERY = sorted(path.parent.name for path in PROJECTS.glob("*/manage.py"))


def planned(project, *args, **env):
    done = manage(project, "deployplan", "--format", "json", *args, **env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def interface(plan):
    return plan["decisions"][0]


@pytest.mark.parametrize("name", EVERY)
def test_every_project_gets_a_plan_that_its_schema_describes(name, tmp_path):
    project = copy_project(name, tmp_path)
    plan = planned(project)
    jsonschema.Draft202012Validator(SCHEMA).validate(plan)
    assert "Traceback" not in json.dumps(plan["plan"])


@pytest.mark.parametrize(
    "name", ["channels_chat", "broken_urlconf", "asgi_import_error", "wrong_callable", "drf"]
)
def test_projects_get_an_answer_in_text(name, tmp_path):
    done = manage(copy_project(name, tmp_path), "deployplan")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(("WSGI (", "ASGI ("))
    assert "Traceback" not in done.stdout + done.stderr


def test_a_channels_route_requires_asgi_with_file_and_line(tmp_path):
    project = copy_project("channels_chat", tmp_path)
    decision = interface(planned(project))
    assert (decision["value"], decision["strength"]) == ("asgi", "required")
    assert decision["evidence"]
    place, line = decision["evidence"][0].split(" ")[0].rsplit(":", 1)
    assert "path(" in (project / place).read_text().splitlines()[int(line) - 1]


def test_stdout_carries_only_the_answer_whatever_the_project_prints(tmp_path):
    project = copy_project("entry_plain", tmp_path)
    settings = next(project.glob("*/settings.py"))
    with settings.open("a") as file:
        file.write("\nimport atexit\nprint('settings speak')\n")
        file.write("atexit.register(print, 'exit speaks')\n")
    for entry in ("wsgi.py", "asgi.py"):
        with (settings.parent / entry).open("a") as file:
            file.write("\nprint('entry point speaks')\n")
    with (settings.parent / "urls.py").open("a") as file:
        file.write("\nimport os\nprint('urls speak')\nos.system('echo urls shout')\n")
    done = manage(project, "deployplan", "--format", "json")
    document = json.loads(done.stdout)
    assert "settings speak" in done.stderr
    assert "urls shout" in done.stderr
    assert "urls speak" in done.stderr
    assert "exit speaks" in done.stderr
    assert "entry point speaks" in document["project"]["entrypoints"]["wsgi"]["output"]


def test_an_app_that_prints_unbuffered_does_not_reach_stdout_either(tmp_path):
    project = copy_project("entry_plain", tmp_path)
    settings = next(project.glob("*/settings.py"))
    (project / "loud").mkdir()
    (project / "loud" / "__init__.py").touch()
    (project / "loud" / "apps.py").write_text(
        "from django.apps import AppConfig\n"
        "class Loud(AppConfig):\n"
        "    name = 'loud'\n"
        "    def ready(self):\n"
        "        print('ready speaks', flush=True)\n"
    )
    with settings.open("a") as file:
        file.write("\nINSTALLED_APPS = ['loud', *INSTALLED_APPS]\n")
    for command, start in (
        (["deployplan", "--format", "json"], "{"),
        (["runserver_gateway", "--dry-run"], "PYTHONPATH="),
    ):
        done = manage(project, *command, PYTHONUNBUFFERED="1")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(start)
        assert "ready speaks" in done.stderr
    # Anything else prints where it always did.
    assert "ready speaks" in manage(project, "check", PYTHONUNBUFFERED="1").stdout
    assert "usage:" in manage(project, "deployplan", "--help").stdout


def test_a_misspelt_setting_is_one_line_with_the_nearest_name(tmp_path):
    project = copy_project("entry_plain", tmp_path)
    settings = next(project.glob("*/settings.py"))
    with settings.open("a") as file:
        file.write("\nDEPLOYTOOL = {'WORKRES': 3}\n")
    done = manage(project, "deployplan")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.strip() == (
        "CommandError: settings.DEPLOYTOOL has an unknown key 'WORKRES'. Did you mean 'WORKERS'?"
    )


def test_options_stand_above_what_is_found(tmp_path):
    project = copy_project("entry_plain", tmp_path)
    plan = planned(project, "--interface", "asgi", "--server", "daphne")
    assert (plan["plan"]["interface"], plan["plan"]["server"]) == ("asgi", "daphne")
    assert [d["source"] for d in plan["decisions"][:2]] == ["option", "option"]
    done = manage(project, "deployplan", "--interface", "wsgi", "--server", "daphne")
    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: Daphne serves ASGI only")


def test_a_database_that_does_not_answer_is_not_asked(tmp_path):
    project = copy_project("entry_plain", tmp_path)
    settings = next(project.glob("*/settings.py"))
    with settings.open("a") as file:
        file.write(
            "\nDATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3',"
            " 'NAME': '/nonexistent/directory/db.sqlite3', 'PASSWORD': 'hush-hush'}}\n"
        )
    done = manage(project, "deployplan", "--format", "json")
    assert done.returncode == 0
    assert "hush-hush" not in done.stdout


@pytest.mark.parametrize(("no_color", "coloured"), [(None, True), ("1", False)])
def test_no_color_is_obeyed_on_a_terminal(no_color, coloured, tmp_path):
    project = copy_project("entry_plain", tmp_path)
    parent, terminal = pty.openpty()
    subprocess.run(
        [sys.executable, "manage.py", "runserver_gateway", "nowhere"],
        cwd=project,
        env=environment(NO_COLOR=no_color, TERM="xterm"),
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
        timeout=60,
        check=False,
    )
    os.close(terminal)
    shown = os.read(parent, 65536).decode()
    os.close(parent)
    assert "is not an address" in shown
    assert ("\x1b[" in shown) is coloured
