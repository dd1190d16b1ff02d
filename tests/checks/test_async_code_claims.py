"""What the rules about coroutines claim of Django, shown to happen with its own handlers."""

from __future__ import annotations

import json

import pytest

from tests.support import run_python

SCRIPT = '''
import asyncio
import functools
import json
import logging
import os
import tempfile
import time
import warnings

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="x" * 50,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.path.join(tempfile.mkdtemp(), "db"),
        }
    },
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [
                    (
                        "django.template.loaders.locmem.Loader",
                        {"uses": "{% for item in items %}{{ item }}{% endfor %}", "not": "-"},
                    )
                ]
            },
        }
    ],
    LOGGING_CONFIG=None,
)
django.setup()
from asgiref.sync import async_to_sync
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.db import connection, transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.template.response import TemplateResponse
from django.test import AsyncClient, Client
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import cache_page, never_cache

warnings.simplefilter("ignore")
call_command("migrate", verbosity=0)
User.objects.create_user("somebody", password="p")
views = {}


def view(does, name=None):
    """An async view that awaits or calls what ``does`` is."""

    async def answer(request):
        result = does(request)
        if asyncio.iscoroutine(result):
            await result
        return HttpResponse("ok")

    views[name or does.__name__] = answer
    return does


@view
def get(request):
    User.objects.get(username="somebody")


@view
def only_described(request):
    User.objects.filter(username="x").order_by("pk")[:5].iterator()


@view
def none(request):
    list(User.objects.none())


@view
def iterated(request):
    for user in User.objects.all():
        pass


@view
def tested(request):
    bool(User.objects.all())


@view
def indexed(request):
    User.objects.all()[0]


@view
def contains(request):
    None in User.objects.all()


@view
async def relation(request):
    (await Permission.objects.afirst()).content_type


@view
async def joined(request):
    (await Permission.objects.select_related("content_type").afirst()).content_type


@view
async def saved(request):
    (await User.objects.afirst()).save()


@view
async def added(request):
    (await User.objects.afirst()).groups.add(1)


@view
async def permission(request):
    (await User.objects.afirst()).has_perm("app.view")


@view
async def loaded_before(request):
    users = User.objects.all()
    async for user in users:
        pass
    for user in users:
        pass


@view
def shortcut(request):
    get_object_or_404(User, pk=1)


@view
async def signs_in(request):
    login(request, await User.objects.afirst())


@view
def cursor(request):
    connection.cursor()


@view
def atomic(request):
    with transaction.atomic():
        pass


@view
def on_commit(request):
    transaction.on_commit(list)


@view
def user(request):
    request.user.is_authenticated


@view
async def user_after_auser(request):
    await request.auser()
    request.user.is_authenticated


@view
def session(request):
    request.session.get("cart")


@view
async def session_after_auser(request):
    await request.auser()
    request.session["cart"] = 1


@view
def adapter(request):
    async_to_sync(asyncio.sleep)(0)


@view
def runs(request):
    coroutine = asyncio.sleep(0)
    try:
        asyncio.run(coroutine)
    finally:
        coroutine.close()


@view
def template(request):
    render(request, "uses", {"items": User.objects.all()})


@view
def template_without(request):
    render(request, "not", {"items": User.objects.all()})


async def template_response(request):
    return TemplateResponse(request, "uses", {"items": User.objects.all()})


async def plain(request):
    return HttpResponse("ok")


def sync_decorator(view):
    @functools.wraps(view)
    def inner(request):
        return view(request)

    return inner


async def returned(request):
    return plain(request)


class Members(LoginRequiredMixin, View):
    async def get(self, request):
        return HttpResponse("ok")


class Plain(View):
    async def get(self, request):
        return HttpResponse("ok")


@method_decorator(never_cache, name="dispatch")
class Fresh(View):
    async def get(self, request):
        return HttpResponse("ok")


@method_decorator(login_required, name="dispatch")
class Dispatched(View):
    async def get(self, request):
        return HttpResponse("ok")


@method_decorator(login_required, name="get")
class Decorated(View):
    async def get(self, request):
        return HttpResponse("ok")


views |= {
    "template_response": template_response,
    "sync_decorator": sync_decorator(plain),
    "atomic_decorator": transaction.atomic(plain),
    "lambda": lambda request: plain(request),
    "adapted": async_to_sync(plain),
    "cache_page": cache_page(5)(plain),
    "returned": returned,
    "members": Members.as_view(),
    "members_decorated": login_required(Plain.as_view()),
    "fresh": Fresh.as_view(),
    "dispatched": Dispatched.as_view(),
    "decorated": Decorated.as_view(),
}
urlpatterns = [path(name, each) for name, each in views.items()]


class Last(logging.Handler):
    error = ""

    def emit(self, record):
        if record.exc_info:
            self.error = f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}"


last = Last()
logging.getLogger("django.request").addHandler(last)
logging.getLogger("django").propagate = False
known = Client(raise_request_exception=False)
known.force_login(User.objects.first())
key = known.cookies["sessionid"].value


def asked(name, interface, signed_in):
    last.error = ""
    if interface == "wsgi":
        client = known if signed_in else Client(raise_request_exception=False)
        return client.get("/" + name).status_code, last.error
    client = AsyncClient(raise_request_exception=False)
    if signed_in:
        client.cookies["sessionid"] = key
    return asyncio.run(client.get("/" + name)).status_code, last.error


answer = {
    f"{name} {interface} {who}": asked(name, interface, who == "member")
    for name in views
    for interface in ("asgi", "wsgi")
    for who in ("visitor", "member")
}


async def sleeping():
    time.sleep(0.2)


async def four():
    started = time.monotonic()
    await asyncio.gather(*(sleeping() for _ in range(4)))
    return time.monotonic() - started


answer["four"] = asyncio.run(four())


class Mixed(View):
    def get(self, request): ...

    async def post(self, request): ...


try:
    Mixed.as_view()
except Exception as error:
    answer["mixed"] = f"{type(error).__name__}: {error}"
user = User.objects.get()


async def dropping():
    user.first_name = "new"
    user.asave()


asyncio.run(dropping())
answer["dropped"] = User.objects.filter(first_name="new").count()
print("@@" + json.dumps(answer))
'''


