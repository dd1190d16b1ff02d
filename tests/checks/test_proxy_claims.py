"""What the checks about proxy, hosts and cookies claim of Django, servers and browsers."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.checks.project import make_project
from tests.support import environment, free_port, run_python

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEEN = """
    from django.http import JsonResponse


    def home(request):
        seen = {"scheme": request.scheme, "address": request.META.get("REMOTE_ADDR")}
        return JsonResponse(seen)
    """
PLAIN = """
    ALLOWED_HOSTS = ["*"]
    SECURE_SSL_REDIRECT = False
    SECURE_PROXY_SSL_HEADER = None
    """

WSGI = ("gunicorn", "site1.wsgi", "--threads", "2", "--no-control-socket")
ASGI = ("gunicorn", "site1.asgi", "-k", "asgi", "--no-control-socket")
UVICORN = ("uvicorn", "site1.asgi:application", "--lifespan", "off")
DAPHNE = ("daphne", "site1.asgi:application")
TRUST = ("--forwarded-allow-ips", "127.0.0.1")
TRUST_OTHER = ("--forwarded-allow-ips", "10.9.9.9")
TRUST_ALL = ("--forwarded-allow-ips", "*")

PROXY, CLIENT = "127.0.0.1", "203.0.113.9"

SERVERS: dict[str, tuple[tuple[str, ...], dict[str, str | None]]] = {
    # The command; what Django sees of a request that a proxy forwards.
    "gunicorn": ((*WSGI, *TRUST), {"scheme": "https", "address": PROXY}),
    "gunicorn-other": ((*WSGI, *TRUST_OTHER), {"scheme": "http", "address": PROXY}),
    "gunicorn-unix": ((*WSGI, *TRUST_OTHER), {"scheme": "https", "address": ""}),
    "gunicorn-asgi-unix": ((*ASGI, *TRUST_OTHER), {"scheme": "https", "address": None}),
    "gunicorn-asgi": ((*ASGI, *TRUST), {"scheme": "https", "address": PROXY}),
    "uvicorn": ((*UVICORN, *TRUST), {"scheme": "https", "address": CLIENT}),
    "uvicorn-other": ((*UVICORN, *TRUST_OTHER), {"scheme": "http", "address": PROXY}),
    "uvicorn-unix": ((*UVICORN, *TRUST), {"scheme": "http", "address": None}),
    "uvicorn-unix-all": ((*UVICORN, *TRUST_ALL), {"scheme": "https", "address": CLIENT}),
    "daphne": (DAPHNE, {"scheme": "http", "address": PROXY}),
    "daphne-headers": ((*DAPHNE, "--proxy-headers"), {"scheme": "https", "address": CLIENT}),
}


@contextlib.contextmanager
def started(project: Path, name: str, command: tuple[str, ...]) -> Iterator[Any]:
    """The server, and where it listens: a port, or the path of a socket."""
    server, *options = command
    where: Any = str(project / f"{name}.sock") if "unix" in name else free_port()
    if server == "gunicorn":
        options += ["--bind", f"unix:{where}" if "unix" in name else f"127.0.0.1:{where}"]
    elif server == "uvicorn":
        options += ["--uds", where] if "unix" in name else ["--port", str(where)]
    else:
        options += ["--port", str(where)]
    with (project / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", server, *options],
            cwd=project,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield where
    finally:
        process.terminate()
        process.wait(20)


def forwarded(where: Any) -> dict[str, str | None]:
    """What Django sees of a request with the headers of a proxy."""
    connection = http.client.HTTPConnection("127.0.0.1", timeout=10)
    connection.sock = socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET)
    connection.sock.settimeout(10)
    with contextlib.closing(connection):
        connection.sock.connect(where if isinstance(where, str) else ("127.0.0.1", where))
        headers = {"Host": "example.org", "X-Forwarded-Proto": "https", "X-Forwarded-For": CLIENT}
        connection.request("GET", "/", headers=headers)
        seen: dict[str, str | None] = json.loads(connection.getresponse().read())
        return seen


def test_what_servers_do_with_the_headers_of_a_proxy(tmp_path):
    project = make_project(tmp_path, {"app/views.py": SEEN}, settings=PLAIN)
    seen: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        where = {
            name: stack.enter_context(started(project, name, command))
            for name, (command, _) in SERVERS.items()
        }
        deadline = time.monotonic() + 90
        while len(seen) < len(SERVERS) and time.monotonic() < deadline:
            for name in SERVERS.keys() - seen.keys():
                with contextlib.suppress(OSError):
                    seen[name] = forwarded(where[name])
            time.sleep(0.2)
    assert seen == {name: answer for name, (_, answer) in SERVERS.items()}


SCRIPT = """
import json, os, sys
sys.path.insert(0, os.getcwd())
os.environ["DJANGO_SETTINGS_MODULE"] = "site1.settings"
import django
django.setup()
from django.conf import settings
from django.test import Client, override_settings
import logging
logging.disable(logging.CRITICAL)
told = {}

