"""The checks of security and operation: each fault, and what looks like it and is sound."""

from __future__ import annotations

from tests.checks.project import deploycheck, make_project
from tests.checks.test_entrypoints import ASGI_PLAN, WSGI_PLAN, found_each, line, only, planned

RANGE = range(50, 80)
SQLITE = """
DATABASES["default"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}
"""


def of(project, workers=None, **env):
    """Our findings about operation."""
    return planned(project, {"workers": workers} if workers else {}, among=RANGE, **env)


def of_each(project, *options, **env):
    """The same for several options, in one process."""
    return found_each(project, *options, among=RANGE, **env)


# 050, 052: DEBUG, and text in place of True and False


def test_debug(tmp_path):
    project = make_project(tmp_path, settings="DEBUG = True\n")
    report = deploycheck(project)
    ours = [each for each in report["findings"] if each["id"] == "deploytool.E050"]
    assert [(each["path"], each["line"]) for each in ours] == [("site1/settings.py", 55)]
    assert "DEBUG is on in site1.settings" in ours[0]["message"]
    assert "--settings MODULE" in ours[0]["hint"]
    # Django's warning about the same is left out; not where ours is silenced.
    assert "security.W018" not in {each["id"] for each in report["findings"]}
    settings = project / "site1" / "settings.py"
    settings.write_text(settings.read_text() + 'SILENCED_SYSTEM_CHECKS = ["deploytool.E050"]\n')
    assert "security.W018" in {each["id"] for each in deploycheck(project)["findings"]}


def test_debug_where_the_entry_point_assigns_its_settings(tmp_path):
    project = make_project(
        tmp_path,
        {
            "site1/loud.py": "from site1.settings import *\n\nDEBUG = True\n",
            "site1/wsgi.py": """
                import os

                from django.core.wsgi import get_wsgi_application

                os.environ["DJANGO_SETTINGS_MODULE"] = "site1.loud"
                application = get_wsgi_application()
                """,
        },
    )
    by_wsgi, by_asgi = of_each(project, WSGI_PLAN, ASGI_PLAN)
    place, message, _ = only(by_wsgi, "E050")
    assert place == "site1/wsgi.py:6"
    assert "DEBUG is on in site1.loud" in message
    assert by_asgi == []


READERS = """
import os
from os import environ as env, getenv


def config(name, default=None, cast=None):
    value = os.environ.get(name, default)
    return value if cast is None else cast(value)


def truth(text):
    return str(text).lower() in ("1", "true", "yes")
"""


def test_text_that_is_true(tmp_path):
    project = make_project(
        tmp_path,
        settings=READERS
        + """
DEBUG = config("SITE_DEBUG", default=False)
SECURE_SSL_REDIRECT = env.get("SITE_REDIRECT", "True")
USE_X_FORWARDED_HOST = getenv("SITE_FORWARDED", "no")
APPEND_SLASH = bool(getenv("SITE_SLASH", False))
""",
    )
    findings = of(project)
    places = {each[1]: each for each in findings}
    debug = places[line(project, "site1/settings.py", "SITE_DEBUG")]
    assert debug[0] == "W052"
    assert "SITE_DEBUG=False would switch DEBUG on" in debug[2]
    redirect = places[line(project, "site1/settings.py", "SITE_REDIRECT")]
    assert redirect[0] == "I052"
    assert "'False' would not switch it off" in redirect[2]
    forwarded = places[line(project, "site1/settings.py", "SITE_FORWARDED")]
    assert forwarded[0] == "W052"
    assert "is the text 'no', which is true" in forwarded[2]
    slash = places[line(project, "site1/settings.py", "SITE_SLASH")]
    assert "SITE_SLASH=False would switch APPEND_SLASH on" in slash[2]
    assert len(findings) == 4
    [(identifier, place, message, hint)] = [
        each for each in of(project, SITE_DEBUG="False") if "DEBUG" in each[2]
    ]
    assert (identifier, place) == ("E052", line(project, "site1/settings.py", "SITE_DEBUG"))
    assert "DEBUG is the text 'False', which is true" in message
    assert "where it is read" in hint


