"""What only development has: reloading through every server, static files, errors that wait."""

from __future__ import annotations

import asyncio
import sys
import time

import pytest

from deploytool.development.failing import FailedASGI, FailedWSGI, files_of
from tests.servers import exercises
from tests.support import ROOT, copy_project, serving

SERVERS = {
    "gunicorn-wsgi": ("gunicorn", "wsgi"),
    "gunicorn-asgi": ("gunicorn", "asgi"),
    "uvicorn": ("uvicorn", "asgi"),
    "daphne": ("daphne", "asgi"),
}
# Gunicorn's and Django's reloaders compare modification times once a second, and first see
# a file within the second after its import: a change before that is part of the first look.
SEEN = 1.5


@pytest.fixture(params=SERVERS, ids=str)
def how(request):
    return SERVERS[request.param]


@pytest.fixture
def project(tmp_path):
    return copy_project("minimal", tmp_path)


@pytest.fixture
def served(project, how):
    server, interface = how
    with developing(project, "--server", server, "--interface", interface) as served:
        yield served


def developing(project, *arguments):
    """``serving`` with nothing but the package on the import path beside the project.

    What is on the path is watched. Uvicorn sees no change before it knows every directory,
    and a checkout with its environments has tens of thousands.
    """
    importable = project.parent / "importable"
    importable.mkdir()
    (importable / "deploytool").symlink_to(ROOT / "deploytool")
    return serving(project, *arguments, PYTHONPATH=str(importable))


def shows(served, path, text):
    return lambda: text in served.get(path)[1]


def test_changes_show_without_a_restart_by_hand(project, served, how):
    pid = served.process.pid
    views, settings = project / "mysite/views.py", project / "mysite/settings.py"
    good = settings.read_text()
    time.sleep(SEEN)
    views.write_text(views.read_text().replace('"hello"', '"changed"'))
    exercises.wait_for(shows(served, "/", "changed"))

    # Its own reloader knows nothing of templates; a new file is in no list of any.
    assert "first page" in served.get("/page/")[1]
    (project / "mysite/templates/page.html").write_text("<p>second page</p>")
    exercises.wait_for(shows(served, "/page/", "second page"))
    late = project / "mysite/templates/late.html"
    assert served.get("/late/")[0] == 500
    late.write_text("<p>here now</p>")
    exercises.wait_for(shows(served, "/late/", "here now"))
    late.write_text("<p>and changed</p>")
    exercises.wait_for(shows(served, "/late/", "and changed"))

    # Nothing can be imported without the settings, and no reloader is told of that file.
    mistakes = [("def broken(:", "SyntaxError"), ("no_such_name", "NameError")]
    # Gunicorn treats the two differently.
    for wrong, error in mistakes if how[0] == "gunicorn" else mistakes[1:]:
        time.sleep(SEEN)
        settings.write_text(f"{good}\n{wrong}\n")
        exercises.wait_for(shows(served, "/", error))
        assert served.get("/")[0] == 500
        time.sleep(SEEN)
        settings.write_text(f"{good}\n# mended after a {error}\n")
        exercises.wait_for(shows(served, "/", "changed"))
    assert served.process.poll() is None
    assert exercises.belongs_to(exercises.answering_process(served)["pid"], pid)


def test_daphne_keeps_its_process_over_reloads(project):
    views = project / "mysite/views.py"
    with developing(project, "--server", "daphne") as served:
        command = exercises.command_line(served.process.pid)
        assert command[2:4] == ["deploytool.development.reloading", "daphne"]
        for number in range(2):
            assert exercises.answering_process(served)["pid"] == served.process.pid
            time.sleep(SEEN)
            views.write_text(f"{views.read_text()}\nGREETING = 'number {number}'\n")
            exercises.wait_for(shows(served, "/", f"number {number}"))
        assert exercises.answering_process(served)["pid"] == served.process.pid
        assert exercises.command_line(served.process.pid) == command
        assert exercises.children(served.process.pid) == []
        assert exercises.stop(served).status == 0
    assert "Traceback" not in served.log.read_text()


