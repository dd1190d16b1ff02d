"""``deploytool.asgi.get_asgi_application()``: how many threads the handler gets, and from whom."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import copy_project, manage, run_python, serving

SCRIPT = "from leased.asgi import application; print(application.options.threads)"
PLANNED, ASKED = "DEPLOYTOOL_ASGI_THREADS", "DEPLOYTOOL_ASGI_THREADS_ASKED"


def imported(project, **env):
    return run_python("-c", SCRIPT, cwd=project, **env)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Two threads are stated in its settings, or none with STATED=."""
    made = copy_project("handler_threads", tmp_path_factory.mktemp("asgi"))
    with (made / "leased/settings.py").open("a") as file:
        file.write('if "STATED" in os.environ:\n    del DEPLOYTOOL["ASGI_THREADS"]\n')
    return made


@pytest.mark.parametrize(
    ("env", "threads"),
    [
        ({}, "2"),
        ({PLANNED: "5"}, "2"),
        ({PLANNED: "5", ASKED: "6"}, "6"),
        ({"STATED": "", PLANNED: "5"}, "5"),
        ({"STATED": "", PLANNED: ""}, "8"),
        ({"STATED": ""}, "8"),
    ],
)
def test_who_decides(project, env, threads):
    assert imported(project, **env).stdout.strip() == threads


@pytest.mark.parametrize("text", ["many", "0", "1.5", "²"])
def test_what_is_no_number_is_said(project, text):
    done = imported(project, STATED="", **{PLANNED: text})
    assert done.returncode == 1
    assert f"${PLANNED} has to be a whole number of at least 1, not {text!r}." in done.stderr


def test_the_plan_says_it_and_the_server_does_it(project):
    # Read below the settings' two, the one that is asked for would have no effect.
    with serving(project, "--workers", "1", "--threads", "1", path="/state/") as served:
        assert "1 worker of 1 thread," in served.log.read_text()
        with ThreadPoolExecutor(2) as pool:
            paths = [f"/sync/?seconds=0.3&name={name}" for name in "ab"]
            assert [status for status, _ in pool.map(served.get, paths)] == [200, 200]
        seen = [each.split()[0] for each in json.loads(served.get("/state/")[1])["seen"]]
        assert seen == ["begun", "done", "begun", "done"]


def test_what_is_planned_is_shown(project):
    shown = manage(project, "deployplan", STATED="").stdout
    assert "  asgi_threads         8  " in shown
    assert f"{PLANNED}=8 " in shown
    assert "with Django's handler" in shown
    line = manage(project, "runserver_gateway", "--dry-run", "--threads", "3").stdout
    assert f"{ASKED}=3 " in line
