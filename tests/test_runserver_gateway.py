"""``manage.py runserver_gateway``: what it starts, from where, with which options."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.servers import exercises
from tests.support import Served, copy_project, environment, free_port, manage, serving

KINDS = {
    "gunicorn-wsgi": ("--server", "gunicorn", "--interface", "wsgi"),
    "gunicorn-asgi": ("--server", "gunicorn", "--interface", "asgi"),
    "uvicorn": ("--server", "uvicorn"),
    "daphne": ("--server", "daphne"),
}


@pytest.fixture(params=KINDS, ids=str)
def kind(request):
    return KINDS[request.param]


@pytest.fixture
def project(tmp_path):
    return copy_project("minimal", tmp_path)


@contextlib.contextmanager
def running(argv, log, cwd, env=None, shell=False):
    """The process of ``argv``, ended at the end whatever happens."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env or environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            shell=shell,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(5)


def answers(url, process):
    def ask():
        assert process.poll() is None, "the server has ended"
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.read().decode() == "hello"

    return exercises.wait_for(ask)


# From where, and named how.


def test_from_another_directory_with_a_relative_manage_py(project, tmp_path):
    port = free_port()
    elsewhere = tmp_path / "else" / "where"
    elsewhere.mkdir(parents=True)
    argv = [sys.executable, "../../minimal/manage.py", "runserver_gateway", str(port)]
    with running(argv, tmp_path / "log", elsewhere) as process:
        answers(f"http://127.0.0.1:{port}/", process)
        answer = exercises.answering_process(Served(process, port, tmp_path / "log"))
        assert answer["cwd"] == str(elsewhere)
        assert answer["settings"] == "mysite.settings"


def test_through_python_m_django_with_settings_and_pythonpath(project, tmp_path):
    (project / "mysite/other.py").write_text("from mysite.settings import *\n")
    port = free_port()
    argv = [sys.executable, "-m", "django", "runserver_gateway", str(port)]
    argv += ["--settings", "mysite.other", "--pythonpath", "minimal", "--server", "uvicorn"]
    with running(argv, tmp_path / "log", tmp_path) as process:
        answers(f"http://127.0.0.1:{port}/", process)
        answer = exercises.answering_process(Served(process, port, tmp_path / "log"))
        assert answer["settings"] == "mysite.other"


def test_with_a_src_layout(tmp_path):
    project = copy_project("src_layout", tmp_path)
    with serving(project, cwd=tmp_path) as served:
        assert served.get("/")[0] == 200


def test_a_directory_on_the_path_that_does_not_exist(project):
    path = os.pathsep.join(["/nonexistent/directory", environment()["PYTHONPATH"]])
    with serving(project, "--server", "uvicorn", PYTHONPATH=path) as served:
        assert served.get("/") == (200, "hello")


def test_another_project_in_the_working_directory_is_refused(project, tmp_path):
    other = tmp_path / "other"
    (other / "mysite").mkdir(parents=True)
    (other / "mysite/__init__.py").write_text("raise RuntimeError\n")
    done = manage(project, "runserver_gateway", cwd=other)
    assert "has a 'mysite' of its own" in refusal(done)
    # A directory without __init__.py stands behind a real package.
    (other / "mysite/__init__.py").unlink()
    assert manage(project, "runserver_gateway", "--dry-run", cwd=other).returncode == 0


# Where it listens.


# How each server takes an IPv6 address and a name; the short forms are ours alone.
FORMS = [(name, form) for name in KINDS for form in ("localhost:{}", "[::1]:{}")]


@pytest.mark.parametrize(("name", "form"), [*FORMS, ("daphne", "{}"), ("daphne", "0:{}")])
def test_the_forms_of_an_address(project, tmp_path, name, form):
    port = free_port()
    argv = [sys.executable, "manage.py", "runserver_gateway", form.format(port), *KINDS[name]]
    argv += ["--no-reload"]
    link = "http://" + (form if form.startswith(("local", "[")) else "127.0.0.1:{}").format(port)
    with running(argv, tmp_path / "log", project) as process:
        answers(f"{link}/", process)
        assert f"{link}/\n" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("debug", ["1", "0"])
def test_a_unix_socket(project, tmp_path, kind, debug):
    path = tmp_path / "s"  # short: the length of such a path is limited
    argv = [sys.executable, "manage.py", "runserver_gateway", f"unix:{path}", *kind]
    env = environment(DEBUG=debug)
    with running(argv, tmp_path / "log", project, env) as process:
        exercises.wait_for(lambda: exercises.fetch_unix(path) == (200, "hello"))
        taken = manage(project, "runserver_gateway", f"unix:{path}", *kind, DEBUG=debug)
        assert f"{path} is taken" in refusal(taken)
        assert exercises.fetch_unix(path) == (200, "hello")
        if debug == "1":
            time.sleep(1.5)  # until the reloader has seen the file once
            views = project / "mysite/views.py"
            views.write_text(views.read_text().replace('"hello"', '"again"'))
            exercises.wait_for(lambda: exercises.fetch_unix(path) == (200, "again"))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
    assert path.is_socket()
    with running(argv, tmp_path / "log", project, env):
        exercises.wait_for(lambda: exercises.fetch_unix(path)[0] == 200)


