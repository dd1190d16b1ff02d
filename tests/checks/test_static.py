"""The checks about static files and uploads: who serves them, from where, are they there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.checks.project import MIDDLEWARE, deploycheck, make_project
from tests.checks.variants import judged_each, variant

if TYPE_CHECKING:
    from pathlib import Path

SECURITY, SESSION, *REST = MIDDLEWARE
WHITENOISE = "whitenoise.middleware.WhiteNoiseMiddleware"
SERVED = (SECURITY, WHITENOISE, SESSION, *REST)

ASSET = {"app/static/app/site.css": "body { color: black }\n"}
MODEL = """
    from django.db import models


    class Product(models.Model):
        id = models.BigAutoField(primary_key=True)
        image = models.ImageField() if False else models.FileField()
    """

PROXY = 'DEPLOYTOOL={"BIND": "0.0.0.0:8000", "PROXY": "10.0.3.5"}'
ALONE = 'DEPLOYTOOL={"BIND": "0.0.0.0:8000", "PROXY": ""}'
UNKNOWN = 'DEPLOYTOOL={"BIND": "0.0.0.0:8000"}, SECURE_PROXY_SSL_HEADER=None'


def storages(backend: str, **options: Any) -> str:
    """STORAGES with this storage of static files."""
    static = {"BACKEND": backend, "OPTIONS": options}
    default = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    return f"STORAGES={ {'default': default, 'staticfiles': static}!r}"


MANIFEST = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
COMPRESSED = "whitenoise.storage.CompressedManifestStaticFilesStorage"


def judged(project: Path, *args: str) -> dict[str, list[dict[str, Any]]]:
    """The findings of this subject's rules by id, without the prefix."""
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in deploycheck(project, *args)["findings"]:
        prefix, _, short = finding["id"].partition(".")
        if prefix == "deploytool" and 500 <= int(short[1:]) < 530:
            found.setdefault(short, []).append(finding)
    return found


def compare(project: Path, cases: tuple[Any, ...]) -> None:
    """Assert the ids of each variant, and what a message or a hint says."""
    answers = judged_each(project, 500, 529, [case for case, *_ in cases])
    for (case, ids, *told), found in zip(cases, answers, strict=True):
        assert [identifier for identifier, _, _ in found] == ids, case
        text = " ".join(f"{message} {hint}" for _, message, hint in found)
        assert all(each in text for each in told), text


def test_static_files_that_nobody_serves(tmp_path):
    remote = "django.core.files.storage.InMemoryStorage"  # stands for one that is not local
    cases = (
        (
            variant(f"dict({ALONE})"),
            ["E500"],
            "no proxy stands in front",
            "app/static/app/site.css",
        ),
        (variant(f"dict({UNKNOWN})"), ["W500"], "unless a proxy does"),
        (variant(f"dict({PROXY})"), ["I500"], "the proxy has to"),
        (variant('dict(DEPLOYTOOL={"BIND": "unix:/tmp/s.sock"})'), ["I500"], "unix:/tmp/s.sock"),
        (variant(f'dict(STATIC_URL="https://cdn.example.org/", {ALONE})'), []),
        (variant(f"dict({storages(remote)}, {ALONE})"), []),
        # Without STATIC_ROOT the proxy gets nothing to serve.
        (variant(f"dict(STATIC_ROOT=None, {PROXY})"), ["I500", "W501"], "collectstatic fails"),
        (
            variant(f"dict(STATIC_ROOT=None, {storages(MANIFEST)}, {PROXY})"),
            ["I500", "E501"],
            "answered 500",
        ),
    )
    compare(make_project(tmp_path, ASSET), cases)


def test_where_static_files_are_to_be_served(tmp_path):
    settings = "SECURE_PROXY_SSL_HEADER = None\n"
    project = make_project(tmp_path, ASSET, settings=settings)
    [finding] = judged(project, "--proxy", "")["E500"]
    assert (finding["path"], finding["line"]) == ("site1/settings.py", 51)
    assert "WhiteNoise" in finding["hint"]