@pytest.fixture(scope="module")
def answer():
    done = run_python("-c", SCRIPT, timeout=90)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.rpartition("@@")[2])


ALL = [f"{interface} {who}" for interface in ("asgi", "wsgi") for who in ("visitor", "member")]
MEMBERS = ["asgi member", "wsgi member"]
REFUSED = "SynchronousOnlyOperation: You cannot call this from an async context"


@pytest.mark.parametrize(
    "name",
    [
        *("get", "iterated", "tested", "indexed", "contains", "relation", "saved", "added"),
        *("permission", "shortcut", "signs_in", "cursor", "atomic", "on_commit", "template"),
    ],
)
def test_it_is_refused_for_everybody_under_both_interfaces(answer, name):
    for how in ALL:
        status, error = answer[f"{name} {how}"]
        assert status == 500
        assert error.startswith(REFUSED)


@pytest.mark.parametrize(
    "name",
    [
        *("only_described", "none", "joined", "loaded_before", "template_without"),
        *("template_response", "adapted", "cache_page", "session_after_auser"),
    ],
)
def test_it_is_answered_under_both_interfaces(answer, name):
    assert [answer[f"{name} {how}"][0] for how in ALL] == [200] * 4


@pytest.mark.parametrize("name", ["user", "user_after_auser", "session"])
def test_the_user_and_the_session_are_refused_to_who_is_signed_in(answer, name):
    assert [answer[f"{name} {how}"][0] for how in MEMBERS] == [500, 500]
    assert answer[f"{name} asgi member"][1].startswith(REFUSED)
    assert answer[f"{name} asgi visitor"][0] == 200


def test_a_loop_within_a_loop_is_refused(answer):
    for how in ALL:
        adapter, run = answer[f"adapter {how}"], answer[f"runs {how}"]
        assert adapter[0] == run[0] == 500
        assert "You cannot use AsyncToSync in the same thread" in adapter[1]
        assert "asyncio.run() cannot be called from a running event loop" in run[1]


@pytest.mark.parametrize("name", ["sync_decorator", "atomic_decorator", "lambda", "returned"])
def test_a_coroutine_is_no_response(answer, name):
    for how in ALL:
        status, error = answer[f"{name} {how}"]
        assert status == 500
        assert "It returned an unawaited coroutine instead" in error


def test_a_decorator_of_dispatch_gets_a_coroutine(answer):
    for how in ALL:
        assert answer[f"fresh {how}"][0] == 500
        assert "'coroutine' object has no attribute 'has_header'" in answer[f"fresh {how}"][1]
    assert answer["dispatched asgi member"][0] == 500


def test_an_access_mixin_fails_on_the_loop_and_its_redirect_everywhere(answer):
    assert answer["members asgi member"][1].startswith(REFUSED)
    assert answer["members wsgi member"][0] == 200
    for how in ("asgi visitor", "wsgi visitor"):
        status, error = answer[f"members {how}"]
        assert status == 500
        assert "HttpResponseRedirect" in error
        assert answer[f"members_decorated {how}"][0] == 302
    assert [answer[f"members_decorated {how}"][0] for how in MEMBERS] == [200, 200]
    assert [answer[f"decorated {how}"][0] for how in MEMBERS] == [200, 200]


def test_a_blocking_call_holds_up_all_others(answer):
    assert answer["four"] >= 4 * 0.2


def test_a_dropped_coroutine_does_nothing(answer):
    assert answer["dropped"] == 0


def test_a_class_of_both_colours_is_refused(answer):
    assert answer["mixed"].startswith(
        "ImproperlyConfigured: Mixed HTTP handlers must either be all"
    )
