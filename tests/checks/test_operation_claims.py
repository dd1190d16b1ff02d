"""What the checks of operation say of Django and of the servers, seen to happen."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from tests.checks.project import make_project
from tests.checks.test_entrypoints_claims import OPEN, run, started, status
from tests.support import manage

if TYPE_CHECKING:
    from pathlib import Path

SQLITE = """
DATABASES["default"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}
"""


def answer(project: Path, script: str, **env: str | None) -> Any:
    """What ``script`` prints last, as JSON, with the apps set up."""
    done = run(project, "-c", f"import json, os, django\ndjango.setup()\n{script}", **env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_debug_and_text_that_is_true(tmp_path):
    project = make_project(
        tmp_path,
        {
            "app/views.py": """
                from django.db import connection
                from django.http import HttpResponse


                def home(request):
                    with connection.cursor() as cursor:
                        cursor.execute("SELECT 1")
                    return HttpResponse(len(connection.queries))


                def fails(request):
                    password = "in a local variable"
                    raise ValueError("oops")
                """,
            "site1/urls.py": """
                from app import views
                from django.urls import path

                urlpatterns = [path("", views.home), path("fails/", views.fails)]
                """,
        },
        settings=OPEN + SQLITE + 'import os\nDEBUG = os.environ.get("DEBUG", False)\n'
        'PARTNER_ADDRESS = "https://partner.example"\n',
    )
    script = """
from django.test import Client
client = Client(raise_request_exception=False, headers={"accept": "text/html"})
page, missing = (client.get(path).content.decode() for path in ("/fails/", "/nowhere/"))
print(json.dumps([
    "https://partner.example" in page,
    "raise ValueError" in page,
    "fails/" in missing,
    client.get("/").content.decode(),
]))
"""
    assert answer(project, script) == [False, False, False, "0"]
    assert answer(project, script, DEBUG="False") == [True, True, True, "1"]


def test_another_secret_logs_visitors_out(tmp_path):
    project = make_project(
        tmp_path,
        {
            "app/views.py": """
                from django.http import HttpResponse


                def home(request):
                    return HttpResponse(request.user.get_username() or "nobody")
                """
        },
        settings=OPEN
        + SQLITE
        + "import os\nSECRET_KEY = os.environ['SITE_KEY']\nSESSION_COOKIE_SECURE = False\n",
    )
    assert manage(project, "migrate", "--verbosity", "0", SITE_KEY="a" * 60).returncode == 0
    login = """
from django.contrib.auth.models import User
from django.core import signing
from django.test import Client
client = Client()
client.force_login(User.objects.create_user("ann"))
print(json.dumps([client.cookies["sessionid"].value, signing.dumps("kept")]))
"""
    session, signed = answer(project, login, SITE_KEY="a" * 60)
    visit = f"""
from django.core import signing
from django.test import Client
client = Client()
client.cookies["sessionid"] = {session!r}
try:
    read = signing.loads({signed!r})
except signing.BadSignature:
    read = None
print(json.dumps([client.get("/").content.decode(), read]))
"""
    assert answer(project, visit, SITE_KEY="a" * 60) == ["ann", "kept"]
    assert answer(project, visit, SITE_KEY="b" * 60) == ["nobody", None]


def test_each_worker_and_each_command_has_its_background_work(tmp_path):
    project = make_project(
        tmp_path,
        {
            "app/apps.py": """
                import os
                import threading

                from django.apps import AppConfig
                from django.conf import settings


                def work():
                    with open(settings.BASE_DIR / "done.txt", "a") as file:
                        file.write(f"{os.getpid()}\\n")
                    threading.Event().wait()


                class Working(AppConfig):
                    name = "app"

                    def ready(self):
                        threading.Thread(target=work, daemon=True).start()
                """
        },
        settings=OPEN,
    )
    done = project / "done.txt"
    server = ("gunicorn", "-b", "127.0.0.1:PORT", "--workers", "3", "site1.wsgi")
    with started(project, *server):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and (
            not done.exists() or len(set(done.read_text().split())) < 3
        ):
            time.sleep(0.05)
    assert len(set(done.read_text().split())) == 3
    manage(project, "showmigrations", "--plan")
    assert manage(project, "version").returncode == 0
    assert manage(project, "check").returncode == 0
    assert len(set(done.read_text().split())) > 3


ASKING = """
import os

from django.apps import AppConfig
from django.db.backends.signals import connection_created


