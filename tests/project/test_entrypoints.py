"""Entry points of whole projects, each imported in an interpreter of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support import copy_project, environment, facts

HEAD = """\
import os

from django.core.{role} import get_{role}_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")

"""
ASGI = HEAD.format(role="asgi")
WSGI = HEAD.format(role="wsgi")


def inspect(project: Path, timeout: float = 20, **env: str | None) -> dict[str, Any]:
    """Both entry points of ``project`` as JSON gives them back."""
    source = project / "src"
    base = source if source.is_dir() else project
    env.setdefault("PYTHONPATH", f"{base}{os.pathsep}{environment()['PYTHONPATH']}")
    return facts(
        project,
        "from deploytool.project.entrypoints import inspect_entrypoints",
        "inspect_entrypoints(settings_module=os.environ['DJANGO_SETTINGS_MODULE'], "
        f"base_dir={str(base)!r}, import_path=[{str(base)!r}], timeout={timeout})",
        **env,
    )


def with_asgi(tmp_path: Path, text: str, settings: str = "") -> dict[str, Any]:
    """The ASGI entry point of a plain project whose asgi.py is ``text``."""
    project = copy_project("entry_plain", tmp_path)
    (project / "mysite" / "asgi.py").write_text(text)
    with (project / "mysite" / "settings.py").open("a") as file:
        file.write(settings)
    return inspect(project)["asgi"]


def place(location: dict[str, Any] | None) -> str:
    return f"{location['path']}:{location['line']}" if location else ""


def line(project: Path, file: str, text: str) -> str:
    """``file:line`` of the first line of a file that contains ``text``."""
    lines = (project / file).read_text().splitlines()
    return f"{file}:{next(i for i, each in enumerate(lines, 1) if text in each)}"


# Where entry points are


@pytest.mark.parametrize(
    ("name", "wsgi", "asgi"),
    [
        (
            "entry_plain",
            ("mysite.wsgi:application", "settings.WSGI_APPLICATION"),
            ("mysite.asgi:application", "beside the settings package"),
        ),
        (
            "split_settings",
            ("config.wsgi:application", "beside the settings package"),
            ("config.asgi:application", "beside the settings package"),
        ),
        (
            "src_layout",
            ("shop.wsgi:application", "settings.WSGI_APPLICATION"),
            ("shop.asgi:application", "beside the settings package"),
        ),
        ("toplevel_wsgi", ("wsgi:application", "top-level module"), (None, "not found")),
    ],
)
def test_entry_points_are_found(name, wsgi, asgi, tmp_path):
    found = inspect(copy_project(name, tmp_path))
    for entry, (application, source) in ((found["wsgi"], wsgi), (found["asgi"], asgi)):
        assert (entry["application"], entry["source"]) == (application, source)
        assert entry["status"] == ("ok" if application else "missing")
        if application:
            assert entry["callable_interface"] == entry["interface"]
            assert entry["protocols"] == ["http"]
            assert place(entry["location"]).endswith(f"{entry['interface']}.py:7")


@pytest.mark.parametrize(
    ("setting", "application", "type_", "message"),
    [
        (
            "nowhere.asgi.application",
            "nowhere.asgi:application",
            "ModuleNotFoundError",
            "'nowhere'",
        ),
        (
            "mysite.asgj.application",
            "mysite.asgj:application",
            "ModuleNotFoundError",
            "mysite.asgj",
        ),
        ("mysite.asgi.app", "mysite.asgi:app", "AttributeError", "it has 'application'"),
        (
            "mysite.asgi",
            "mysite.asgi:application",
            "ImproperlyConfigured",
            "mysite.asgi.application",
        ),
        ("application", "application:application", "ImproperlyConfigured", "does not name"),
    ],
)
def test_a_setting_that_names_nothing_is_an_error(setting, application, type_, message, tmp_path):
    text = ASGI + "application = get_asgi_application()\n"
    entry = with_asgi(tmp_path, text, f"ASGI_APPLICATION = {setting!r}\n")
    # A module that is not there is missing, whoever names it; deployfiles can write it.
    status = "missing" if type_ == "ModuleNotFoundError" else "error"
    assert (entry["status"], entry["source"]) == (status, "settings.ASGI_APPLICATION")
    assert entry["application"] == application
    assert entry["error"]["type"] == type_
    assert message in entry["error"]["message"]


def test_a_setting_may_use_a_colon(tmp_path):
    text = ASGI + "class Site:\n    web = get_asgi_application()\n"
    entry = with_asgi(tmp_path, text, "ASGI_APPLICATION = 'mysite.asgi:Site.web'\n")
    assert (entry["status"], entry["application"]) == ("ok", "mysite.asgi:Site.web")


@pytest.mark.parametrize(
    ("text", "attribute"),
    [
        ("app = get_asgi_application()\n", "app"),
        ("server = get_asgi_application()\n", "server"),
        (
            (
                "inner = get_asgi_application()\n\nasync def site(scope, receive, send):\n"
                "    await inner(scope, receive, send)\n"
            ),
            "site",
        ),
    ],
)
def test_another_attribute_is_found(text, attribute, tmp_path):
    entry = with_asgi(tmp_path, ASGI + text)
    assert (entry["status"], entry["application"]) == ("ok", f"mysite.asgi:{attribute}")


def test_several_attributes_are_no_answer(tmp_path):
    entry = with_asgi(
        tmp_path, ASGI + "one = get_asgi_application()\ntwo = get_asgi_application()\n"
    )
    assert entry["status"] == "error"
    assert "'one', 'two'" in entry["error"]["message"]


# What an import can do


def test_models_before_the_application_fail_as_in_a_server(tmp_path):
    project = copy_project("asgi_import_error", tmp_path)
    entry = inspect(project)["asgi"]
    assert entry["status"] == "error"
    assert entry["error"]["type"] == "AppRegistryNotReady"
    assert place(entry["error"]["location"]) == line(project, "chat/models.py", "class Message")
    assert [where["path"] for where in entry["error"]["trail"]] == [
        "mysite/asgi.py",
        "chat/routing.py",
        "chat/consumers.py",
        "chat/models.py",
    ]
    # What asgi.py would answer is still read from its text
    assert (entry["protocols"], entry["guessed"]) == (["http", "websocket"], True)


def test_a_hang_ends_at_the_limit_with_its_line(tmp_path):
    project = copy_project("asgi_hangs", tmp_path)
    started = time.monotonic()
    found = inspect(project, timeout=2.5)
    assert time.monotonic() - started < 12
    assert found["wsgi"]["status"] == "ok"
    error = found["asgi"]["error"]
    assert (found["asgi"]["status"], error["type"]) == ("error", "TimeoutError")
    assert "2.5 s" in error["message"]
    assert place(error["location"]) == line(project, "mysite/broker.py", ".wait()")


@pytest.mark.parametrize(
    ("text", "type_", "message", "where"),
    [
        ("import sys\nsys.exit(3)\n", "SystemExit", "sys.exit(3)", "mysite/asgi.py:2"),
        ("import os\nos._exit(3)\n", "SystemExit", "ended itself with status 3", ""),
        ("raise KeyboardInterrupt\n", "KeyboardInterrupt", "KeyboardInterrupt", "mysite/asgi.py:1"),
        (
            "import ctypes\n\nctypes.string_at(0)\n",
            "SIGSEGV",
            "ended by SIGSEGV",
            "mysite/asgi.py:3",
        ),
        ("import os\nos.kill(os.getpid(), 9)\n", "SIGKILL", "ended by SIGKILL", ""),
        ("x = 1\ndef broken(:\n", "SyntaxError", "invalid syntax", "mysite/asgi.py:2"),
        ("import nowhere\n", "ModuleNotFoundError", "nowhere", "mysite/asgi.py:1"),
        (
            "class Odd(Exception):\n    def __str__(self):\n        1 / 0\nraise Odd\n",
            "Odd",
            "Odd",
            "mysite/asgi.py:4",
        ),
        ("raise ValueError('x' * 10_000_000)\n", "ValueError", "xxx", "mysite/asgi.py:1"),
        ("", "AttributeError", "has no attribute 'application'", ""),
    ],
)
def test_an_import_that_fails(text, type_, message, where, tmp_path):
    entry = with_asgi(tmp_path, text)
    assert (entry["status"], entry["error"]["type"]) == ("error", type_)
    assert message in entry["error"]["message"]
    assert len(entry["error"]["message"]) <= 2000
    assert place(entry["error"]["location"]) == where


def test_settings_are_those_that_a_server_would_be_started_with(tmp_path):
    # The file names other settings by setdefault: the environment's come first
    text = ASGI.replace("mysite.settings", "mysite.nowhere") + (
        "assert os.environ['DJANGO_SETTINGS_MODULE'] == 'mysite.settings'\n"
        "application = get_asgi_application()\n"
    )
    assert with_asgi(tmp_path, text)["status"] == "ok"


def test_the_settings_that_an_entry_point_assigns_are_known(tmp_path):
    text = ASGI + "application = get_asgi_application()\n"
    assert with_asgi(tmp_path, text)["settings_module"] == "mysite.settings"
    project = tmp_path / "entry_plain"
    (project / "mysite" / "production.py").write_text("from .settings import *\n")
    assigned = text.replace(
        'environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")',
        'environ["DJANGO_SETTINGS_MODULE"] = "mysite.production"',
    )
    (project / "mysite" / "asgi.py").write_text(assigned)
    assert inspect(project)["asgi"]["settings_module"] == "mysite.production"


def test_the_command_line_has_an_argument_as_a_servers_has(tmp_path):
    text = "import sys\nTESTING = sys.argv[1] == 'test'\napplication = get_asgi_application()\n"
    assert with_asgi(tmp_path, ASGI + text)["status"] == "ok"


def test_output_is_kept_and_bounded(tmp_path):
    text = ASGI + (
        "import sys\nprint('to stdout'); print('to stderr', file=sys.stderr)\n"
        "sys.stdout.buffer.write(b'\\xff\\x00\\x1b' + b'y' * 5_000_000); sys.stdout.flush()\n"
        "application = get_asgi_application()\n"
    )
    entry = with_asgi(tmp_path, text)
    assert entry["status"] == "ok"
    assert entry["output"].startswith("to stdout\nto stderr\n\ufffd\ufffd\ufffdyyy")
    assert len(entry["output"]) == 4000


def test_a_thread_and_an_exit_handler_do_not_hold_it(tmp_path):
    text = ASGI + (
        "import atexit, threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "atexit.register(time.sleep, 60)\n"
        "application = get_asgi_application()\n"
    )
    started = time.monotonic()
    assert with_asgi(tmp_path, text)["status"] == "ok"
    assert time.monotonic() - started < 15


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX process groups")
@pytest.mark.parametrize(
    "end", ["application = get_asgi_application()\n", "import time; time.sleep(60)\n"]
)
def test_a_grandchild_that_keeps_stdout_is_ended(end, tmp_path):
    pid_file = tmp_path / "pid"
    text = ASGI + (
        "import pathlib, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(pid_file)!r}).write_text(str(child.pid))\n{end}"
    )
    project = copy_project("entry_plain", tmp_path)
    (project / "mysite" / "asgi.py").write_text(text)
    started = time.monotonic()
    entry = inspect(project, timeout=3)["asgi"]
    assert time.monotonic() - started < 15
    assert entry["status"] == ("ok" if "get_asgi" in end else "error")
    pid = int(pid_file.read_text())
    deadline = time.monotonic() + 5
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    status = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return bool(status.stdout.strip()) and not status.stdout.strip().startswith("Z")


def test_the_probe_brings_no_names_into_the_project(tmp_path):
    # Modules of the project's own that are called as the probe's are
    project = copy_project("entry_plain", tmp_path)
    for name in ("chain", "found", "inner", "guess", "text", "run"):
        (project / f"{name}.py").write_text("mine = True\n")
    (project / "mysite" / "asgi.py").write_text(
        "import sys\nearly = {'asyncio', 'django', 'deploytool', 'ssl'}\n"
        "assert not any(m.partition('.')[0] in early "
        "for m in sys.modules)\n" + ASGI + "import chain, found, inner, guess, text, run\n"
        "assert all(m.mine for m in (chain, found, inner, guess, text, run))\n"
        "application = get_asgi_application()\n"
    )
    entry = inspect(project)["asgi"]
    assert (entry["status"], entry["error"]) == ("ok", None)


# What an application is, in projects


@pytest.mark.parametrize(
    ("role", "text", "told"),
    [
        ("asgi", ASGI + "application = get_asgi_application\n", "get_asgi_application()"),
        ("asgi", WSGI + "application = get_wsgi_application()\n", "get_asgi_application()"),
        ("asgi", ASGI + "application = 'mysite'\n", "not callable"),
        (
            "asgi",
            ASGI + "from whitenoise import WhiteNoise\n"
            "application = WhiteNoise(get_asgi_application())\n",
            "was given an ASGI application",
        ),
    ],
)
def test_the_wrong_thing_says_what_to_write(role, text, told, tmp_path):
    entry = with_asgi(tmp_path, text)
    assert entry["status"] == ("error" if told == "not callable" else "wrong-interface")
    assert told in entry["error"]["message"]
    last = len(text.splitlines())
    assert place(entry["error"]["location"]) == f"mysite/asgi.py:{last}"


def test_wrong_callable(tmp_path):
    found = inspect(copy_project("wrong_callable", tmp_path))
    assert found["wsgi"]["status"] == "ok"
    assert found["asgi"]["status"] == "wrong-interface"
    assert found["asgi"]["callable_interface"] == "wsgi"


def test_channels_routes_have_their_lines(tmp_path):
    project = copy_project("channels_chat", tmp_path)
    entry = inspect(project)["asgi"]
    assert entry["status"] == "ok"
    (route,) = entry["websocket_routes"]
    assert route["route"] == r"ws/chat/(?P<room>\w+)/$"
    assert route["consumer"] == "chat.consumers.ChatConsumer"
    assert place(route["location"]) == line(project, "chat/routing.py", "re_path(r")
    assert [name.rpartition(".")[2] for name in route["wrappers"]] == [
        "OriginValidator",
        "CookieMiddleware",
        "SessionMiddleware",
        "AuthMiddleware",
    ]


def test_a_route_without_a_literal_points_at_its_consumer(tmp_path):
    project = copy_project("channels_chat", tmp_path)
    routing = project / "chat" / "routing.py"
    routing.write_text(
        routing.read_text()
        .replace('r"ws/', 'PREFIX + r"ws/')
        .replace("\n\nweb", "\n\nPREFIX = ''\nweb")
    )
    (route,) = inspect(project)["asgi"]["websocket_routes"]
    assert place(route["location"]) == line(project, "chat/consumers.py", "class ChatConsumer")


def test_a_router_of_the_projects_own(tmp_path):
    project = copy_project("router_subclass", tmp_path)
    entry = inspect(project)["asgi"]
    assert entry["protocols"] == ["http", "websocket"]
    assert entry["wrappers"] == ["mysite.router.Platform"]
    assert [
        (r["route"], r["wrappers"], place(r["location"])) for r in entry["websocket_routes"]
    ] == [
        (
            "ws/ticker/(?P<symbol>[a-z]+)/$",
            ["mysite.router.TokenAuth"],
            line(project, "mysite/live.py", "re_path("),
        ),
        ("ws/all/", ["mysite.router.TokenAuth"], line(project, "mysite/live.py", '"all/"')),
    ]


def test_a_router_with_only_http(tmp_path):
    entry = inspect(copy_project("router_http_only", tmp_path))["asgi"]
    assert (entry["status"], entry["protocols"], entry["guessed"]) == ("ok", ["http"], False)
    assert entry["websocket_routes"] == []


def test_fastapi_around_django(tmp_path):
    project = copy_project("fastapi_mounts_django", tmp_path)
    entry = inspect(project)["asgi"]
    assert (entry["status"], entry["application"]) == ("ok", "mysite.asgi:app")
    assert entry["protocols"] == ["http", "websocket", "lifespan"]
    assert [(r["route"], place(r["location"])) for r in entry["websocket_routes"]] == [
        ("/api/ws", line(project, "mysite/asgi.py", '@app.websocket("/api/ws")')),
        ("/v1/feed/live", line(project, "mysite/asgi.py", '@feed.websocket("/live")')),
    ]
    assert entry["mounts"] == [
        {"path": "/", "application": "fastapi.applications.FastAPI", "interface": "asgi"}
    ]
    assert entry["handler"] == "django.core.handlers.asgi.ASGIHandler"


def test_a_raw_application(tmp_path):
    entry = inspect(copy_project("raw_asgi", tmp_path))["asgi"]
    assert (entry["status"], entry["callable_interface"]) == ("ok", "asgi")
    assert (entry["protocols"], entry["guessed"]) == (["http", "websocket"], True)
    assert entry["handler"] == "django.core.handlers.asgi.ASGIHandler"
    (route,) = entry["websocket_routes"]
    assert route["consumer"] == "mysite.websocket.websocket_application"
    assert place(route["location"]) == "mysite/websocket.py:1"


def test_a_lazily_built_application_is_built(tmp_path):
    project = copy_project("lazy_application", tmp_path)
    entry = inspect(project)["asgi"]
    assert (entry["status"], entry["guessed"]) == ("ok", False)
    assert entry["protocols"] == ["http", "websocket"]
    assert [r["route"] for r in entry["websocket_routes"]] == ["ws/clock/"]


@pytest.mark.parametrize(
    "fault", ["import time; time.sleep(60)", "import os; os._exit(1)", "raise OSError"]
)
def test_a_lazily_built_application_that_fails_to_build_is_still_told(fault, tmp_path):
    project = copy_project("lazy_application", tmp_path)
    asgi = project / "mysite" / "asgi.py"
    text = asgi.read_text().replace("dict(http=http, websocket=", '{"http": http, "websocket": ')
    text = text.replace("patterns)))", "patterns)})")
    asgi.write_text(
        text.replace("    def _build(self):\n", f"    def _build(self):\n        {fault}\n")
    )
    entry = inspect(project)["asgi"]
    assert (entry["status"], entry["callable_interface"]) == ("ok", "asgi")
    assert (entry["protocols"], entry["guessed"]) == (["http", "websocket"], True)


def test_socketio_over_wsgi(tmp_path):
    entry = inspect(copy_project("socketio_wsgi", tmp_path))["wsgi"]
    assert (entry["status"], entry["socketio"]) == ("ok", True)
    assert entry["protocols"] == ["http", "websocket"]
    assert entry["handler"] == "django.core.handlers.wsgi.WSGIHandler"
