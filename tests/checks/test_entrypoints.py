"""The checks of the entry points: each fault where it stands, and what looks like it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.checks.project import deploycheck, make_project
from tests.checks.variants import placed_each, variant

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """\
import os

from django.core.{role} import get_{role}_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")

"""
WSGI = HEAD.format(role="wsgi")
ASGI = HEAD.format(role="asgi")
MODELS = {
    "app/models.py": """
        from django.db import models


        class Note(models.Model):
            text = models.CharField(max_length=10)
        """,
    "app/migrations/__init__.py": "",
}
CONSUMERS = {
    "app/consumers.py": """
        from channels.generic.http import AsyncHttpConsumer
        from channels.generic.websocket import AsyncWebsocketConsumer


        class Chat(AsyncWebsocketConsumer):
            pass


        class Poll(AsyncHttpConsumer):
            async def handle(self, body):
                await self.send_response(200, b"")
        """
}


def found(project: Path, *args: str, among: range = range(10, 50), **env: str | None) -> list[Any]:
    """Our findings about entry points: id without the prefix, place, message and hint."""
    return [
        (
            finding["id"].removeprefix("deploytool."),
            f"{finding['path']}:{finding['line']}" if finding["path"] else finding["object"],
            finding["message"],
            finding["hint"],
        )
        for finding in deploycheck(project, "--tag", "deploytool", *args, **env)["findings"]
        if finding["id"].startswith("deploytool.") and int(finding["id"][-3:]) in among
    ]


def found_each(
    project: Path, *options: dict[str, Any], among: range = range(10, 50), **env: str | None
) -> list[list[Any]]:
    """The same for several options of the command, in one process that inspects once."""
    variants = [variant("{}", **each) for each in options]
    answers = placed_each(project, among[0], among[-1], variants, **env)
    return [
        [(identifier, place, message, hint) for identifier, message, hint, place in answer]
        for answer in answers
    ]


def planned(
    project: Path, plan: dict[str, Any] | None = None, among: range = range(10, 50), **env: Any
) -> list[Any]:
    """The same as ``found()`` without the command around it and the rules of other subjects."""
    return found_each(project, plan or {}, among=among, **env)[0]


def line(project: Path, file: str, text: str) -> str:
    """``file:line`` of the first line of a file that contains ``text``."""
    lines = (project / file).read_text().splitlines()
    return f"{file}:{next(i for i, each in enumerate(lines, 1) if text in each)}"


WSGI_PLAN = {"interface": "wsgi"}
ASGI_PLAN = {"interface": "asgi"}


def only(found: list[Any], identifier: str) -> tuple[str, str, str]:
    """Place, message and hint of the one finding of this id."""
    [(_, place, message, hint)] = [each for each in found if each[0] == identifier]
    return place, message, hint


# 010 to 014: an entry point by itself. Each project has one fault in either file.


def test_missing(tmp_path):
    project = make_project(
        tmp_path,
        settings="""
        WSGI_APPLICATION = "site1.wsgj.application"
        del ASGI_APPLICATION
        """,
    )
    (project / "site1" / "asgi.py").unlink()
    served, by_wsgi = found_each(project, ASGI_PLAN, WSGI_PLAN)
    assert {each[0] for each in served} == {"E010", "W010"}
    _, message, hint = only(served, "E010")
    assert "There is no ASGI entry point" in message
    assert "manage.py deployfiles asgi" in hint
    place, message, _ = only(served, "W010")
    assert place == line(project, "site1/settings.py", "wsgj")
    assert "no module 'site1.wsgj'" in message
    assert "manage.py runserver does not start" in message
    # Nothing is said of the ASGI entry point that nobody asks for.
    [(identifier, _, message, _)] = by_wsgi
    assert identifier == "E010"
    assert "settings.WSGI_APPLICATION names site1.wsgj:application" in message


def test_cannot_be_imported(tmp_path):
    project = make_project(
        tmp_path,
        {
            "site1/asgi.py": ASGI + "application = get_asgi_application()\nimport nowhere_at_all\n",
            "site1/wsgi.py": WSGI + "app = get_wsgi_application()\n",
        },
    )
    findings = found(project, "--interface", "asgi")
    place, message, hint = only(findings, "E011")
    assert place == "site1/asgi.py:8"
    assert "ModuleNotFoundError: No module named 'nowhere_at_all'" in message
    assert "does not start with it" in message
    assert "python -c 'import site1.asgi'" in hint
    place, message, hint = only(findings, "W011")
    assert place == line(project, "site1/settings.py", "WSGI_APPLICATION =")
    assert "has no attribute 'application'; it has 'app'" in message
    assert "The plan serves ASGI" in message
    assert "module.attribute" in hint


def test_hanging_and_ending_imports(tmp_path):
    project = make_project(
        tmp_path,
        {
            "site1/asgi.py": "import time\n\ntime.sleep(60)\n",
            "site1/wsgi.py": "import sys\n\nsys.exit('no licence')\n",
        },
        settings='DEPLOYTOOL = {"ENTRYPOINT_TIMEOUT": 1.5}',
    )
    findings = planned(project, WSGI_PLAN)
    place, message, _ = only(findings, "E011")
    assert place == "site1/wsgi.py:3"
    assert "sys.exit('no licence')" in message
    place, message, hint = only(findings, "W011")
    assert place == "site1/asgi.py:3"
    assert "did not end within 1.5 s" in message
    assert "ENTRYPOINT_TIMEOUT" in hint


def test_models_before_apps(tmp_path):
    project = make_project(
        tmp_path,
        {
            **MODELS,
            "app/routing.py": "from app.models import Note\n\nroutes = [Note]\n",
            "site1/asgi.py": "from app.routing import routes\n\n"
            + ASGI
            + "application = get_asgi_application()\n",
            # Sound: the same import where the apps are loaded.
            "site1/wsgi.py": WSGI
            + "application = get_wsgi_application()\nfrom app.routing import routes\n",
        },
    )
    [[(identifier, place, message, hint)], by_wsgi] = found_each(project, ASGI_PLAN, WSGI_PLAN)
    assert (identifier, place) == ("E012", "site1/asgi.py:1")
    assert "AppRegistryNotReady" in message
    assert "app/models.py:" in message  # where the import came to its end
    assert "runserver hides it" in message
    assert hint == "Call get_asgi_application() first, and move line 1 below it."
    [(identifier, _, message, _)] = by_wsgi
    assert identifier == "W012"
    assert "The plan serves WSGI; a server that is given it does not start with it." in message


def test_wrong_kind_of_callable(tmp_path):
    project = make_project(
        tmp_path,
        {
            "site1/asgi.py": WSGI + "application = get_wsgi_application()\n",
            "site1/wsgi.py": 'application = {"path": "/"}\n',
        },
    )
    findings = planned(project, ASGI_PLAN)
    place, message, hint = only(findings, "E013")
    assert place == "site1/asgi.py:7"
    assert "is a WSGI application" in message
    assert "500" in message
    assert hint == "application = get_asgi_application()"
    place, message, _ = only(findings, "W013")
    assert place == "site1/wsgi.py:1"
    assert "is not callable: it is a dict" in message


def test_factory_that_is_not_called(tmp_path):
    project = make_project(
        tmp_path,
        {
            "site1/asgi.py": ASGI + "application = get_asgi_application\n",
            "site1/wsgi.py": """
                from django.core.handlers.wsgi import WSGIHandler

                application = WSGIHandler
                """,
        },
    )
    findings, by_uvicorn, by_daphne = found_each(
        project,
        WSGI_PLAN,
        {**ASGI_PLAN, "server": "uvicorn"},
        {**ASGI_PLAN, "server": "daphne"},
    )
    place, message, hint = only(findings, "E014")
    assert place == "site1/wsgi.py:3"
    assert "is a class" in message
    assert hint == "Call it where the application is assigned."
    assert "write application = get_asgi_application()" in only(findings, "W014")[1]
    # Uvicorn calls it, and warns; Daphne does not.
    [guessed] = [each[2] for each in by_uvicorn if each[1] == "site1/asgi.py:7"]
    assert "Uvicorn guesses" in guessed
    assert {each[0] for each in by_uvicorn} == {"W014"}
    assert sorted(each[0] for each in by_daphne) == ["E014", "W014"]


# 015, 021 to 023: wrappers and adapters


IMPORTS = """\
from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from channels.security.websocket import WebsocketDenier
from django.core.wsgi import get_wsgi_application
from django.urls import re_path
from sentry_sdk.integrations.asgi import SentryAsgiMiddleware
from starlette.applications import Starlette
from starlette.routing import Mount
from whitenoise import WhiteNoise