def test_truth_from_the_environment(tmp_path):
    project = make_project(
        tmp_path,
        settings=READERS
        + """
DEBUG = config("SITE_DEBUG", default=False, cast=truth)
SECURE_SSL_REDIRECT = env.get("SITE_REDIRECT", "True") == "True"
USE_X_FORWARDED_HOST = bool(int(getenv("SITE_FORWARDED", "0")))
APPEND_SLASH = not env.get("SITE_SLASH")
SESSION_COOKIE_HTTPONLY = bool(env.get("SITE_HTTPONLY", "x"))
USE_TZ = getenv("SITE_TZ", "yes").lower() in ("yes", "true")
CSRF_COOKIE_SECURE = truth(env["SITE_SECURE"] if "SITE_SECURE" in env else "yes")
""",
    )
    assert of(project) == []


# 051: the secret


def test_secrets_that_are_made_anew(tmp_path):
    always = make_project(
        tmp_path / "always",
        settings="""
        from secrets import token_hex
        key = token_hex(40)
        SECRET_KEY = key
        """,
    )
    several, alone = of_each(always, {"workers": 3}, {"workers": 1})
    place, message, hint = only(several, "E051")
    assert place == line(always, "site1/settings.py", "SECRET_KEY = key")
    assert "made anew by each process: 3 processes sign with as many keys" in message
    assert 'os.environ["SECRET_KEY"]' in hint
    assert "each restart logs all visitors out" in only(alone, "W051")[1]
    unset = make_project(
        tmp_path / "unset",
        settings="""
        import os
        from django.core.management.utils import get_random_secret_key
        SECRET_KEY = os.getenv("SITE_KEY") or get_random_secret_key()
        """,
    )
    _, message, hint = only(of(unset, 3), "W051")
    assert "where SITE_KEY is not set in the environment, as it is not here" in message
    assert "Read it without a default" in hint
    assert of(unset, 3, SITE_KEY="k" * 60) == []


def test_secrets_that_are_kept(tmp_path):
    project = make_project(
        tmp_path,
        {
            # Another key for each entry point, but the same at each start
            "site1/asgi.py": """
                import os

                from django.core.asgi import get_asgi_application

                os.environ["SITE_KEY"] = "asgi" * 20
                os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")
                application = get_asgi_application()
                """
        },
        settings="""
        import os
        from secrets import token_hex
        kept = BASE_DIR / "secret.txt"
        if not kept.exists():
            kept.write_text(token_hex(40))
        SECRET_KEY = os.environ.get("SITE_KEY") or kept.read_text()
        """,
    )
    plans = ({**plan, "workers": 3} for plan in (WSGI_PLAN, ASGI_PLAN))
    assert of_each(project, *plans) == [[], []]


# 053, 054: what the import starts

WORKING = """
import functools
import queue
import sched
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import Process

from django.apps import AppConfig

todo, simple = queue.Queue(), queue.SimpleQueue()
pool = ThreadPoolExecutor(initializer=lambda: None)


def every_minute():
    while True:
        time.sleep(60)


def when_told():
    while True:
        todo.get()


def when_told_simply():
    while True:
        simple.get()


def warm_up():
    time.sleep(60)


def send_mails():
    pass


class Beat(threading.Thread):
    def run(self):
        stopped = threading.Event()
        while not stopped.wait(60):
            pass


class Working(AppConfig):
    name = "app"

    def ready(self):
        START
"""


def working(*lines: str) -> str:
    return WORKING.replace("START", "\n        ".join(lines))