def ask(name, path="/", method="get", settings=None, https=False, **headers):
    headers.setdefault("HTTP_HOST", "example.org")
    try:
        with override_settings(**(settings or {})):
            client = Client(raise_request_exception=True, enforce_csrf_checks=True)
            if method == "post":
                client.get(path, secure=https, HTTP_HOST="example.org", **BY_PROXY)
                token = client.cookies["csrftoken"].value
                answer = client.post(
                    path, {"csrfmiddlewaretoken": token}, secure=https, **headers
                )
            else:
                answer = client.get(path, secure=https, **headers)
        told[name] = [answer.status_code, answer.headers.get("Location")]
        return answer
    except Exception as error:
        told[name] = [type(error).__name__, str(error)]

def header(value):
    return dict(SECURE_PROXY_SSL_HEADER=value)

# Behind a proxy that ends TLS: the header says https, the connection is plain.
BY_PROXY = dict(HTTP_X_FORWARDED_PROTO="https")
FORM = dict(method="post", HTTP_ORIGIN="https://example.org", **BY_PROXY)
NO_REDIRECT = dict(SECURE_SSL_REDIRECT=False)
ask("sound", **BY_PROXY)
for name, value in {
    "none": None,
    "dashes": ("X-Forwarded-Proto", "https"),
    "capitals": ("HTTP_X_FORWARDED_PROTO", "HTTPS"),
    "true": ("HTTP_X_FORWARDED_PROTO", True),
    "string": "HTTP_X_FORWARDED_PROTO",
    "single": ("HTTP_X_FORWARDED_PROTO",),
    "number": 7,
}.items():
    ask("header " + name, settings=header(value), **BY_PROXY)
# The server knows better, and the wrong value overrules it.
capitals = header(("HTTP_X_FORWARDED_PROTO", "HTTPS"))
ask("header overrules", https=True, settings=capitals, **BY_PROXY)
ask("header useless", https=True, settings=header(("X-Forwarded-Proto", "https")), **BY_PROXY)
ask("client chooses", HTTP_X_FORWARDED_PROTO="https")

ask("form", "/form/", **FORM)
bare = dict(**NO_REDIRECT, **header(None), CSRF_TRUSTED_ORIGINS=[])
ask("form without header", "/form/", settings=bare, **FORM)
for origin, sent in {
    "https://example.org": "https://example.org",
    "https://example.org/": "https://example.org",
    "https://Example.org": "https://example.org",
    "https://example.org:443": "https://example.org",
    "https://*": "https://example.org",
    "https://*.org": "https://example.org",
    "http://example.org": "https://example.org",
}.items():
    ask("origin " + origin, "/form/", settings={**bare, "CSRF_TRUSTED_ORIGINS": [origin]}, **FORM)
ask("origin null", "/form/", **{**FORM, "HTTP_ORIGIN": "null"})

for host in ("", "https://example.org", "example.org:443", "example.org/", " example.org",
             "*.example.org", "EXAMPLE.org", ".example.org"):
    ask("host " + host, settings=dict(ALLOWED_HOSTS=[host]), **BY_PROXY)
ask("host ip", settings=dict(ALLOWED_HOSTS=["::1"]), HTTP_HOST="[::1]", **BY_PROXY)
ask("host network", settings=dict(ALLOWED_HOSTS=["10.0.0.0/8"]), HTTP_HOST="10.0.0.1", **BY_PROXY)
ask("host underscore", settings=dict(ALLOWED_HOSTS=["f_g"]), HTTP_HOST="f_g", **BY_PROXY)
ask("host wrong and right", settings=dict(ALLOWED_HOSTS=["https://x", "example.org"]), **BY_PROXY)

for pattern in ("^/form/$", "^form/$", "/form/", "^("):
    ask("exempt " + pattern, "/form/", settings=dict(SECURE_REDIRECT_EXEMPT=[pattern]))
ask("ssl host", settings=dict(SECURE_SSL_HOST="https://example.org"))

for value in ("lacks", True):
    ask(f"samesite {value}", "/login/", settings=dict(SESSION_COOKIE_SAMESITE=value), **BY_PROXY)

from django.urls import reverse, set_script_prefix
from django.contrib.auth.views import redirect_to_login
set_script_prefix("shop")
told["relative"] = reverse("form")
set_script_prefix("/shop/")
told["mounted"] = reverse("form")
told["login"] = redirect_to_login("/x").headers["Location"].partition("?")[0]
set_script_prefix("/")