site = get_asgi_application()
routes = [re_path("", WebsocketDenier.as_asgi())]
sockets = AuthMiddlewareStack(URLRouter(routes))


class Timed:
    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        return self.app(environ, start_response)


def timed(app):
    def timing(environ, start_response):
        return app(environ, start_response)

    return timing


class Choosing:  # a router of the project's own, with a list of routes that it does not call
    def __init__(self, routes):
        self.routes = routes

    async def __call__(self, scope, receive, send):
        for route in self.routes:
            if route.pattern.match(scope["path"].lstrip("/")):
                await route.callback(scope, receive, send)


"""
NEEDS_ASGI = "made for ASGI"
MISFITS = (
    ("WhiteNoise(site)", "E015", "whitenoise.base.WhiteNoise", "put WhiteNoise into MIDDLEWARE"),
    ("SentryAsgiMiddleware(get_wsgi_application())", "E015", "SentryAsgiM", "sentry_sdk.init()"),
    ("Timed(site)", "E015", "Timed", NEEDS_ASGI),
    ("timed(site)", "E015", "timed", NEEDS_ASGI),
    (
        'ProtocolTypeRouter({"http": get_wsgi_application()})',
        "E015",
        "is a WSGI application and is called as an ASGI one",
        "Give it get_asgi",
    ),
    (
        'Starlette(routes=[Mount("/", get_wsgi_application())])',
        "E015",
        "is a WSGI application and is called as an ASGI one",
        "Give it get_asgi",
    ),
    (
        'ProtocolTypeRouter({"http": get_asgi_application, "websocket": sockets})',
        "E015",
        "'http', django.core.asgi.get_asgi_application, makes the application and was not called",
        "Call it, where the router is made.",
    ),
    (
        'ProtocolTypeRouter({"http": site, "websocket": AuthMiddlewareStack(routes)})',
        "E015",
        "channels.auth.AuthMiddleware wraps an application, and was given a list of routes",
        "Put URLRouter(...) around the list.",
    ),
    (
        'AllowedHostsOriginValidator(ProtocolTypeRouter({"http": site, "websocket": sockets}))',
        "E015",
        "OriginValidator raises an error for what is no WebSocket, and HTTP requests come",
        'Put it around what is routed for "websocket"',
    ),
    (
        'ProtocolTypeRouter({"http": site, "websockets": sockets})',
        "E028",
        "routes 'websockets', and the type of a WebSocket connection is 'websocket'",
        "Write \"websocket\" in the place of 'websockets'.",
    ),
    (
        'ProtocolTypeRouter({"http": site, "websocket": AuthMiddlewareStack(sockets)})',
        "I022",
        "CookieMiddleware stands more than once around the WebSocket route ''",
        "all but one",
    ),
    (
        (
            'ProtocolTypeRouter({"http": site, "mqtt": sockets, "channel": sockets,'
            ' "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(Choosing(routes)))})'
        ),
        None,
        "",
        "",
    ),
)


def test_pieces_that_do_not_fit(tmp_path):
    """One application each in a module of its own, beside a sound one."""
    files = {
        f"site1/case{n}.py": f"{ASGI}{IMPORTS}application = {text}\n"
        for n, (text, *_) in enumerate(MISFITS)
    }
    project = make_project(tmp_path, files)
    variants = [
        variant(f"dict(ASGI_APPLICATION='site1.case{n}.application')", interface="asgi")
        | {"anew": True}
        for n in range(len(MISFITS))
    ]
    answers = placed_each(project, 10, 49, variants)
    for n, (text, identifier, reason, hint) in enumerate(MISFITS):
        assert [each[0] for each in answers[n]] == ([identifier] if identifier else []), text
        for _, message, next_step, place in answers[n]:
            assert reason in message
            assert hint in next_step
            assert place == line(project, f"site1/case{n}.py", "application = ")


def test_wrappers_of_the_right_interface_are_none(tmp_path):
    project = make_project(
        tmp_path,
        {
            "site1/asgi.py": ASGI
            + "from sentry_sdk.integrations.asgi import SentryAsgiMiddleware\n"
            "from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware\n"
            "application = OpenTelemetryMiddleware(SentryAsgiMiddleware(get_asgi_application()))\n",
            "site1/wsgi.py": WSGI
            + "from sentry_sdk.integrations.wsgi import SentryWsgiMiddleware\n"
            "from whitenoise import WhiteNoise\n"
            "application = SentryWsgiMiddleware(WhiteNoise(get_wsgi_application()))\n",
        },
    )
    assert found_each(project, ASGI_PLAN, WSGI_PLAN) == [[], []]


def test_adapters(tmp_path):
    project = make_project(
        tmp_path,
        {
            "site1/asgi.py": WSGI + "from asgiref.wsgi import WsgiToAsgi\n"
            "application = WsgiToAsgi(get_wsgi_application())\n",
            "site1/wsgi.py": ASGI + "from a2wsgi import ASGIMiddleware\n"
            "application = ASGIMiddleware(get_asgi_application())\n",
        },
    )
    by_asgi, by_wsgi = found_each(project, ASGI_PLAN, WSGI_PLAN)
    place, message, hint = only(by_asgi, "I021")
    assert place == "site1/asgi.py:8"
    assert "adapted by asgiref.wsgi.WsgiToAsgi to ASGI" in message
    assert hint == "Write application = get_asgi_application()."
    assert "Django's ASGI application" in only(by_wsgi, "I021")[1]
    (project / "app" / "views.py").write_text(
        "from django.http import StreamingHttpResponse\n\n\n"
        "async def home(request):\n"
        "    async def ticks():\n"
        "        while True:\n"
        "            yield b'tick'\n\n"
        "    return StreamingHttpResponse(ticks())\n"
    )
    _, message, _ = only(planned(project, ASGI_PLAN), "W021")
    assert "1 async view, app.views.home first" in message
    assert "one without an end never answers" in message


def test_wrapped_twice_and_static_handler(tmp_path):
    project = make_project(
        tmp_path,
        {
            "site1/asgi.py": ASGI + "from django.contrib.staticfiles import handlers\n"
            "from sentry_sdk.integrations.asgi import SentryAsgiMiddleware\n\n"
            "class Static(handlers.ASGIStaticFilesHandler):\n    pass\n\n"
            "application = SentryAsgiMiddleware(Static(get_asgi_application()))\n"
            "application = SentryAsgiMiddleware(application)\n",
            "site1/wsgi.py": WSGI + "from whitenoise import WhiteNoise\n"
            "application = WhiteNoise(get_wsgi_application())\n",
        },
        middleware=(
            "django.middleware.security.SecurityMiddleware",
            "whitenoise.middleware.WhiteNoiseMiddleware",
            "django.middleware.common.CommonMiddleware",
        ),
        settings="(BASE_DIR / 'staticfiles').mkdir(exist_ok=True)",
    )
    findings, by_wsgi = found_each(project, ASGI_PLAN, WSGI_PLAN)
    _, message, _ = only(findings, "I022")
    assert "SentryAsgiMiddleware stands 2 times" in message
    place, message, hint = only(findings, "W023")
    assert place == line(project, "site1/asgi.py", "application = SentryAsgiMiddleware(application")
    assert "site1.asgi.Static" in message
    assert "get_asgi_application()" in hint
    [(identifier, _, message, _)] = by_wsgi
    assert identifier == "I022"
    assert "settings.MIDDLEWARE[1], whitenoise.middleware.WhiteNoiseMiddleware" in message


# 016 to 018: what an ASGI application answers


def test_router_without_http_and_consumers_as_classes(tmp_path):
    project = make_project(
        tmp_path,
        {
            **CONSUMERS,
            "site1/asgi.py": ASGI + "django = get_asgi_application()\n"
            "from channels.routing import ProtocolTypeRouter, URLRouter\n"
            "from django.urls import path\n"
            "from app.consumers import Chat, Poll\n"
            "routes = [\n"
            '    path("ws/a/", Chat),\n'
            '    path("ws/b/", Chat.as_asgi),\n'
            '    path("ws/c/", Chat.as_asgi()),\n'
            "]\n"
            'application = ProtocolTypeRouter({"websocket": URLRouter(routes)})\n',
        },
    )
    findings = planned(project)
    place, message, hint = only(findings, "E016")
    assert place == line(project, "site1/asgi.py", "application = ProtocolTypeRouter")
    assert "answers websocket and no HTTP request" in message
    assert '"http": get_asgi_application()' in hint
    classes = [each for each in findings if each[0] == "E017"]
    assert [each[1] for each in classes] == [
        line(project, "site1/asgi.py", '"ws/a/"'),
        line(project, "site1/asgi.py", '"ws/b/"'),
    ]
    assert {each[3] for each in classes} == {"Write Chat.as_asgi()."}
    assert len(findings) == 3
    # A WSGI server stands beside it
    (project / "Procfile").write_text(
        "web: gunicorn site1.wsgi\nsockets: daphne site1.asgi:application\n"
    )
    _, message, _ = only(planned(project), "I016")
    assert "to the WSGI server that Procfile:1 starts" in message
    (project / "Procfile").unlink()
    # With "http", as_asgi() everywhere, and an HTTP consumer: nothing but the one left as a class
    text = (project / "site1" / "asgi.py").read_text()
    text = text.replace("Chat),", "Chat.as_asgi()),").replace("Chat.as_asgi),", "Chat.as_asgi()),")
    http = 'URLRouter([path("poll/", Poll), path("poll2/", Poll.as_asgi()), re_path("", django)])'
    text = text.replace("import path", "import path, re_path").replace(
        'Router({"web', f'Router({{"http": {http}, "web'
    )
    (project / "site1" / "asgi.py").write_text(text)
    [(identifier, _, message, hint)] = planned(project)
    assert identifier == "E017"
    assert "app.consumers.Poll answers HTTP requests" in message
    assert hint == "Write Poll.as_asgi()."


LIFESPAN = (
    "django = get_asgi_application()\n\n"
    "async def application(scope, receive, send):\n"
    '    if scope["type"] == "lifespan":\n'
    "        while True:\n"
    "            message = await receive()\n"
    '            await send({"type": message["type"] + ".complete"})\n'
    '            if message["type"] == "lifespan.shutdown":\n'
    "                return\n"
    "    await django(scope, receive, send)\n"
)


def test_lifespan(tmp_path):
    project = make_project(tmp_path, settings='DEPLOYTOOL = {"LIFESPAN": "on"}')
    by_asgi, by_wsgi = found_each(project, ASGI_PLAN, WSGI_PLAN)
    place, message, hint = only(by_asgi, "E018")
    assert place == line(project, "site1/settings.py", "DEPLOYTOOL")
    assert "refuses to start" in message
    assert "leave" in hint.lower()
    assert by_wsgi == []
    (project / "site1" / "asgi.py").write_text(ASGI + LIFESPAN)
    assert planned(project, ASGI_PLAN) == []