def test_background_work(tmp_path):
    project = make_project(
        tmp_path,
        {
            "app/apps.py": working(
                "threading.Thread(target=every_minute, daemon=True).start()",
                "Beat(daemon=True).start()",
                "late = threading.Timer(3600, functools.partial(send_mails))",
                "late.daemon = True",
                "late.start()",
                "Process(target=every_minute, daemon=True, name='worker').start()",
            ),
            "site1/urls.py": """
                import threading

                from app.views import home
                from app import apps
                from django.urls import path

                def in_urls():
                    while True:
                        apps.time.sleep(5)

                threading.Thread(target=in_urls, daemon=True).start()
                urlpatterns = [path("", home)]
                """,
        },
    )
    several, one = ({**WSGI_PLAN, "workers": workers} for workers in (4, 1))
    findings, one = of_each(project, several, one)
    assert {each[0] for each in findings} == {"W053"}
    apps = project / "app" / "apps.py"
    at = {each[1]: each[2] for each in findings}
    assert set(at) == {
        line(project, "app/apps.py", "Thread(target=every_minute"),
        line(project, "app/apps.py", "Beat(daemon"),
        line(project, "app/apps.py", "late.start"),
        line(project, "app/apps.py", "Process(target"),
        line(project, "site1/urls.py", "def in_urls"),
    }
    thread = at[line(project, "app/apps.py", "Thread(target=every_minute")]
    assert "app.apps.every_minute goes on in a thread as soon as site1.wsgi:application" in thread
    assert "4 processes serve, and each has one" in thread
    assert "app.apps.send_mails waits for its time" in at[line(project, "app/apps.py", "late.st")]
    assert "in a process of its own" in at[line(project, "app/apps.py", "Process(target")]
    assert {each[0] for each in one} == {"I053"}
    assert "with a second one, or a second replica" in one[0][2]
    # Threads that wait for their process, warm something up, or belong to a pool
    apps.write_text(
        working(
            "threading.Thread(target=when_told, daemon=True).start()",
            "threading.Thread(target=when_told_simply, daemon=True).start()",
            "threading.Thread(target=warm_up, daemon=True).start()",
            "pool.submit(int)",
            "import sentry_sdk",
            "sentry_sdk.init('http://a@127.0.0.1:9/1', before_send=lambda event, hint: event)",
            "sentry_sdk.capture_message('hello')",
            "from opentelemetry.sdk.trace import TracerProvider",
            "from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter",
            "Own = type('Own', (ConsoleSpanExporter,), {'export': lambda self, spans: None})",
            "TracerProvider().add_span_processor(BatchSpanProcessor(Own()))",
        ).replace("sentry_sdk.init(", "sentry_sdk.init(default_integrations=False, dsn=")
    )
    (project / "site1" / "urls.py").write_text("urlpatterns = []\n")
    assert of(project, 4) == []


SCHEDULER = """
import threading


class Scheduler:
    def __init__(self):
        self.jobs = []

    def add(self, job):
        self.jobs.append(job)

    def start(self):
        threading.Thread(target=self._loop, args=(self.jobs[0],), daemon=True).start()

    def _loop(self, job):
        threading.Event().wait(3600)
        job()
"""


def test_schedulers(tmp_path):
    """A well-known one, and a library's thread that is given the project's function."""
    installed = tmp_path / "site-packages"
    installed.mkdir()
    (installed / "scheduling.py").write_text(SCHEDULER)
    project = make_project(
        tmp_path,
        {
            "app/apps.py": working(
                "from apscheduler.schedulers import background",
                "class Own(background.BackgroundScheduler): pass",
                "scheduler = Own()",
                "scheduler.add_job(send_mails, 'interval', hours=1)",
                "scheduler.start()",
                "import scheduling",
                "another = scheduling.Scheduler()",
                "another.add(send_mails)",
                "another.start()",
            )
        },
        settings=f"import sys\nsys.path.append({str(installed)!r})\n",
    )
    found = {each[1]: each for each in of(project, 2)}
    identifier, _, message, hint = found[line(project, "app/apps.py", "scheduler.start()")]
    assert identifier == "W053"
    assert "Own calls its jobs by time, in a thread" in message
    assert "a service of its own, with one replica" in hint
    identifier, _, message, _ = found[line(project, "app/apps.py", "another.start()")]
    assert identifier == "W053"
    assert "app.apps.send_mails calls its jobs by time" in message
    assert len(found) == 2
    # Added to, but not started
    apps = project / "app" / "apps.py"
    apps.write_text(apps.read_text().replace(".start()", ".__class__"))
    assert of(project, 2) == []