from rest_framework.throttling import AnonRateThrottle
from django.test import RequestFactory
ident = lambda **headers: AnonRateThrottle.get_ident(None, RequestFactory().get("/", **headers))
told["throttled"] = [ident(HTTP_X_FORWARDED_FOR=f"{i}, 203.0.113.9") for i in (1, 2)]
sys.__stdout__.write("\\n@@" + json.dumps(told))
"""

FORM_VIEW = """
    from django.http import HttpResponse
    from django.middleware.csrf import get_token


    def home(request):
        return HttpResponse("home")


    def form(request):
        return HttpResponse(get_token(request))


    def login(request):
        request.session["user"] = 1
        return HttpResponse("in")
    """
FORM_URLS = """
    from django.urls import path

    from app import views

    urlpatterns = [
        path("", views.home),
        path("form/", views.form, name="form"),
        path("login/", views.login),
    ]
    """


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Django answered to everything that the script asked."""
    project = make_project(
        tmp_path_factory.mktemp("claims"),
        {"app/views.py": FORM_VIEW, "site1/urls.py": FORM_URLS},
        settings='SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"\n',
    )
    done = run_python("-W", "ignore", "-c", SCRIPT, cwd=project)
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout.rsplit("\n@@", 1)[1])
    return answers


LOOP = [301, "https://example.org/"]


def test_django_redirects_for_ever_where_it_is_not_told_the_scheme(told):
    assert told["sound"] == [200, None]
    for name in ("none", "dashes", "capitals", "true"):
        assert told[f"header {name}"] == LOOP, name
    for name in ("string", "single"):
        assert told[f"header {name}"][0] == "ImproperlyConfigured", name
    assert told["header number"][0] == "TypeError"


def test_a_header_that_never_fits_overrules_the_server_and_one_never_found_does_not(told):
    assert told["header overrules"] == LOOP
    assert told["header useless"] == [200, None]
    assert told["client chooses"] == [200, None]


def test_forms_are_refused_where_origins_do_not_match(told):
    assert told["form"][0] == 200
    assert told["form without header"][0] == 403
    refused = {
        name for name, answer in told.items() if name.startswith("origin") and answer[0] == 403
    }
    assert refused == {
        "origin https://example.org/",
        "origin https://Example.org",
        "origin https://example.org:443",
        "origin https://*",
        "origin http://example.org",
        "origin null",
    }


def test_entries_of_allowed_hosts_that_match_nothing(told):
    hosts = {
        name.removeprefix("host "): answer[0]
        for name, answer in told.items()
        if name.startswith("host ")
    }
    assert {host for host, status in hosts.items() if status == 200} == {
        "EXAMPLE.org",
        ".example.org",
        "wrong and right",
    }
    assert set(hosts.values()) == {200, 400}


def test_patterns_are_compared_with_the_path_without_its_first_slash(told):
    assert told["exempt ^form/$"][0] == 200
    assert told["exempt ^/form/$"][0] == told["exempt /form/"][0] == 301
    assert "PatternError" in told["exempt ^("][0] or told["exempt ^("][0] == "error"
    assert told["ssl host"] == [301, "https://https://example.org/"]


def test_a_samesite_that_django_does_not_know_raises(told):
    assert told["samesite lacks"][0] == "ValueError"
    assert told["samesite True"][0] == "AttributeError"


def test_the_mount_point_stands_before_what_is_reversed_alone(told):
    assert told["relative"] == "shop/form/"
    assert told["mounted"] == "/shop/form/"
    assert told["login"] == "/accounts/login/"


def test_a_client_chooses_who_it_is_throttled_as(told):
    one, two = told["throttled"]
    assert one != two


def test_a_client_keeps_no_secure_cookie_of_plain_http_and_none_of_another_domain():
    """As Python's own client has it; browsers do the same (RFC 6265)."""
    import email
    import urllib.request
    from http.cookiejar import CookieJar

    def kept(url: str, cookie: str) -> bool:
        jar = CookieJar()
        request = urllib.request.Request(url)
        message = email.message_from_string(f"Set-Cookie: {cookie}\n\n")

        class Response:
            def info(self) -> Any:
                return message

        jar.extract_cookies(Response(), request)  # type: ignore[arg-type]
        again = urllib.request.Request(url)
        jar.add_cookie_header(again)
        return again.has_header("Cookie")

    assert kept("https://example.org/", "sessionid=1; Secure")
    assert not kept("http://example.org/", "sessionid=1; Secure")
    assert kept("http://www.example.org/", "sessionid=1; Domain=example.org")
    assert not kept("http://www.example.org/", "sessionid=1; Domain=example.com")
    assert kept("http://example.org/shop/", "sessionid=1; Path=/shop")
    assert not kept("http://example.org/shop/", "sessionid=1; Path=/store")