def test_a_reload_does_not_wait_for_an_open_stream_to_end(project, how):
    server, interface = how
    path = "/lines/" if interface == "wsgi" else "/events/"
    # A thread cannot be ended from outside: Gunicorn's gthread worker waits for it until the
    # master takes the worker for dead, after 30 seconds unless told otherwise.
    extra = ("--", "--timeout", "5") if interface == "wsgi" else ()
    views = project / "mysite/views.py"
    with (
        developing(project, "--server", server, "--interface", interface, *extra) as served,
        exercises.event_stream(served, path) as stream,
    ):
        exercises.arrivals(stream, 1)
        time.sleep(SEEN)
        views.write_text(views.read_text().replace('"hello"', '"changed"'))
        exercises.wait_for(shows(served, "/", "changed"))


def test_without_static_url_there_are_no_static_files(project):
    with (project / "mysite/settings.py").open("a") as file:
        file.write("\nSTATIC_URL = None\n")
    # The admin's pages need a STATIC_URL, everything else does not.
    how = ("--server", "gunicorn", "--interface", "wsgi", "--no-reload")
    with developing(project, *how) as served:
        assert served.get("/") == (200, "hello")
        assert served.get("/static/admin/css/base.css")[0] == 404


def test_an_application_of_asgi_2_is_wrapped_as_it_is(project):
    (project / "mysite/asgi.py").write_text(
        "import os\n"
        "from django.core.asgi import get_asgi_application\n"
        "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')\n"
        "django_application = get_asgi_application()\n\n\n"
        "class application:\n"
        "    def __init__(self, scope):\n"
        "        self.scope = scope\n\n"
        "    async def __call__(self, receive, send):\n"
        "        await django_application(self.scope, receive, send)\n"
    )
    how = ("--server", "daphne", "--interface", "asgi", "--no-reload")
    with developing(project, *how) as served:
        assert served.get("/") == (200, "hello")
        assert served.get("/static/admin/css/base.css")[0] == 200


def test_every_file_on_the_way_to_an_error_is_known(tmp_path):
    (tmp_path / "outer.py").write_text("try:\n    import inner\nfinally:\n    pass\n")
    (tmp_path / "inner.py").write_text(
        "try:\n    import broken\nexcept SyntaxError as error:\n    raise OSError from error\n"
    )
    (tmp_path / "broken.py").write_text("def broken(:\n")
    answer = facts_of_failure(tmp_path)
    assert answer == ["outer.py", "inner.py", "broken.py"]


def facts_of_failure(directory):
    """The files in ``directory`` that files_of() names for the import of outer.py."""
    sys.path.insert(0, str(directory))
    try:
        import outer  # noqa: F401
    except OSError as error:
        found = files_of(error)
    finally:
        sys.path.remove(str(directory))
        sys.modules.pop("outer", None)
    return [file.rsplit("/", 1)[1] for file in found if file.startswith(str(directory))]


def test_errors_that_cause_each_other_come_to_an_end():
    first, second = ValueError(), TypeError()
    first.__cause__, second.__cause__ = second, first
    assert files_of(first) == []


def call(application, scope, *events):
    sent = []
    waiting = iter(events)

    async def receive():
        return {"type": next(waiting)}

    async def send(message):
        sent.append(message)

    asyncio.run(application(scope, receive, send))
    return sent


def test_the_error_is_answered_on_every_protocol():
    application = FailedASGI("NameError: é")
    start, body = call(application, {"type": "http"})
    assert (start["status"], body["body"].decode()) == (500, "NameError: é")
    assert start["headers"] == [(b"content-type", b"text/plain; charset=utf-8")]
    assert call(application, {"type": "websocket"}, "websocket.connect") == [
        {"type": "websocket.close"}
    ]
    events = ("lifespan.startup", "lifespan.shutdown")
    assert [message["type"] for message in call(application, {"type": "lifespan"}, *events)] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    answered = []
    assert FailedWSGI("é")({}, lambda *args: answered.extend(args)) == ["é".encode()]
    assert answered[0].startswith("500 ")
    assert ("Content-Length", "2") in answered[1]
