"""The hops that are counted from facts are those that the handlers make.

Django's own handlers and deploytool's are driven with every call of asgiref's two bridges
counted. ``DEPLOYTOOL_EXAMPLES=5000 pytest tests/plan/test_hops.py`` looks for longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import re
import sys
import threading
import types
from pathlib import Path
from typing import Any

import django
import pytest
from asgiref.sync import AsyncToSync, SyncToAsync, iscoroutinefunction, markcoroutinefunction
from django.conf import settings as django_settings
from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.core import signals
from django.core.handlers.asgi import ASGIHandler as DjangoHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test import override_settings
from django.urls import clear_url_caches, path, set_urlconf
from django.utils.decorators import (
    async_only_middleware,
    sync_and_async_middleware,
    sync_only_middleware,
)
from django.utils.deprecation import MiddlewareMixin
from django.views.decorators.csrf import csrf_exempt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploytool.handlers.asgi import ASGIHandler
from deploytool.handlers.options import Options
from deploytool.plan import Options as PlanOptions
from deploytool.plan import make_plan
from deploytool.plan.hops import count_hops
from deploytool.project.facts import Failure, Middleware
from deploytool.project.middleware import inspect_middleware
from deploytool.project.receivers import inspect_receivers
from deploytool.reports.hops import report
from tests.plan.build import OURS_ASGI, project

EXAMPLES = int(os.environ.get("DEPLOYTOOL_EXAMPLES", "150"))
MODULE = "tests_hops_project"

DEFAULT = (
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
)

APPS = (
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.sites",
    "django.contrib.redirects",
    "django.contrib.flatpages",
    "django.contrib.admindocs",
)


# Counting


@contextlib.contextmanager
def hops_counted():
    """A list that grows by one with each hop of any thread."""
    made: list[object] = []
    out, back = SyncToAsync.__call__, AsyncToSync.__call__

    async def counted_out(self, *args, **kwargs):
        made.append(self.func)
        return await out(self, *args, **kwargs)

    def counted_back(self, *args, **kwargs):
        made.append(self.awaitable)
        return back(self, *args, **kwargs)

    SyncToAsync.__call__, AsyncToSync.__call__ = counted_out, counted_back
    try:
        yield made
    finally:
        SyncToAsync.__call__, AsyncToSync.__call__ = out, back


def in_a_thread(function):
    """Call ``function`` in a thread that has no database connection, as a server's loop."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(function()))
    thread.start()
    thread.join()
    [answer] = answers
    return answer


BOUNDARY = "frontier"
UPLOAD = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
    f"\r\nhello\r\n--{BOUNDARY}--\r\n"
).encode()


def asgi_hops(make: Any, view: str, *, upload: bool = False) -> int:
    """The hops of one request over the ASGI interface to a new handler."""

    async def request() -> int:
        handler = make()
        headers = [(b"host", b"testserver"), (b"accept-encoding", b"gzip")]
        if upload:
            kind = f"multipart/form-data; boundary={BOUNDARY}".encode()
            headers += [
                (b"content-type", kind),
                (b"content-length", str(len(UPLOAD)).encode()),
            ]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST" if upload else "GET",
            "scheme": "http",
            "path": f"/{view}/",
            "raw_path": f"/{view}/".encode(),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 5000),
            "server": ("127.0.0.1", 80),
        }
        body = [{"type": "http.request", "body": UPLOAD if upload else b""}]
        sent: list[Any] = []

        async def receive() -> Any:
            return body.pop() if body else await asyncio.Future()

        async def send(message: Any) -> None:
            sent.append(message)

        with hops_counted() as made:
            await handler(scope, receive, send)
        assert sent[0]["status"] == 200, sent
        return len(made)

    return in_a_thread(lambda: asyncio.run(request()))


def wsgi_hops(view: str) -> int:
    """The hops of one request over the WSGI interface."""

    def request() -> int:
        handler = WSGIHandler()
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": f"/{view}/",
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "HTTP_ACCEPT_ENCODING": "gzip",
            "wsgi.input": io.BytesIO(),
            "wsgi.url_scheme": "http",
        }
        statuses: list[str] = []
        with hops_counted() as made:
            response = handler(environ, lambda status, headers: statuses.append(status))
            b"".join(response)
            response.close()
        assert statuses == ["200 OK"]
        return len(made)

    return in_a_thread(request)