def note(**_):
    global opened_by
    opened_by = os.getpid()


class Asking(AppConfig):
    name = "app"

    def ready(self):
        from django.db import connection

        connection_created.connect(note)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
"""


def test_a_query_in_ready(tmp_path):
    project = make_project(
        tmp_path,
        {
            "app/apps.py": ASKING,
            "app/views.py": """
                import os

                from django.db import connection
                from django.http import HttpResponse

                from app import apps


                def home(request):
                    own = apps.opened_by == os.getpid()
                    return HttpResponse(f"{connection.connection is not None} {own}")
                """,
        },
        settings=OPEN + SQLITE + 'DATABASES["default"]["CONN_MAX_AGE"] = None\n',
    )
    # A worker of a preloaded application uses the connection that its parent has made.
    server = ("gunicorn", "-k", "sync", "-b", "127.0.0.1:PORT", "site1.wsgi")
    with started(project, *server, "--preload") as (url, _):
        assert body(f"{url}/") == "True False"
    with started(project, *server) as (url, _):
        assert body(f"{url}/") == "True True"
    # Without the database nothing starts.
    settings = project / "site1" / "settings.py"
    settings.write_text(settings.read_text().replace('BASE_DIR / "db.sqlite3"', '"/no/where/db"'))
    for words in (("-m", "gunicorn", "site1.wsgi"), ("manage.py", "collectstatic", "--noinput")):
        done = run(project, *words)
        assert done.returncode != 0
        assert "unable to open database file" in done.stderr


def body(url: str) -> str:
    import urllib.request

    with urllib.request.urlopen(url, timeout=10) as response:
        return str(response.read().decode())


def test_what_becomes_of_tasks(tmp_path):
    project = make_project(
        tmp_path,
        {
            "app/views.py": """
                import asyncio

                from django.http import HttpResponse

                log = []
                held = set()


                async def work():
                    try:
                        await asyncio.sleep(0.1)
                        log.append("done")
                    except asyncio.CancelledError:
                        log.append("cancelled")
                        raise


                async def home(request):
                    task = asyncio.create_task(work())
                    held.add(task)
                    await asyncio.sleep(0)
                    return HttpResponse("home")
                """
        },
        settings=OPEN,
    )
    script = """
import asyncio, gc, time
from app import views
from django.test import AsyncClient, Client

Client().get("/")
time.sleep(0.3)
under_wsgi = list(views.log)
views.log.clear()

async def main():
    await AsyncClient().get("/")
    await asyncio.sleep(0.3)
    under_asgi = list(views.log)
    # Nothing but the task knows what it waits for: the loop does not keep it.
    async def waits():
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            views.log.append("vanished")
    asyncio.create_task(waits())
    await asyncio.sleep(0)
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    gc.collect()
    return under_asgi, views.log[-1:]

print(json.dumps([under_wsgi, *asyncio.run(main())]))
"""
    assert answer(project, script) == [["cancelled"], ["done"], ["vanished"]]


def test_the_time_zone_of_the_process(tmp_path):
    project = make_project(tmp_path, settings="del TIME_ZONE\n")
    script = "import time; print(json.dumps([os.environ['TZ'], time.localtime().tm_zone]))"
    name, zone = answer(project, script)
    assert name == "America/Chicago"
    assert zone in {"CST", "CDT"}


def test_the_logs_of_servers_are_lost(tmp_path):
    project = make_project(tmp_path, settings=OPEN)
    settings = project / "site1" / "settings.py"
    text = settings.read_text()
    uvicorn = ("uvicorn", "--port", "PORT", "site1.asgi:application")
    gunicorn = ("gunicorn", "-b", "127.0.0.1:PORT", "--access-logfile", "-", "site1.wsgi")
    for more, kept in (("", False), ('"disable_existing_loggers": False', True)):
        settings.write_text(f'{text}\nLOGGING = {{"version": 1, {more}}}\n')
        for server in (uvicorn, gunicorn):
            with started(project, *server) as (url, log):
                assert status(f"{url}/") == 200
            assert ("GET / HTTP/1.1" in log.read_text()) is kept
        # Daphne logs what goes wrong, and its loggers are there before the application.
        loaded = "import daphne.cli, logging, site1.asgi; "
        done = run(project, "-c", f"{loaded}print(logging.getLogger('daphne.server').disabled)")
        assert done.stdout == f"{not kept}\n"