def test_no_static_files_need_nobody(tmp_path):
    # The sound project has the app, and no file.
    assert judged(make_project(tmp_path), "--proxy", "") == {}


def test_whitenoise_serves_what_is_there(tmp_path):
    project = make_project(tmp_path, ASSET, middleware=SERVED)
    for name in ("files", "broken", "good"):
        (project / name).mkdir()
        (project / name / "site.css").touch()
    (project / "broken" / "staticfiles.json").write_text('{"version": "7"}')
    (project / "good" / "staticfiles.json").write_text('{"version": "1.1", "paths": {}}')
    (project / "empty").mkdir()
    (project / "empty" / ".gitkeep").touch()

    def root(name: str, storage: str = COMPRESSED, **options: Any) -> Any:
        where = repr(str(project / name))
        return variant(f"dict(STATIC_ROOT={where}, {storages(storage, **options)}, {ALONE})")

    cases = (
        (variant(f"dict({ALONE})"), []),
        (variant(f"dict(STATIC_ROOT=None, {ALONE})"), ["E501"], "whitenoise serves nothing"),
        (variant(f"dict(STATIC_ROOT=None, WHITENOISE_USE_FINDERS=True, {ALONE})"), []),
        (root("files"), ["W502"], "no manifest staticfiles.json", "collectstatic"),
        (root("files", MANIFEST), ["W502"], "Missing staticfiles manifest entry"),
        (root("broken"), ["E502"], "no manifest that Django can read"),
        (root("good"), []),
        (root("empty"), ["I502"], "until collectstatic has run"),
        (root("absent"), ["I502"], "has no files"),
        (root("absent", COMPRESSED, location=str(project / "good")), []),
        (root("files", "django.contrib.staticfiles.storage.StaticFilesStorage"), []),
        (variant(f"dict(WHITENOISE_AUTOREFRESH=True, {ALONE})"), ["W510"], "looks on the disk"),
        (variant(f"dict({ALONE})", interface="asgi"), ["I504"], "read whole"),
    )
    compare(project, cases)


def test_whitenoise_below_others_is_found(tmp_path):
    project = make_project(tmp_path, ASSET, middleware=(SECURITY, SESSION, WHITENOISE, *REST))
    [finding] = judged(project)["I503"]
    assert (finding["path"], finding["line"]) == ("site1/settings.py", 27)
    assert "SessionMiddleware" in finding["message"]


def test_an_asynchronous_whitenoise_below_a_middleware_of_the_project_is_not(tmp_path):
    own = """
        from asgiref.sync import iscoroutinefunction, markcoroutinefunction
        from whitenoise.middleware import WhiteNoiseMiddleware


        class Files(WhiteNoiseMiddleware):
            async_capable = True

            def __init__(self, get_response):
                super().__init__(get_response)
                if iscoroutinefunction(get_response):
                    markcoroutinefunction(self)


        def first(get_response):
            return get_response


        first.async_capable = True
        """
    project = make_project(
        tmp_path,
        {**ASSET, "app/middleware.py": own},
        middleware=("app.middleware.first", SECURITY, "app.middleware.Files", SESSION, *REST),
    )
    assert judged(project, "--interface", "asgi", "--proxy", "") == {}


def test_whitenoise_around_the_other_entry_point_does_not_count(tmp_path):
    files = {
        **ASSET,
        "site1/wsgi.py": """
            import os

            from django.core.wsgi import get_wsgi_application
            from whitenoise import WhiteNoise

            os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")
            application = WhiteNoise(get_wsgi_application(), "staticfiles", "static")
            """,
    }
    project = make_project(tmp_path, files)
    assert judged(project, "--interface", "wsgi", "--proxy", "") == {}
    [finding] = judged(project, "--interface", "asgi", "--proxy", "10.0.3.5")["W500"]
    assert (
        "around site1.wsgi:application does, but this plan serves site1.asgi" in finding["message"]
    )