# The project


def _page(request: Any) -> HttpResponse:
    assert request.method == "GET" or request.FILES
    return HttpResponse(b"x" * 4096)


@csrf_exempt
@login_not_required
def sync_view(request):
    return _page(request)


@csrf_exempt
@login_not_required
async def async_view(request):
    return _page(request)


@contextlib.contextmanager
def a_project(middleware: tuple[Any, ...], **changes: Any):
    """The settings of a project with ``middleware``: dotted paths and factories."""
    module: Any = types.ModuleType(MODULE)
    module.urlpatterns = [path("sync/", sync_view), path("async/", async_view)]
    paths = []
    for number, each in enumerate(middleware):
        if isinstance(each, str):
            paths.append(each)
        else:
            setattr(module, f"middleware{number}", each)
            paths.append(f"{MODULE}.middleware{number}")
    sys.modules[MODULE] = module
    apps = list(dict.fromkeys((*django_settings.INSTALLED_APPS, *APPS)))
    stated = {"INSTALLED_APPS": apps, "SITE_ID": 1, "ALLOWED_HOSTS": ["testserver"]}
    stated |= {"MIDDLEWARE": paths, "ROOT_URLCONF": MODULE, "DEBUG": False, "DEPLOYTOOL": {}}
    stated |= {
        "CACHES": {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}},
        "SESSION_ENGINE": "django.contrib.sessions.backends.db",
        "SECURE_SSL_REDIRECT": False,
    }
    registered = dict(admin.site._registry)
    try:
        with override_settings(**{**stated, **changes}):
            clear_url_caches()
            yield
    finally:
        # The apps that were added here have registered their models with the admin.
        admin.site._registry = registered
        sys.modules.pop(MODULE, None)
        clear_url_caches()
        set_urlconf(None)


def facts(off: tuple[Any, ...] = ()) -> Any:
    """What deploytool knows of the project."""
    return project(
        asgi=OURS_ASGI,
        middleware=inspect_middleware(os.getcwd()),
        receivers=inspect_receivers(),
        conf={"asgi_handler_off": off},
    )


def check_django(made: Any) -> None:
    """Both interfaces with Django's handlers; the parts add up to the whole."""
    counted = count_hops(made, "asgi")
    assert counted.django is not None
    assert counted.django.async_view == asgi_hops(DjangoHandler, "async")
    assert counted.django.sync_view == asgi_hops(DjangoHandler, "sync")
    parts = sum(each.django for each in counted.middleware)
    assert counted.django.async_view == counted.django.started + parts + counted.django.finished
    counted = count_hops(made, "wsgi")
    assert counted.django is not None
    assert counted.django.async_view == wsgi_hops("async")
    assert counted.django.sync_view == wsgi_hops("sync")


def check_ours(made: Any, off: tuple[Any, ...] = ()) -> None:
    counted = count_hops(made, "asgi")
    assert counted.ordinary is not None
    assert counted.most is not None
    for total, parts in (
        (counted.ordinary, [each.ordinary for each in counted.middleware]),
        (counted.most, [each.most for each in counted.middleware]),
    ):
        assert total.async_view == total.started + sum(parts) + total.finished

    def ours() -> ASGIHandler:
        return ASGIHandler(Options(off=frozenset(off)))

    assert counted.ordinary.async_view == asgi_hops(ours, "async")
    assert counted.ordinary.sync_view == asgi_hops(ours, "sync")
    if "coalescing" in off:
        return

    def at_worst() -> ASGIHandler:
        return ASGIHandler(Options(off=frozenset({*off, "event-loop-hooks"})))

    assert counted.most.async_view == asgi_hops(at_worst, "async", upload=True)
    assert counted.most.sync_view == asgi_hops(at_worst, "sync", upload=True)


# What is known beforehand


