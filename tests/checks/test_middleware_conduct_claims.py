"""What the checks of responses and state claim of Django, shown with Django's own handlers."""

from __future__ import annotations

import asyncio
import gzip

import django
import pytest
from django.core.cache import cache
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import path
from django.utils import translation

from deploytool.checks.middleware_order import REMOTE_USER
from tests.checks import middleware_zoo, remote_users
from tests.checks.test_middleware_conduct import (
    CONDITIONAL,
    EVERY,
    FETCH,
    GZIP,
    LOCALE,
    SESSION,
    STREAMS,
    UPDATE,
)
from tests.checks.zoo import MIDDLEWARE, driven, in_zoo


@pytest.mark.parametrize("interface", ["asgi", "wsgi"])
def test_streams_break_exactly_where_a_finding_says_so(interface):
    targets = EVERY if interface == "asgi" else EVERY[1:]
    asked = [(name, target) for name in STREAMS for target in targets]
    told = driven(
        interface,
        [
            {
                "middleware": [in_zoo(name), *MIDDLEWARE],
                "path": target,
                "headers": STREAMS[name].headers,
            }
            for name, target in asked
        ],
    )
    # A status, or what was raised while the body was sent.
    broken = {
        each for each, got in zip(asked, told, strict=True) if isinstance(got, str) or got[0] == 500
    }
    wanted = {each for each in asked if each[1] in STREAMS[each[0]].breaks}
    assert broken == wanted


def test_content_changed_after_it_was_measured_or_compressed():
    accepts = {"Accept-Encoding": "gzip"}
    told = driven(
        "wsgi",
        [
            {"middleware": [in_zoo("Banner"), *MIDDLEWARE]},
            {"middleware": [in_zoo("BannerMeasured"), *MIDDLEWARE]},
            {"middleware": [in_zoo("Banner"), GZIP], "path": "/long/", "headers": accepts},
            {"middleware": [in_zoo("BannerMeasured"), GZIP], "path": "/long/", "headers": accepts},
            {"middleware": [GZIP, in_zoo("Banner")], "path": "/long/", "headers": accepts},
        ],
    )
    (_, banner, headers), (_, measured, right) = told[:2]
    assert int(headers["content-length"]) == len(banner) - len("<p>banner</p>")
    assert int(right["content-length"]) == len(measured)
    broken, left_alone, below = (body.encode("latin-1") for _, body, _ in told[2:])
    with pytest.raises(gzip.BadGzipFile):
        gzip.decompress(broken)
    assert b"banner" not in gzip.decompress(left_alone)
    assert gzip.decompress(below).endswith(b"<p>banner</p>")


# State


def _kept(name):
    if name == "InThreadLocalOnLoop":
        return getattr(middleware_zoo._local, "agent", None)
    if name == "in_global":
        return middleware_zoo._current.headers["User-Agent"]
    return middleware_zoo._user.get(None)


async def kept(request, name):
    """What is kept of the request once another one has come as well."""
    arrived.append(request)
    for _ in range(1000):
        if len(arrived) == 2:
            break
        await asyncio.sleep(0.01)
    return HttpResponse(_kept(name))


arrived: list[object] = []


def visit(request):
    return HttpResponse(request.session.setdefault("name", request.headers["X-Name"]))


def language(request):
    return HttpResponse(request.LANGUAGE_CODE)


def long(request):
    return HttpResponse("long enough to compress " * 20)


def mine(request):
    return HttpResponse(getattr(middleware_zoo._local, "agent", "nothing"))


async def amine(request):
    return mine(request)


def asked(request):
    return HttpResponse(getattr(request, "asked", "nobody"))


urlpatterns = [
    path("asked/", asked),
    path("kept/<name>/", kept),
    path("visit/", visit),
    path("language/", language),
    path("long/", long),
    path("mine/", mine),
    path("amine/", amine),
]
SETTINGS = {
    "ALLOWED_HOSTS": ["*"],
    "CACHES": {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    "LANGUAGES": [("en", "English"), ("de", "German")],
    "ROOT_URLCONF": __name__,
    "SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies",
}


async def ask(handler, target, agent, headers=()):
    """The body of an ASGI request."""
    sent = []
    messages = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive():
        message = next(messages, None)
        if message is None:
            await asyncio.sleep(60)  # the client stays
        return message

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": target,
        "query_string": b"",
        "headers": [(b"host", b"testserver"), (b"user-agent", agent.encode()), *headers],
        "server": ("testserver", 80),
    }
    await handler(scope, receive, send)
    return b"".join(each.get("body", b"") for each in sent).decode()


