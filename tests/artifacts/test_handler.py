"""asgi.py with the handler of ``deploytool.asgi``: when it is written, and that it serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.artifacts.test_entrypoints import (
    CONVERSATION,
    EXPECTED,
    edit,
    generate,
    into_classes,
    run,
)
from tests.support import copy_project, manage, serving

OURS = "from deploytool.asgi import get_asgi_application\n"
DJANGOS = "from django.core.asgi import get_asgi_application\n"
# A thread of the pool, or one that asgiref has started.
VIEW = """
import threading
from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("", lambda request: HttpResponse(threading.current_thread().name))]
"""


def state(project: Path, handler: str | None) -> None:
    """Let the settings name the handler, and ask for ASGI."""
    named = "" if handler is None else f'"ASGI_HANDLER": "{handler}", '
    with (project / "site1/settings.py").open("a") as file:
        file.write(f'\nDEPLOYTOOL = {{{named}"INTERFACE": "asgi"}}\n')


def write(project: Path, text: str) -> None:
    """An asgi.py by hand."""
    name = 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")\n'
    (project / "site1/asgi.py").write_text(f"import os\n\n{name}\n{text}")


def asgi(project: Path) -> str:
    return (project / "site1/asgi.py").read_text()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("files_plain", "plain_deploytool_asgi.py"),
        ("files_channels", "channels_deploytool_asgi.py"),
    ],
)
def test_whole_files(tmp_path, name, expected):
    project = copy_project(name, tmp_path)
    state(project, "deploytool")
    assert generate(project) == "site1/asgi.py: created\n"
    assert asgi(project) == (EXPECTED / expected).read_text()
    assert generate(project) == "site1/asgi.py: unchanged\n"


@pytest.mark.parametrize("handler", [None, "django"])
def test_otherwise_nothing_changes(tmp_path, handler):
    project = copy_project("files_plain", tmp_path)
    state(project, handler)
    generate(project, "asgi")
    assert asgi(project) == (EXPECTED / "plain_asgi.py").read_text()


def test_websockets_and_pages_through_the_written_application(tmp_path):
    project = copy_project("files_channels", tmp_path)
    state(project, "deploytool")
    edit(project / "site1/urls.py", 'HttpResponse("home")', 'HttpResponse(request.scope["type"])')
    generate(project, "asgi")
    assert OURS in asgi(project)
    assert run(project, CONVERSATION).endswith('false, 200, "http"]')


def test_a_working_one_with_another_handler_is_due(tmp_path):
    project = copy_project("files_plain", tmp_path)
    written = DJANGOS + "\napplication = get_asgi_application()\n"
    write(project, written)
    assert manage(project, "deployfiles", "--check").returncode == 0
    state(project, "deploytool")
    done = manage(project, "deployfiles", "--check")
    assert done.returncode == 1
    assert "site1/asgi.py" in done.stdout + done.stderr
    # One's own with our handler is not, whatever else stands in it.
    write(project, written.replace(DJANGOS, OURS))
    assert manage(project, "deployfiles", "--check").returncode == 0
    # Naming it in the file is not enough where something else serves.
    write(project, f"{OURS.replace('application', 'application as unused')}{written}")
    assert manage(project, "deployfiles", "--check").returncode == 1


def test_what_was_written_follows_the_setting(tmp_path):
    project = copy_project("files_plain", tmp_path)
    state(project, "django")
    assert generate(project) == "site1/asgi.py: created\n"
    settings = project / "site1/settings.py"
    edit(settings, '"ASGI_HANDLER": "django"', '"ASGI_HANDLER": "deploytool"')
    assert generate(project) == "site1/asgi.py: updated\n"
    assert OURS in asgi(project)
    # Taken back without a word, the handler that is there stays.
    edit(settings, '"ASGI_HANDLER": "deploytool", ', "")
    assert generate(project, "asgi") == "site1/asgi.py: unchanged\n"
    edit(settings, '{"INTERFACE"', '{"ASGI_HANDLER": "django", "INTERFACE"')
    assert generate(project) == "site1/asgi.py: updated\n"
    assert DJANGOS in asgi(project)


@pytest.mark.parametrize(
    "text",
    [
        f"{OURS}\napplication = get_asgi_application()\n",
        "import deploytool.asgi\n\napplication = deploytool.asgi.get_asgi_application()\n",
        # It cannot be imported: what was meant can be read.
        f"import site1.missing\n{OURS}\napplication = get_asgi_application()\n",
        # A class of the project's own
        """
import django
from deploytool.handlers.asgi import ASGIHandler

class Own(ASGIHandler):
    pass

django.setup()
application = Own()
""",
    ],
)
def test_one_that_has_it_is_not_switched_back(tmp_path, text):
    project = copy_project("files_plain", tmp_path)
    state(project, None)
    write(project, text)
    shown = manage(project, "deployfiles", "asgi", "--dry-run", "-v", "2").stdout
    assert OURS in shown
    assert DJANGOS not in shown


@pytest.mark.parametrize(("handler", "thread"), [("deploytool", "request-"), (None, "ThreadPool")])
def test_it_serves(tmp_path, handler, thread):
    project = copy_project("files_plain", tmp_path)
    state(project, handler)
    (project / "site1/urls.py").write_text(VIEW)
    generate(project, "asgi")
    with serving(project, "--no-reload") as served:
        status, text = served.get()
        assert status == 200
        assert text.startswith(thread)
        assert ("worker of 8 threads" in served.log.read_text()) is (handler == "deploytool")


@pytest.mark.parametrize("debug", [True, False])
def test_it_serves_settings_that_are_classes(tmp_path, debug):
    project = copy_project("files_plain", tmp_path)
    edit(project / "site1/settings.py", "DEBUG = True", f"DEBUG = {debug}")
    into_classes(project, 'DEPLOYTOOL = {"ASGI_HANDLER": "deploytool", "INTERFACE": "asgi"}')
    (project / "site1/urls.py").write_text(VIEW)
    generate(project, "asgi")
    assert asgi(project) == (EXPECTED / "configurations_deploytool_asgi.py").read_text()
    with serving(project, "--no-reload", "--workers", "1") as served:
        assert served.get() == (200, "request-1")
    # As a server started by hand imports it: nothing but the names in the file.
    script = "from site1.asgi import application as a; print(type(a).__module__)"
    assert run(project, script).endswith("deploytool.handlers.asgi")