def test_no_middleware_is_two_hops_and_three():
    with a_project(()):
        made = facts()
        counted = count_hops(made, "asgi")
        assert (counted.django.async_view, counted.django.sync_view) == (2, 3)
        assert (counted.ordinary.async_view, counted.ordinary.sync_view) == (0, 1)
        check_django(made)
        check_ours(made)


def test_the_middleware_of_a_new_project_are_fifteen_and_sixteen():
    with a_project(DEFAULT):
        made = facts()
        counted = count_hops(made, "asgi")
        assert (counted.django.async_view, counted.django.sync_view) == (15, 16)
        assert (counted.ordinary.async_view, counted.ordinary.sync_view) == (0, 1)
        assert (counted.most.async_view, counted.most.sync_view) == (3, 2)
        assert [each.django for each in counted.middleware] == [2, 2, 2, 3, 1, 2, 1]
        check_django(made)
        check_ours(made)


COOKIES = {"SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies"}
SAVED = {"SESSION_SAVE_EVERY_REQUEST": True, **COOKIES}


@pytest.mark.parametrize(
    ("changes", "ordinary"),
    [
        ({"CSRF_USE_SESSIONS": True}, (2, 1)),
        (SAVED, (1, 1)),
        ({"SESSION_ENGINE": "django.contrib.sessions.backends.file"}, (2, 1)),
        (COOKIES, (0, 1)),
        ({"SESSION_ENGINE": "django.contrib.sessions.backends.cache"}, (0, 1)),
    ],
)
def test_settings_decide_what_an_ordinary_request_needs(changes, ordinary):
    with a_project(DEFAULT, **changes):
        made = facts()
        counted = count_hops(made, "asgi").ordinary
        assert (counted.async_view, counted.sync_view) == ordinary
        check_ours(made)


def test_a_chain_that_cannot_be_loaded_is_not_counted():
    broken = Middleware("gone.Gone", "settings.MIDDLEWARE[1]", error=Failure("ImportError", "no"))
    unable = Middleware("un.Able", "settings.MIDDLEWARE[0]", sync_capable=False)
    for each in (broken, unable):
        counted = count_hops(project(middleware=(each,)), "asgi")
        assert counted.django is None
        assert counted.error.startswith(each.setting)


def test_what_is_said_of_it():
    with a_project((_sync, *DEFAULT, "django.middleware.locale.LocaleMiddleware")):
        made = facts()
        lines = report(made, make_plan(made, PlanOptions(interface="asgi"))).splitlines()
        assert lines[1].endswith("deploytool's serves now.")
        said = {
            line.split()[0].rpartition(".")[2]: re.split(" {2,}", line) for line in lines if line
        }
        assert said["XFrameOptionsMiddleware"][-1] == "on the event loop"
        assert said["LocaleMiddleware"][-1] == (
            "on the event loop: any status but 404; process_request in the thread, with its "
            "neighbours"
        )
        assert said["middleware0"][-1] == "as Django does"
        assert "sync, function, adapted" in said["middleware0"]
        assert lines[-1] == "What a middleware does in a call of its own is not counted."
        wsgi = report(made, make_plan(made, PlanOptions(interface="wsgi")))
        assert wsgi.startswith("A WSGI request stays in its thread.")
    broken = Middleware("gone.Gone", "settings.MIDDLEWARE[1]", error=Failure("ImportError", "no"))
    made = project(middleware=(broken,))
    assert report(made, make_plan(made)).startswith("The hops cannot be counted. settings.MIDD")


# Every middleware of Django's


def shipped() -> list[str]:
    """Every middleware class in the packages of this Django, most of which need their app."""
    root = Path(django.__file__).parent
    files = [*root.glob("middleware/*.py"), *root.glob("contrib/*/middleware.py")]
    return sorted(
        f"{'.'.join(file.relative_to(root.parent).with_suffix('').parts)}.{name}"
        for file in files
        for name in re.findall(r"(?m)^class (\w+Middleware)\b", file.read_text("utf-8"))
    )