# What it passes on.


def test_what_follows_the_dashes_wins(project):
    how = ("--server", "gunicorn", "--interface", "wsgi", "--workers", "1")
    with serving(project, *how, "--", "--workers", "3", DEBUG="0") as served:
        exercises.wait_for(lambda: len(exercises.children(served.process.pid)) == 3)
        assert exercises.command_line(served.process.pid)[-3:-1] == ["--workers", "3"]
    uvicorn = ("--server", "uvicorn", "--no-reload")
    with serving(project, *uvicorn, "--", "--log-level", "error", "--access-log") as served:
        assert "INFO:" not in served.log.read_text()
    with serving(project, "--server", "daphne", "--no-reload", "--", "--verbosity", "0") as served:
        assert "Listening on TCP" not in served.log.read_text()


@pytest.mark.parametrize(
    ("server", "says"),
    [
        ("gunicorn", "unrecognized arguments: --no-such-option"),
        ("uvicorn", "No such option"),
        ("daphne", "unrecognized arguments: --no-such-option"),
    ],
)
def test_an_option_that_the_server_does_not_know_is_its_own_error(project, server, says):
    how = ("--server", server, "--no-reload", "--", "--no-such-option")
    done = manage(project, "runserver_gateway", str(free_port()), *how)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("kind", [KINDS["gunicorn-wsgi"], KINDS["uvicorn"]], ids="-".join)
def test_two_workers_are_two(project, kind):
    with serving(project, *kind, "--workers", "2", DEBUG="0") as served:
        seen = set()

        def both_seen():
            seen.add(exercises.answering_process(served)["pid"])
            return len(seen) == 2

        exercises.wait_for(both_seen)
        assert served.process.pid not in seen


def test_no_database_stays_open(project):
    """Even where the project lets its connections be inherited, which drivers do not."""
    (project / "mysite/models.py").write_text(
        "import os\n"
        "from django.db.backends.signals import connection_created\n\n\n"
        "def inheritable(connection, **_):\n"
        "    for fd in os.listdir('/proc/self/fd'):\n"
        "        try:\n"
        "            if 'db.sqlite3' in os.readlink(f'/proc/self/fd/{fd}'):\n"
        "                os.set_inheritable(int(fd), True)\n"
        "        except OSError:\n"
        "            pass\n\n\n"
        "connection_created.connect(inheritable, weak=False)\n"
    )
    assert manage(project, "migrate", "-v0").returncode == 0
    with serving(project, "--server", "gunicorn", "--interface", "wsgi") as served:
        folder = Path(f"/proc/{served.process.pid}/fd")
        files = [os.readlink(entry) for entry in folder.iterdir()]
    assert files
    assert not any("db.sqlite3" in file for file in files)


# The dry run.


def test_the_dry_run_prints_one_line_that_does_the_same(project, tmp_path, kind):
    port = free_port()
    # What Python has not flushed yet can still be kept away from standard output.
    done = manage(
        project, "runserver_gateway", str(port), *kind, "--dry-run", PYTHONUNBUFFERED=None
    )
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    assert "the settings say hello" in done.stderr
    assert f"http://127.0.0.1:{port}/" in done.stderr
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/"):
        pytest.fail("a dry run must not serve")
    env = environment(PYTHONPATH=None)
    with running(["sh", "-c", f"exec env {done.stdout}"], tmp_path / "log", "/", env) as process:
        answers(f"http://127.0.0.1:{port}/", process)
        assert exercises.command_line(process.pid) == [
            word for word in shlex.split(done.stdout) if "=" not in word.partition("/")[0]
        ]


# What it refuses: one message, status 1, no traceback.


