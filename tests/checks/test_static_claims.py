"""What the checks about static files and uploads claim of Django and WhiteNoise."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.checks.project import make_project
from tests.checks.test_static import ASSET, MODEL, SERVED
from tests.support import manage, run_python

if TYPE_CHECKING:
    from pathlib import Path

URLS = """
    from django.conf import settings
    from django.conf.urls.static import static
    from django.contrib.staticfiles.views import serve as assets
    from django.urls import path, re_path
    from django.views.static import serve

    from app import views

    urlpatterns = [
        path("", views.home),
        path("assets/<path:path>", assets),
        path("served/<path:path>", serve, {"document_root": "media"}),
    ]
    urlpatterns += static("/media/", document_root=settings.MEDIA_ROOT)
    """
PAGE = """
    from django.http import HttpResponse
    from django.templatetags.static import static


    def home(request):
        return HttpResponse(static("app/site.css"))
    """
SETTINGS = """
    MEDIA_URL = "/media/"
    MEDIA_ROOT = BASE_DIR / "media"
    SECURE_SSL_REDIRECT = False
    """

SCRIPT = """
import asyncio, json, os, sys, warnings
sys.path.insert(0, os.getcwd())
os.environ["DJANGO_SETTINGS_MODULE"] = "site1.settings"
import django
django.setup()
import logging
logging.disable(logging.CRITICAL)
from pathlib import Path
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.management import call_command
from django.test import AsyncClient, Client, override_settings
told = {}
STATIC = "django.contrib.staticfiles.storage."

def ask(name, path="/", **changed):
    with override_settings(**changed):
        try:
            answer = Client().get(path, HTTP_HOST="example.org")
            told[name] = [answer.status_code, b"".join(answer).decode()]
        except Exception as error:
            told[name] = [type(error).__name__, str(error)]

def storage(backend, **options):
    default = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    static = {"BACKEND": backend, "OPTIONS": options}
    return {"STORAGES": {"default": default, "staticfiles": static}}

Path("media").mkdir()
Path("media/photo.txt").write_text("photo")
Path("files").mkdir()
Path("files/site.css").write_text("")
Path("broken").mkdir()
Path("broken/staticfiles.json").write_text('{"version": "7"}')

OFF = [each for each in settings.MIDDLEWARE if "whitenoise" not in each]
# STATIC_ROOT has nothing, and then what collectstatic puts there.
ask("not collected", "/static/app/site.css")
call_command("collectstatic", "--noinput", verbosity=0)
ask("whitenoise", "/static/app/site.css")
ask("nobody", "/static/app/site.css", MIDDLEWARE=OFF)
ask("whitenoise without root", "/static/app/site.css", STATIC_ROOT=None)
FINDERS = dict(STATIC_ROOT=None, WHITENOISE_USE_FINDERS=True)
ask("whitenoise with finders", "/static/app/site.css", **FINDERS)
ask("uploads", "/media/photo.txt")
ask("served", "/served/photo.txt")
ask("staticfiles", "/assets/app/site.css")

MANIFEST = storage(STATIC + "ManifestStaticFilesStorage")
ask("no manifest", MIDDLEWARE=OFF, STATIC_ROOT="files", **MANIFEST)
ask("broken manifest", MIDDLEWARE=OFF, STATIC_ROOT="broken", **MANIFEST)
ask("manifest without root", MIDDLEWARE=OFF, STATIC_ROOT=None, **MANIFEST)
PLAIN = storage(STATIC + "StaticFilesStorage")
ask("plain", MIDDLEWARE=OFF, **PLAIN)
ask("same url", MIDDLEWARE=OFF, MEDIA_URL="/static/", **PLAIN)
ask("same root", MIDDLEWARE=OFF, MEDIA_ROOT="same", STATIC_ROOT="same", **PLAIN)
with override_settings(STATIC_ROOT=None, **PLAIN):
    try:
        call_command("collectstatic", "--noinput", verbosity=0)
    except Exception as error:
        told["collect without root"] = [type(error).__name__, str(error)]

Path("public/media").mkdir(parents=True)
Path("public/media/photo.txt").write_text("photo")
with override_settings(STATIC_ROOT="public", MEDIA_ROOT="public/media"):
    call_command("collectstatic", "--noinput", "--clear", verbosity=0)
told["upload is left"] = Path("public/media/photo.txt").exists()

with override_settings(MEDIA_ROOT=""):
    name = FileSystemStorage().save("upload.txt", ContentFile(b"x"))
    told["upload lies in"] = [os.path.exists(os.path.join(os.getcwd(), name)), name]

async def whole():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer = await AsyncClient().get("/static/app/site.css", headers={"host": "example.org"})
        body = b"".join([part async for part in answer])
    return answer.status_code, body.decode(), [str(each.message) for each in caught]

told["asgi"] = asyncio.run(whole())