@pytest.fixture
def a_site():
    """The current site without a database."""
    with a_project(()):
        from django.contrib.sites.models import SITE_CACHE, Site

        SITE_CACHE[1] = Site(pk=1, domain="testserver", name="testserver")
        yield
        SITE_CACHE.clear()


@pytest.mark.parametrize("name", shipped())
def test_every_middleware_that_django_ships(name, a_site):
    chain = tuple(dict.fromkeys((*DEFAULT, name)))
    with a_project(chain):
        made = facts()
        check_django(made)
        check_ours(made)


def test_all_of_them_at_once(a_site):
    with a_project(tuple(dict.fromkeys((*DEFAULT, *shipped())))):
        made = facts()
        assert len(made.middleware) >= 20
        check_django(made)
        check_ours(made)


# Random chains


def _hook(name: str, asynchronous: bool) -> Any:
    def process_request(self, request):
        return None

    def process_view(self, request, *args):
        return None

    async def aprocess_view(self, request, *args):
        return None

    def process_response(self, request, response):
        return response

    def process_exception(self, request, error):
        return None

    def process_template_response(self, request, response):
        return response

    return locals()["aprocess_view" if asynchronous and name == "process_view" else name]


HOOKS = (
    "process_request",
    "process_view",
    "process_response",
    "process_exception",
    "process_template_response",
)
AROUND_VIEW = HOOKS[1:2] + HOOKS[3:]


def _sync(get_response):
    def call(request):
        return get_response(request)

    return call


def _async(get_response):
    async def call(request):
        return await get_response(request)

    return call


def _dual(get_response):
    return (_async if iscoroutinefunction(get_response) else _sync)(get_response)


def mixin(hooks, flags, asynchronous):
    capable = dict(zip(("sync_capable", "async_capable"), flags, strict=True))
    return type(
        "Mixin", (MiddlewareMixin,), {**{h: _hook(h, asynchronous) for h in hooks}, **capable}
    )


def native(hooks, flags, asynchronous):
    class Native:
        sync_capable, async_capable = flags

        def __init__(self, get_response):
            self._call = _dual(get_response)
            if iscoroutinefunction(get_response):
                markcoroutinefunction(self)

        def __call__(self, request):
            return self._call(request)

    for name in hooks:
        if name in AROUND_VIEW:
            setattr(Native, name, _hook(name, asynchronous))
    return Native


flags = st.sampled_from(((True, True), (True, True), (True, False), (False, True)))
hooks = st.sets(st.sampled_from(HOOKS)).map(sorted)
entries = st.one_of(
    st.sampled_from(DEFAULT[:1] + DEFAULT[2:4] + DEFAULT[6:]),
    st.builds(mixin, hooks, st.just((True, True)), st.booleans()),
    st.builds(mixin, hooks, flags, st.booleans()),
    st.builds(native, hooks, flags, st.booleans()),
    st.sampled_from(
        (
            sync_only_middleware(_sync),
            async_only_middleware(_async),
            sync_and_async_middleware(_dual),
        )
    ),
)
offs = st.sampled_from(
    (
        *((),) * 4,
        ("coalescing",),
        ("event-loop-hooks",),
        ("leased-threads",),
        ("coalescing", "event-loop-hooks"),
    )
)


def _sync_receiver(**_: object) -> None:
    pass


async def _async_receiver(**_: object) -> None:
    pass


receivers = st.sets(
    st.sampled_from(
        [
            (signal, receiver)
            for signal in (signals.request_started, signals.request_finished)
            for receiver in (_sync_receiver, _async_receiver)
        ]
    )
)


@settings(
    max_examples=EXAMPLES,
    derandomize="DEPLOYTOOL_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    chain=st.lists(entries, max_size=6).map(tuple),
    off=offs,
    heard=st.one_of(st.just(set()), receivers),
)
def test_random_chains(chain, off, heard):
    for signal, receiver in heard:
        signal.connect(receiver)
    try:
        with a_project(chain):
            made = facts(off)
            check_django(made)
            check_ours(made, off)
    finally:
        for signal, receiver in heard:
            signal.disconnect(receiver)
