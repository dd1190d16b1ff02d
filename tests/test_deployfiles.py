"""``manage.py deployfiles``: what it writes, keeps, asks, shows and refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import copy_project, environment, manage

OWN = (
    "import os\nfrom django.core.wsgi import get_wsgi_application\n"
    'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")\n'
    "application = get_wsgi_application()\n"
)


@pytest.fixture
def project(tmp_path) -> Path:
    return copy_project("files_plain", tmp_path)


@pytest.fixture
def channels(tmp_path) -> Path:
    return copy_project("files_channels", tmp_path)


def deployfiles(project: Path, *args: str, status: int = 0) -> str:
    done = manage(project, "deployfiles", *args)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def answering(project: Path, answer: str, *args: str) -> tuple[str, str]:
    """Standard output and standard error where ``answer`` is typed."""
    done = subprocess.run(
        [sys.executable, "manage.py", "deployfiles", *args],
        cwd=project,
        env=environment(),
        input=answer,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout, done.stderr


def python_files(project: Path) -> dict[str, tuple[str, int]]:
    """Every file's content and time."""
    return {
        path.relative_to(project).as_posix(): (path.read_text(), path.stat().st_mtime_ns)
        for path in project.rglob("*.py")
    }


def test_without_names_it_writes_what_the_plan_lacks(project, channels):
    assert deployfiles(project) == "site1/wsgi.py: created\n"
    assert deployfiles(channels) == "site1/asgi.py: created\n"
    for each in (project, channels):
        before = python_files(each)
        assert deployfiles(each).endswith(": unchanged\n")
        assert python_files(each) == before


def test_without_names_it_brings_up_to_date_what_it_wrote(channels):
    deployfiles(channels, "wsgi", "asgi")
    settings = channels / "site1/settings.py"
    settings.write_text(settings.read_text().replace('    "news",\n', ""))
    assert deployfiles(channels, "--check", status=1) == (
        "site1/wsgi.py: unchanged\nsite1/asgi.py: would be updated\n"
    )
    assert deployfiles(channels) == "site1/wsgi.py: unchanged\nsite1/asgi.py: updated\n"
    assert "news" not in (channels / "site1/asgi.py").read_text()
    deployfiles(channels, "--check")


def test_a_working_file_of_ones_own_is_enough(project):
    (project / "site1/wsgi.py").write_text(OWN)
    assert deployfiles(project) == "Nothing to write: site1.wsgi:application works.\n"
    assert deployfiles(project, "--check") == "Nothing to write: site1.wsgi:application works.\n"
    assert deployfiles(project, "--check", "wsgi", "--noinput") == (
        "site1/wsgi.py: kept (not written by deploytool)\n"
    )
    assert deployfiles(project, "--diff") == ""
    assert deployfiles(project, "-v", "0") == ""


def test_a_file_of_ones_own_that_does_not_work_is_not(project):
    (project / "site1/wsgi.py").write_text(OWN + "import no_such_module\n")
    assert deployfiles(project, "--check", status=1) == (
        "site1/wsgi.py: kept unless confirmed (not written by deploytool)\n"
    )
    assert deployfiles(project, "--noinput") == "site1/wsgi.py: kept (not written by deploytool)\n"
    assert answering(project, "y\n")[0] == "site1/wsgi.py: updated\n"
    deployfiles(project, "--check")


def test_an_entry_point_that_does_not_route_what_is_there(channels):
    own = OWN.replace("wsgi", "asgi")
    (channels / "site1/asgi.py").write_text(own)
    deployfiles(channels, "--check", "asgi", status=1)
    routed = (
        own
        + "from channels.routing import ProtocolTypeRouter, URLRouter\n"
        + "import chat.routing, news.routing\n"
        + "application = ProtocolTypeRouter({'http': application, 'websocket': URLRouter(["
        + "*news.routing.websocket_urlpatterns, *chat.routing.websocket_urlpatterns])})\n"
    )
    (channels / "site1/asgi.py").write_text(routed)
    deployfiles(channels, "--check", "asgi")


@pytest.mark.parametrize("mode", ["--dry-run", "--diff", "--check"])
def test_modes_that_write_nothing(project, mode):
    (project / "site1/wsgi.py").write_text(OWN)
    before = python_files(project)
    deployfiles(project, "wsgi", "asgi", mode, status=1 if mode == "--check" else 0)
    assert python_files(project) == before