from whitenoise.middleware import WhiteNoiseMiddleware
looked = []
class Looking(WhiteNoiseMiddleware):
    def candidate_paths_for_url(self, url):
        looked.append(url)
        return super().candidate_paths_for_url(url)
from django.test import RequestFactory
for on in (False, True):
    with override_settings(WHITENOISE_AUTOREFRESH=on):
        Looking(lambda request: None)(RequestFactory().get("/static/app/site.css"))
    told[f"looked {on}"] = list(looked)

# A session middleware above WhiteNoise runs for each static file; below it does not.
ran = []
import app.seen
app.seen.ran = ran
for name, chain in (
    ("above", ["app.seen.Seen", "whitenoise.middleware.WhiteNoiseMiddleware"]),
    ("below", ["whitenoise.middleware.WhiteNoiseMiddleware", "app.seen.Seen"]),
):
    ran.clear()
    ask(f"order {name}", "/static/app/site.css", MIDDLEWARE=chain)
    told[f"ran {name}"] = len(ran)
sys.__stdout__.write("\\n@@" + json.dumps(told))
"""

SEEN = """
    ran = []


    class Seen:
        def __init__(self, get_response):
            self.get_response = get_response

        def __call__(self, request):
            ran.append(request.path)
            return self.get_response(request)
    """

CSS = "body { color: black }\n"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Django and WhiteNoise did in the script."""
    project = make_project(
        tmp_path_factory.mktemp("claims"),
        {
            **ASSET,
            "app/models.py": MODEL,
            "app/views.py": PAGE,
            "app/seen.py": SEEN,
            "site1/urls.py": URLS,
        },
        middleware=SERVED,
        settings=SETTINGS,
    )
    done = run_python("-W", "ignore", "-c", SCRIPT, cwd=project)
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout.rsplit("\n@@", 1)[1])
    return answers


def test_static_files_are_served_by_somebody_or_not_at_all(told):
    assert told["nobody"][0] == 404
    assert told["not collected"][0] == 404
    assert told["whitenoise"] == [200, CSS]
    assert told["whitenoise without root"][0] == 404
    assert told["whitenoise with finders"] == [200, CSS]


def test_uploads_have_a_route_in_development_only(told):
    assert told["uploads"][0] == 404
    assert told["served"] == [200, "photo"]
    assert told["staticfiles"][0] == 404


def test_pages_fail_without_their_manifest(told):
    assert told["plain"] == [200, "/static/app/site.css"]
    kind, message = told["no manifest"]
    assert kind == "ValueError"
    assert "Missing staticfiles manifest entry for 'app/site.css'" in message
    assert told["broken manifest"][0] == "ValueError"
    assert told["manifest without root"][0] == "ImproperlyConfigured"


def test_what_may_not_be_the_same(told):
    for name in ("same url", "same root"):
        kind, message = told[name]
        assert kind == "ImproperlyConfigured"
        assert "must have different values" in message


def test_collectstatic_needs_its_root_and_clears_what_lies_in_it(told):
    assert told["collect without root"][0] == "ImproperlyConfigured"
    assert told["upload is left"] is False


def test_uploads_without_media_root_lie_where_the_process_was_started(told):
    assert told["upload lies in"] == [True, "upload.txt"]


def test_whitenoise_is_read_whole_under_asgi(told):
    status, body, warned = told["asgi"]
    assert (status, body) == (200, CSS)
    assert any("must consume synchronous iterators" in each for each in warned)


def test_autorefresh_looks_on_the_disk_for_each_static_file(told):
    assert told["looked False"] == []
    assert told["looked True"] == ["/static/app/site.css"]


def test_what_stands_above_whitenoise_runs_for_each_file(told):
    assert told["order above"] == told["order below"] == [200, CSS]
    assert (told["ran above"], told["ran below"]) == (1, 0)


def test_none_of_it_is_found_by_djangos_checks(tmp_path: Path):
    """What would be a repetition: one project with several of these faults."""
    settings = """
        STATIC_ROOT = MEDIA_ROOT = BASE_DIR / "same"
        MEDIA_URL = "/static/"
        SECURE_PROXY_SSL_HEADER = ("X-Forwarded-Proto", "https")
        ALLOWED_HOSTS = ["https://example.org"]
        CSRF_TRUSTED_ORIGINS = ["https://*"]
        SESSION_COOKIE_DOMAIN = "example.com"
        SESSION_COOKIE_SAMESITE = "lacks"
        SECURE_REDIRECT_EXEMPT = ["^/x"]
        SECURE_SSL_HOST = "https://example.org"
        SECURE_REFERRER_POLICY = "no-referrer"
        INSTALLED_APPS.remove("deploytool")
        """
    done = manage(make_project(tmp_path, settings=settings), "check", "--deploy")
    assert "no issues" in done.stdout + done.stderr