def refusal(done):
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("CommandError:") == 1
    assert len(done.stderr) < 2500
    return done.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("nonsense",), "'nonsense' is not an address"),
        (("0",), "a port lies between 1 and 65535"),
        (("99999",), "a port lies between 1 and 65535"),
        (("192.0.2.1:8000",), "192.0.2.1 is not an address of this machine"),
        (("no-such-host.invalid:8000",), "no name or address of this machine"),
        (("unix:site.sock",), "absolute path"),
        (("--workers", "2", "--server", "daphne"), "Daphne runs one process"),
        (("--threads", "4", "--server", "uvicorn"), "no threads to set"),
        (("--interface", "wsgi", "--server", "daphne"), "Daphne serves ASGI only"),
        (("--workers", "2", "--reload"), "Add --no-reload"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_options_that_cannot_be_met(project, options, says):
    assert says in refusal(manage(project, "runserver_gateway", *options))


def test_a_taken_port(project, kind):
    with serving(project, *kind, DEBUG="0") as served:
        done = manage(project, "runserver_gateway", str(served.port), *kind, DEBUG="0")
        assert f"127.0.0.1:{served.port} is taken" in refusal(done)


def with_settings(project, text, debug="0"):
    with (project / "mysite/settings.py").open("a") as file:
        file.write(f"\n{text}\n")
    return manage(
        project, "runserver_gateway", str(free_port()), "--interface", "wsgi", DEBUG=debug
    )


def test_production_without_hosts(project):
    assert "ALLOWED_HOSTS is empty" in refusal(with_settings(project, "ALLOWED_HOSTS = []"))


def test_middleware_that_cannot_be_imported(project):
    text = refusal(with_settings(project, "MIDDLEWARE += ['mysite.nothing.Middleware']"))
    assert "mysite.nothing" in text


def test_a_broken_urlconf(tmp_path):
    project = copy_project("broken_urlconf", tmp_path)
    text = refusal(manage(project, "runserver_gateway", str(free_port())))
    assert "The URLconf cannot be loaded" in text
    assert ".py:" in text


def test_an_asgi_module_that_raises(tmp_path):
    project = copy_project("asgi_import_error", tmp_path)
    text = refusal(manage(project, "runserver_gateway", str(free_port()), "--interface", "asgi"))
    assert "mysite.asgi" in text
    assert ".py:" in text


@pytest.mark.parametrize(("interface", "wrong"), [("asgi", "wsgi"), ("wsgi", "asgi")])
def test_a_callable_of_the_other_interface(project, interface, wrong):
    (project / f"mysite/{interface}.py").write_text(
        f"from django.core.{wrong} import get_{wrong}_application\n"
        f"application = get_{wrong}_application()\n"
    )
    done = manage(project, "runserver_gateway", str(free_port()), "--interface", interface)
    text = refusal(done)
    assert f"mysite.{interface}:application" in text
    assert f"{interface.upper()} application is needed here" in text


def test_checks_that_find_errors_and_skipping_them(project):
    (project / "mysite/models.py").write_text(
        "from django.core import checks\n\n\n"
        "@checks.register\n"
        "def wrong(app_configs, **kwargs):\n"
        "    return [checks.Error('this is wrong', id='mysite.E001')]\n"
    )
    text = refusal(manage(project, "runserver_gateway", str(free_port()), DEBUG="0"))
    assert "(mysite.E001) this is wrong" in text
    with serving(project, "--server", "uvicorn", "--skip-checks", DEBUG="0") as served:
        assert served.get("/") == (200, "hello")


def test_findings_about_production_take_one_line(project):
    done = manage(project, "runserver_gateway", "--dry-run", DEBUG="0")
    lines = [line for line in done.stderr.splitlines() if "manage.py deploycheck" in line]
    assert len(lines) == 1
    assert "security.W" not in done.stderr


@pytest.mark.parametrize(
    ("conf", "says"),
    [
        ([], "has to be a dictionary, not list"),
        ({"WORKRES": 2}, "Did you mean 'WORKERS'?"),
        ({"workers": 2}, "Did you mean 'WORKERS'?"),
        ({1: 2}, "unknown key 1"),
        ({"WORKERS": "2"}, "a whole number, not '2'"),
        ({"WORKERS": True}, "a whole number, not True"),
        ({"WORKERS": -1}, "at least 1, not -1"),
        ({"TIMEOUT": 1.5}, "a whole number, not 1.5"),
        ({"RELOAD": 1}, "True or False, not 1"),
        ({"SERVER": "gunicrn"}, "Did you mean 'gunicorn'?"),
        ({"INTERFACE": "asgj"}, "Did you mean 'asgi'?"),
        ({"HTTP2": True}, "HTTP/2 over TLS only"),
    ],
    ids=str,
)
def test_settings_that_are_not_valid(project, conf, says):
    assert says in refusal(with_settings(project, f"DEPLOYTOOL = {conf!r}"))


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory):
    """A Python with Django and nothing that serves it."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    packages = folder / "packages"
    packages.mkdir()
    for name in ("asgiref", "django", "sqlparse"):
        origin = importlib.util.find_spec(name).origin
        (packages / name).symlink_to(Path(origin).parent)
    python = folder / "venv/bin/python"
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    Path(site, "packages.pth").write_text(f"{packages}\n")
    return python


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--interface", "wsgi"), 'pip install "django-deploytool[gunicorn]"'),
        (("--interface", "asgi"), 'pip install "django-deploytool[uvicorn]"'),
        (("--server", "daphne"), 'pip install "django-deploytool[daphne]"'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_without_a_server_the_line_that_installs_one(project, bare_python, options, says):
    done = subprocess.run(
        [bare_python, project / "manage.py", "runserver_gateway", *options],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert says in refusal(done)


def test_http2_over_tls(project, tmp_path):
    httpx = pytest.importorskip("httpx")
    exercises.set_conf(project, HTTP2=True, **exercises.certificate(tmp_path))
    port = free_port()
    argv = [sys.executable, "manage.py", "runserver_gateway", str(port), *KINDS["gunicorn-wsgi"]]
    with (
        running(argv, tmp_path / "log", project, environment(DEBUG="0")),
        httpx.Client(http2=True, verify=False) as client,
    ):

        def ask():
            try:
                return client.get(f"https://127.0.0.1:{port}/")
            except httpx.TransportError:
                return None

        exercises.wait_for(lambda: ask() is not None)
        response = ask()
        assert (response.status_code, response.text) == (200, "hello")
        assert response.http_version == "HTTP/2"