@pytest.mark.parametrize("name", ["InThreadLocalOnLoop", "in_global", "OnRequest"])
def test_a_second_request_overwrites_what_is_kept_of_the_first(name):
    arrived.clear()
    with override_settings(**SETTINGS, MIDDLEWARE=[in_zoo(name)]):

        async def both():
            handler = ASGIHandler()
            return await asyncio.gather(
                *(ask(handler, f"/kept/{name}/", agent) for agent in ("first", "second"))
            )

        got = asyncio.run(both())
    if name == "OnRequest":
        assert got == ["first", "second"]
    else:
        assert got[0] == got[1]


def test_a_thread_local_of_a_hook_is_not_there_for_an_async_view():
    with override_settings(**SETTINGS, MIDDLEWARE=[in_zoo("InThreadLocal")]):
        middleware_zoo._local.__dict__.clear()

        async def each():
            handler = ASGIHandler()
            return [await ask(handler, target, "me") for target in ("/mine/", "/amine/")]

        assert asyncio.run(each()) == ["me", "nothing"]


# The cache


def cached(*middleware):
    return override_settings(**SETTINGS, MIDDLEWARE=middleware)


@pytest.fixture(autouse=True)
def _empty_cache():
    yield
    with override_settings(**SETTINGS):
        cache.clear()


@pytest.mark.parametrize(
    ("middleware", "second"),
    [((SESSION, UPDATE, FETCH), b"Ann"), ((UPDATE, SESSION, FETCH), b"Bob")],
)
def test_a_page_is_stored_before_it_is_known_to_be_somebodys(middleware, second):
    with cached(*middleware):
        assert Client().get("/visit/", headers={"X-Name": "Ann"}).content == b"Ann"
        assert Client().get("/visit/", headers={"X-Name": "Bob"}).content == second


@pytest.mark.parametrize(
    ("middleware", "second"),
    [((UPDATE, FETCH, LOCALE), b"de"), ((UPDATE, LOCALE, FETCH), b"en")],
)
def test_a_page_is_looked_for_before_the_language_is_known(middleware, second):
    told = []
    with cached(*middleware), translation.override(None):
        for chosen in ("de", "en"):
            client = Client()
            client.cookies["django_language"] = chosen
            told.append(client.get("/language/").content)
    assert told == [b"de", second]


@pytest.mark.parametrize(
    ("middleware", "status"), [((CONDITIONAL, GZIP), 200), ((GZIP, CONDITIONAL), 304)]
)
def test_an_etag_of_what_is_compressed_never_matches(middleware, status):
    with cached(*middleware):
        headers = {"Accept-Encoding": "gzip"}
        etag = Client().get("/long/", headers=headers)["ETag"]
        again = Client().get("/long/", headers={**headers, "If-None-Match": etag})
    assert again.status_code == status


# RemoteUserMiddleware

# The class, and who is signed in where a client or proxy sends x-remote-user and remote-user,
# through WSGI and through ASGI: as Django 6.1 has it, and as those before.
REMOTE = {
    REMOTE_USER: ("nobody", "Eve", "Eve"),
    f"{remote_users.__name__}.Prefixed": ("Ann", "Ann", "nobody"),
    f"{remote_users.__name__}.Unprefixed": ("nobody", "nobody", "Ann"),
    f"{remote_users.__name__}.OwnBoth": ("own", "own", "own"),
    f"{remote_users.__name__}.OwnSync": ("own", "Eve", "own"),
}


@pytest.mark.filterwarnings("ignore:Support for subclasses of RemoteUserMiddleware")
@pytest.mark.parametrize("name", REMOTE)
def test_headers_that_remote_user_middleware_finds(name):
    wsgi, *both = REMOTE[name]
    middleware = [SESSION, "django.contrib.auth.middleware.AuthenticationMiddleware", name]
    backends = [f"{remote_users.__name__}.Asks"]
    with override_settings(**SETTINGS, MIDDLEWARE=middleware, AUTHENTICATION_BACKENDS=backends):
        headers = {"X-Remote-User": "Ann", "Remote-User": "Eve"}
        assert Client().get("/asked/", headers=headers).content.decode() == wsgi
        raw = [(key.lower().encode(), value.encode()) for key, value in headers.items()]
        got = asyncio.run(ask(ASGIHandler(), "/asked/", "me", raw))
    assert got == both[django.VERSION < (6, 1)]