UPLOADS = {
    "app/models.py": MODEL,
    "site1/urls.py": """
        from django.conf import settings
        from django.conf.urls.static import static
        from django.urls import path

        from app import views

        urlpatterns = [path("", views.home)]
        urlpatterns += static("/media/", document_root=settings.MEDIA_ROOT)
        """,
}


def test_uploads_that_nobody_serves(tmp_path):
    media = 'MEDIA_ROOT="/srv/media", MEDIA_URL="/media/"'
    remote = '{"BACKEND": "django.core.files.storage.InMemoryStorage"}'
    local = '{"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}'
    cases = (
        (variant(f"dict({media}, {ALONE})"), ["E506"], "app.Product.image", "/media/"),
        (variant(f"dict({media}, {UNKNOWN})"), ["W506"], "unless a proxy does"),
        (variant(f"dict({media}, {PROXY})"), ["I506"], "/srv/media at /media/"),
        (variant(f'dict(MEDIA_ROOT="/srv/media", {ALONE})'), []),
        (variant(f'dict(MEDIA_ROOT="media", {ALONE})'), ["W508"], "'media'"),
        (variant(f"dict({ALONE})"), ["W508"], "MEDIA_ROOT is not set"),
        (
            variant(f'dict(STORAGES={{"default": {remote}, "staticfiles": {local}}}, {ALONE})'),
            [],
        ),
        # What lies where.
        (
            variant(f'dict(MEDIA_ROOT="/srv/m", STATIC_ROOT="/srv/m/", {PROXY})'),
            ["E507"],
            "ImproperlyConfigured",
        ),
        (
            variant(f'dict(MEDIA_ROOT="/srv/s/m", STATIC_ROOT="/srv/s", {PROXY})'),
            ["W507"],
            "collectstatic --clear deletes",
        ),
        (
            variant(f'dict(MEDIA_ROOT="/srv/m", STATIC_ROOT="/srv/m/static", {PROXY})'),
            ["W507"],
            "overwritten",
        ),
        (
            variant(f'dict(MEDIA_URL="/static/", MEDIA_ROOT="/srv/media", {PROXY})'),
            ["I506", "E507"],
            "both '/static/'",
        ),
        (variant(f'dict(MEDIA_ROOT="/srv/media", STATIC_ROOT="/srv/media-static", {PROXY})'), []),
    )
    compare(make_project(tmp_path, UPLOADS), cases)


def test_files_served_by_the_view_for_development_are_found(tmp_path):
    urls = """
        from django.contrib.auth.decorators import login_required
        from django.contrib.staticfiles.views import serve as assets
        from django.urls import path, re_path
        from django.views import static as files

        from app import views

        urlpatterns = [
            path("", views.home),
            re_path(r"^media/(?P<path>.*)$", files.serve, {"document_root": "/srv/media"}),
            path("private/<path:path>", login_required(files.serve), {"document_root": "/srv"}),
            path("assets/<path:path>", assets),
            path("checked/<path:path>", views.checked),
            path("download/", views.download),
        ]
        """
    views = """
        from django.http import FileResponse, HttpResponse
        from django.views.static import serve


        def home(request):
            return HttpResponse("home")


        def checked(request, path):
            return serve(request, path, document_root="/srv/checked")


        def download(request):
            return FileResponse(open("/srv/one", "rb"))
        """
    settings = 'MEDIA_ROOT = "/srv/media"\nMEDIA_URL = "/media/"\n'
    files = {"site1/urls.py": urls, "app/views.py": views, "app/models.py": MODEL}
    project = make_project(tmp_path, files, settings=settings)
    found = judged(project, "--proxy", "")
    assert sorted(found) == ["I505", "W505"]
    places = [(each["path"], each["line"]) for each in found["W505"]]
    assert places == [("site1/urls.py", 10), ("site1/urls.py", 11), ("site1/urls.py", 12)]
    assert "404 unless DEBUG is on" in found["W505"][2]["message"]
    [checked] = found["I505"]
    assert (checked["path"], checked["line"]) == ("app/views.py", 9)