def test_dry_run(project):
    assert deployfiles(project, "--dry-run") == "site1/wsgi.py: would be created\n"
    said = deployfiles(project, "--dry-run", "-v", "2")
    deployfiles(project)
    assert said == ("site1/wsgi.py: would be created\n" + (project / "site1/wsgi.py").read_text())
    assert deployfiles(project, "--dry-run") == "site1/wsgi.py: unchanged\n"


def test_check(project):
    done = manage(project, "deployfiles", "--check", "wsgi", "asgi")
    assert done.returncode == 1
    assert done.stdout == "site1/wsgi.py: would be created\nsite1/asgi.py: would be created\n"
    assert done.stderr == (
        "CommandError: Missing or out of date. Next: manage.py deployfiles wsgi asgi\n"
    )
    deployfiles(project, "wsgi", "asgi")
    deployfiles(project, "--check", "wsgi", "asgi")


def test_a_changed_file_that_still_works_is_no_drift(project):
    deployfiles(project)
    with (project / "site1/wsgi.py").open("a") as file:
        file.write("# mine\n")
    assert deployfiles(project, "--check") == "Nothing to write: site1.wsgi:application works.\n"
    assert deployfiles(project, "--check", "wsgi", "--noinput") == (
        "site1/wsgi.py: kept (changed since deploytool wrote it)\n"
    )


def test_diff_is_a_patch(project):
    patch = deployfiles(project, "wsgi", "asgi", "--diff")
    applied = subprocess.run(
        ["git", "apply", "-"], input=patch, cwd=project, capture_output=True, text=True, check=False
    )
    assert applied.returncode == 0, applied.stderr
    assert deployfiles(project, "wsgi", "asgi", "--diff", "--check") == ""
    with (project / "site1/wsgi.py").open("a") as file:
        file.write("# mine\n")
    assert "\n-# mine\n" in deployfiles(project, "wsgi", "--diff")


@pytest.mark.parametrize(
    ("answer", "done"),
    [
        ("y\n", "updated"),
        ("Yes\n", "updated"),
        ("n\n", "kept (not written by deploytool)"),
        ("\n", "kept (not written by deploytool)"),
        ("", "kept (not written by deploytool)"),
    ],
)
def test_asking(project, answer, done):
    (project / "site1/wsgi.py").write_text(OWN)
    out, err = answering(project, answer, "wsgi")
    assert out == f"site1/wsgi.py: {done}\n"
    assert "site1/wsgi.py was not written by deploytool. Overwrite it? [y/N]" in err
    assert ((project / "site1/wsgi.py").read_text() == OWN) == done.startswith("kept")


def test_a_changed_file_is_asked_about(project):
    deployfiles(project)
    with (project / "site1/wsgi.py").open("a") as file:
        file.write("# mine\n")
    out, err = answering(project, "n\n", "wsgi")
    assert out == "site1/wsgi.py: kept (changed since deploytool wrote it)\n"
    assert "site1/wsgi.py was changed since deploytool wrote it. Overwrite it?" in err
    assert answering(project, "y\n", "wsgi")[0] == "site1/wsgi.py: updated\n"
    assert "mine" not in (project / "site1/wsgi.py").read_text()


def test_nothing_is_asked_about_a_file_that_is_ours(channels):
    deployfiles(channels)
    settings = channels / "site1/settings.py"
    settings.write_text(settings.read_text().replace('    "news",\n', ""))
    out, err = answering(channels, "", "asgi")
    assert out == "site1/asgi.py: updated\n"
    assert "Overwrite" not in err


def test_what_cannot_be_written_is_one_message(project):
    (project / "site1/wsgi.py").write_bytes(b"\xff\xfe")
    done = manage(project, "deployfiles", "wsgi", "--noinput")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("CommandError: ")
    assert "not text in UTF-8" in done.stderr


def test_a_name_that_there_is_not(project):
    done = manage(project, "deployfiles", "asgy")
    assert done.returncode == 1
    assert done.stderr == "CommandError: There is no 'asgy' to write. There are: wsgi, asgi.\n"


def test_from_another_directory_and_with_a_project_that_prints(project, tmp_path):
    settings = project / "site1/settings.py"
    settings.write_text(settings.read_text() + "\nprint('settings are loaded')\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    # Without a buffer it would be printed before any command of ours has begun.
    done = manage(project, "deployfiles", cwd=elsewhere, PYTHONUNBUFFERED=None)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{project}/site1/wsgi.py: created\n"
    assert "settings are loaded" in done.stderr


def test_a_broken_urlconf_does_not_stop_it(project):
    (project / "site1/urls.py").write_text("import no_such_module\n")
    assert deployfiles(project, "asgi") == "site1/asgi.py: created\n"