def test_connections_while_the_project_is_loaded(tmp_path):
    project = make_project(
        tmp_path,
        {
            "app/apps.py": """
                from django.apps import AppConfig


                class Asking(AppConfig):
                    name = "app"

                    def ready(self):
                        from django.db import connection

                        with connection.cursor() as cursor:
                            cursor.execute("SELECT 1")
                """
        },
        settings=SQLITE + "import warnings\nwarnings.simplefilter('ignore')\n",
    )
    # Threads make connections of their own.
    procfile = project / "Procfile"
    procfile.write_text("web: gunicorn --preload -k gthread --threads 4 site1.wsgi\n")
    place, message, hint = only(of(project), "W054")
    assert place == line(project, "app/apps.py", "with connection.cursor()")
    assert "asks the database 'default' while site1.wsgi:application is being loaded" in message
    assert "The connection stays open" in message
    assert "functools.cache" in hint
    # Gunicorn loads the application before it makes its workers, which use that connection.
    procfile.write_text("web: gunicorn --preload -k sync site1.wsgi\n")
    place, message, _ = only(of(project), "E054")
    assert place == line(project, "app/apps.py", "with connection.cursor()")
    assert "Procfile:1 loads the application before it makes its workers" in message
    # A database that does not answer, and a project that goes on all the same
    apps = project / "app" / "apps.py"
    text = apps.read_text()
    apps.write_text(
        text.replace("with connection", "try:\n            with connection").replace(
            'cursor.execute("SELECT 1")',
            '    cursor.execute("SELECT 1")\n        except Exception:\n            pass',
        )
    )
    settings = project / "site1" / "settings.py"
    settings.write_text(
        settings.read_text().replace('BASE_DIR / "db.sqlite3"', '"/nowhere/at/all/db"')
    )
    _, message, _ = only(of(project), "I054")
    assert "goes on without an answer" in message


# 055: tasks


def test_tasks_that_are_left(tmp_path):
    project = make_project(
        tmp_path,
        {
            "app/views.py": """
                import asyncio
                from asyncio import ensure_future as later

                from django.http import HttpResponse
                from django.views import View

                kept = set()


                async def work():
                    await asyncio.sleep(1)


                async def home(request):
                    asyncio.create_task(work())
                    return HttpResponse("home")


                class Loop(View):
                    async def get(self, request):
                        loop = asyncio.get_running_loop()
                        loop.create_task(work())
                        return HttpResponse("loop")


                async def holding(request):
                    held = later(work())
                    kept.add(held)
                    return HttpResponse("held")


                async def sound(request):
                    first = asyncio.create_task(work())
                    second = asyncio.create_task(work())
                    async with asyncio.TaskGroup() as group:
                        group.create_task(work())
                    await asyncio.gather(first, second)
                    return HttpResponse("sound")
                """,
            "site1/urls.py": """
                from app import views
                from django.urls import path

                urlpatterns = [
                    path("", views.home),
                    path("loop/", views.Loop.as_view()),
                    path("holding/", views.holding),
                    path("sound/", views.sound),
                ]
                """,
        },
    )
    under_wsgi, under_asgi = of_each(project, WSGI_PLAN, ASGI_PLAN)
    assert {each[0] for each in under_wsgi} == {"E055"}
    assert {each[1] for each in under_wsgi} == {
        line(project, "app/views.py", "    asyncio.create_task(work())"),
        line(project, "app/views.py", "loop.create_task"),
        line(project, "app/views.py", "held = later"),
    }
    assert "the task is cancelled" in under_wsgi[0][2]
    assert {each[0] for each in under_asgi} == {"I055"}
    assert len(under_asgi) == 2
    assert "may vanish" in under_asgi[0][2]


# 056 to 058


def test_time_zone_logs_and_mail(tmp_path):
    project = make_project(
        tmp_path,
        settings="""
        del TIME_ZONE
        LOGGING = {"version": 1, "root": {"level": "INFO"}}
        EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
        """,
    )
    findings = planned(project, {**ASGI_PLAN, "server": "uvicorn"}, among=RANGE)
    assert [each[0] for each in findings] == ["I056", "I057", "I058"]
    assert "America/Chicago" in findings[0][2]
    assert findings[1][1] == line(project, "site1/settings.py", "LOGGING")
    assert "Uvicorn (uvicorn, uvicorn.error, uvicorn.access)" in findings[1][2]
    assert '"disable_existing_loggers": False' in findings[1][3]
    assert "EMAIL_BACKEND prints messages to the console" in findings[2][2]
    settings = project / "site1" / "settings.py"
    text = settings.read_text()
    settings.write_text(
        text.replace("del TIME_ZONE", "")
        .replace('"root"', '"loggers": {"uvicorn": {"level": "INFO"}}, "root"')
        .replace("backends.console", "backends.smtp")
    )
    by_uvicorn, by_gunicorn = of_each(project, {**ASGI_PLAN, "server": "uvicorn"}, WSGI_PLAN)
    assert by_uvicorn == []
    assert [each[0] for each in by_gunicorn] == ["I057"]  # gunicorn.error
