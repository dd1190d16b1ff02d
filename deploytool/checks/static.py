"""Static files and uploads: who serves them, from where, and whether they are there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from deploytool.checks.rule import Finding, rule
from deploytool.project.file_serving import local_path
from deploytool.project.services import url_setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case
    from deploytool.checks.rule import Letter
    from deploytool.project.facts import Middleware

WHITENOISE = "whitenoise.middleware.WhiteNoiseMiddleware"
_SERVERS = (WHITENOISE, "servestatic.middleware.ServeStaticMiddleware")


def _nobody(case: Case) -> tuple[Letter, str]:
    """How sure it is that a proxy serves no files either, and on what condition."""
    proxy = case.deployment.proxy
    if proxy.value is False:
        return "E", f"no proxy stands in front that could ({proxy.evidence})"
    if case.plan.decision("bind").source == "environment":
        return "W", "unless a proxy of your own does: the platform that sets $PORT serves none"
    if proxy.value is None:
        return "W", "unless a proxy does, and none is known of"
    return "I", f"so that the proxy has to ({proxy.evidence})"


@rule(500, "EWI")
def static_unserved(case: Case) -> Iterator[Finding]:
    """Nobody serves the static files.

    There are static files, and neither a middleware nor a wrapper of the planned entry point
    nor a route serves `STATIC_URL`. An error where no proxy stands in front; advice where one
    does, which then has to serve them.

    ## Why is this bad?
    `runserver` serves static files while `DEBUG` is on, and nothing else does it by itself:
    pages come without styles and scripts, 404 for each.

    ## Example
    `django.contrib.staticfiles` in `INSTALLED_APPS`, Gunicorn alone, no WhiteNoise.

    ## Use instead
    ```python
    MIDDLEWARE = [
        "django.middleware.security.SecurityMiddleware",
        "whitenoise.middleware.WhiteNoiseMiddleware",
    ]
    ```
    Or a proxy: `location /static/ { alias /srv/site/staticfiles/; }`.

    ## Source
    Django's documentation, "How to deploy static files";
    https://github.com/django/daphne/issues/167.
    """
    serving = case.file_serving
    storage, url = serving.static_storage, url_setting("STATIC_URL")
    if not serving.static_file or storage is None or storage.own_url or serving.static_servers:
        return
    if local_path(url) is None:
        return  # another host's
    # Who is stated to, or seen to in the deployment's files.
    by = getattr(case.deployment, "static", None)
    if by is not None and by.value in {"server", "proxy", "elsewhere"}:
        return
    level, condition = _nobody(case)
    if by is not None and by.value and by.source in {"option", "setting"}:
        level, condition = "E", f"which is to ({by.evidence})"
    other = case.project.services.static
    if other.served_by:
        level = "W" if level == "I" else level
        found = f"{other.evidence} does, but this plan serves {case.plan.application}"
    else:
        found = "nobody in the project does"
    yield Finding(
        f"Who serves {url}? As planned {found}, {condition}. Without, each static file, "
        f"{_short(serving.static_file, case)} for one, is answered 404.",
        f"Let the proxy serve {storage.root or 'STATIC_ROOT'} at {url}, or install WhiteNoise "
        "(a middleware, right after SecurityMiddleware).",
        case.set_at("STATIC_URL"),
        level,
    )


def _short(path: str, case: Case) -> str:
    """The path in the project, or only its name where it is a distribution's."""
    base = case.project.base_dir + os.sep
    return path.removeprefix(base) if path.startswith(base) else os.path.basename(path)


@rule(501, "EW")
def no_static_root(case: Case) -> Iterator[Finding]:
    """`STATIC_ROOT` is not set, and something needs it.

    There are static files; the storage reads a manifest from `STATIC_ROOT`, or a middleware
    serves what lies there, or the proxy is to.

    ## Why is this bad?
    `collectstatic` ends with `ImproperlyConfigured`. A storage with a manifest raises it for
    every page with `{% static %}`; WhiteNoise serves nothing and says nothing.

    ## Example
    ```python
    STATIC_URL = "static/"
    ```

    ## Use instead
    ```python
    STATIC_URL = "static/"
    STATIC_ROOT = BASE_DIR / "staticfiles"
    ```

    ## Source
    Django's documentation, "STATIC_ROOT"; WhiteNoise's, "Using WhiteNoise with Django".
    """
    serving = case.file_serving
    storage = serving.static_storage
    if not serving.static_file or storage is None or storage.root:
        return
    names = [name for name, _ in serving.static_servers]
    by_setting = any(_serves_root(each) for each in case.project.middleware)
    level: Letter = "W"
    if storage.hashes:
        level, follows = "E", "every page that uses {% static %} is answered 500"
    elif (
        names
        and by_setting
        and not getattr(settings, f"{names[0].upper()}_USE_FINDERS", settings.DEBUG)
    ):
        level, follows = "E", f"{names[0]} serves nothing, and every static file is answered 404"
    elif names:
        return
    else:
        follows = "collectstatic fails, and the proxy gets nothing to serve"
    yield Finding(
        f"STATIC_ROOT is not set: {follows}.",
        'Set STATIC_ROOT = BASE_DIR / "staticfiles", and run collectstatic at each release.',
        case.set_at("STATIC_URL"),
        level,
    )


def _uses_finders(package: str) -> bool:
    """Whether WhiteNoise or ServeStatic looks for files as ``runserver`` does."""
    return bool(getattr(settings, f"{package.upper()}_USE_FINDERS", settings.DEBUG))


def _serves_root(middleware: Middleware) -> bool:
    return any(server in middleware.bases for server in _SERVERS)


@rule(502, "WEI")
def no_manifest(case: Case) -> Iterator[Finding]:
    """The manifest of the static files is not there.

    The storage of the static files finds the hashed names in a manifest, which
    `collectstatic` writes. `STATIC_ROOT` has files and no manifest (they were collected with
    another storage), or one that Django cannot read. Where it has no files, as in CI before
    `collectstatic`, it is advice.

    ## Why is this bad?
    Every page that uses `{% static %}` is answered 500: "Missing staticfiles manifest entry".
    With `DEBUG` on nothing is to be seen of it.

    ## Example
    ```python
    STORAGES = {
        "staticfiles": {
            "BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
        }
    }
    ```

    ## Use instead
    The same, and `RUN python manage.py collectstatic --noinput` where the image is built, with
    the settings of production.

    ## Source
    Django's documentation, "ManifestStaticFilesStorage";
    https://github.com/mozilla/bedrock/issues/8435.
    """
    storage = case.file_serving.static_storage
    if storage is None or not storage.manifest or not case.file_serving.static_file:
        return
    state = storage.manifest_state
    if state == "ok":
        return
    messages: dict[str, tuple[Letter, str]] = {
        "absent": (
            "I",
            (
                f"{storage.root} has no files: until collectstatic has run at the release, every "
                "page that uses {% static %} is answered 500 (Missing staticfiles manifest entry)."
            ),
        ),
        "missing": (
            "W",
            (
                f"{storage.root} has files and no manifest {os.path.basename(storage.manifest)}: "
                "unless collectstatic runs again at the release, every page that uses {% static %} "
                "is answered 500 (Missing staticfiles manifest entry)."
            ),
        ),
        "broken": (
            "E",
            (
                f"{storage.manifest} is no manifest that Django can read: every page that uses "
                "{% static %} is answered 500."
            ),
        ),
    }
    level, message = messages[state]
    yield Finding(
        message,
        "Run manage.py collectstatic --noinput with the settings of production, where the "
        "release is built.",
        case.set_at("STORAGES"),
        level,
    )


@rule(503, "I")
def static_below(case: Case) -> Iterator[Finding]:
    """The middleware that serves static files stands below others.

    One of Django's middlewares, other than `SecurityMiddleware`, stands above WhiteNoise or
    ServeStatic.

    ## Why is this bad?
    Each static file runs through what stands above: sessions, cookies, caches and compression
    that it has no use for. A `Vary: Cookie` or `Set-Cookie` on it keeps a CDN from storing it.

    ## Example
    ```python
    MIDDLEWARE = [
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "whitenoise.middleware.WhiteNoiseMiddleware",
    ]
    ```

    ## Use instead
    ```python
    MIDDLEWARE = [
        "django.middleware.security.SecurityMiddleware",
        "whitenoise.middleware.WhiteNoiseMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
    ]
    ```

    ## Source
    WhiteNoise's documentation, "Enable WhiteNoise" ("above all other middleware apart from
    Django's SecurityMiddleware").
    """
    above: list[str] = []
    for middleware in case.project.middleware:
        if _serves_root(middleware):
            if above:
                yield Finding(
                    f"{middleware.path} stands below {above[0]}: static files run through "
                    f"{len(above)} of Django's middlewares for nothing.",
                    "Move it up, right after SecurityMiddleware.",
                    middleware.set_at or middleware.setting,
                )
            return
        known = middleware.known or ""
        if known.startswith("django.") and not known.endswith(".SecurityMiddleware"):
            above.append(middleware.path)


@rule(504, "I")
def whitenoise_asgi(case: Case) -> Iterator[Finding]:
    """WhiteNoise is synchronous, and the plan serves ASGI.

    `WhiteNoiseMiddleware`, as it is, stands in `MIDDLEWARE` under ASGI.

    ## Why is this bad?
    Each request crosses into a thread for it. Each static file is read whole into memory
    before the first byte is sent, and Django warns once: "StreamingHttpResponse must consume
    synchronous iterators". It works; it costs.

    ## Example
    ```python
    MIDDLEWARE = ["whitenoise.middleware.WhiteNoiseMiddleware"]  # served by Uvicorn
    ```

    ## Use instead
    The proxy or a CDN for static files; or ServeStatic, which is asynchronous; or a subclass
    of WhiteNoise that is.

    ## Source
    https://github.com/evansd/whitenoise/issues/531; Django's documentation,
    "StreamingHttpResponse".
    """
    if not case.asgi:
        return
    for middleware in case.project.middleware:
        if WHITENOISE in middleware.bases and not middleware.async_capable:
            yield Finding(
                f"{middleware.path} is synchronous: under ASGI each request crosses into a "
                "thread for it, and each static file is read whole before it is sent.",
                "Let the proxy serve static files, or use servestatic.middleware."
                "ServeStaticMiddleware.",
                middleware.set_at or middleware.setting,
            )


@rule(505, "WI")
def development_view(case: Case) -> Iterator[Finding]:
    """Django's view for development serves files in production.

    A route leads to `django.views.static.serve` or to the view of staticfiles, or a view of
    the project calls it (advice: it may check who asks).

    ## Why is this bad?
    It is "not hardened for production use": it holds a worker or a thread for each download,
    reads a file whole under ASGI, and knows no ranges. The view of staticfiles answers 404
    unless `DEBUG` is on.

    ## Example
    ```python
    urlpatterns += [re_path(r"^media/(?P<path>.*)$", serve, {"document_root": MEDIA_ROOT})]
    ```

    ## Use instead
    The proxy: `location /media/ { alias /srv/site/media/; }`. For files that not everybody may
    have, `X-Accel-Redirect` from a view.

    ## Source
    Django's documentation, "Serving static files during development" (the warning).
    """
    if settings.DEBUG:
        return  # such routes are right in development, and may be gone in production
    for view in case.file_serving.views:
        route = view.route.removeprefix("^") or "/"
        if view.finders and view.direct:
            message = (
                f"{route} is routed to the view of staticfiles, which answers 404 unless "
                "DEBUG is on."
            )
        elif view.direct:
            message = (
                f"{route} is served by Django's view for development: each download holds a "
                f"{'thread' if case.asgi else 'worker thread'}, and it is not hardened."
            )
        else:
            message = f"The view of {route} serves files by Django's view for development."
        yield Finding(
            message,
            "Let the proxy serve these files; from a view that checks who asks, hand them to "
            "it by X-Accel-Redirect (nginx) or X-Sendfile.",
            view.location or case.project.views.urlconf,
            "W" if view.direct else "I",
        )


@rule(506, "EWI")
def media_unserved(case: Case) -> Iterator[Finding]:
    """Nobody serves the uploads.

    A model has a file field with the default storage, `MEDIA_URL` is a path of this host, and
    no route and no middleware serves it. An error where no proxy stands in front; advice where
    one does, which then has to.

    ## Why is this bad?
    `static(settings.MEDIA_URL, …)` in the URLconf makes a route while `DEBUG` is on, and none
    otherwise: every link to an upload is answered 404. WhiteNoise does not serve uploads.

    ## Example
    ```python
    urlpatterns += static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT)
    ```

    ## Use instead
    The proxy: `location /media/ { alias /srv/site/media/; }`; or an object store as the
    default storage.

    ## Source
    Django's documentation, "Serving files uploaded by a user during development".
    """
    serving = case.file_serving
    storage = serving.media_storage
    if serving.upload is None or storage is None or storage.own_url or not serving.media_path:
        return
    if serving.media_served or case.files.serves(f"/{serving.media_path}/"):
        return
    level, condition = _nobody(case)
    yield Finding(
        f"{serving.upload.field} keeps uploads, and nobody in the project serves "
        f"/{serving.media_path}/, {condition}. Without, each link to one is answered 404.",
        f"Let the proxy serve {storage.root or 'MEDIA_ROOT'} at /{serving.media_path}/, or keep "
        "uploads in an object store.",
        case.set_at("MEDIA_URL"),
        level,
    )


@rule(507, "EW")
def roots_overlap(case: Case) -> Iterator[Finding]:
    """Uploads and static files share a URL or a directory.

    `MEDIA_URL` is `STATIC_URL`, `MEDIA_ROOT` is `STATIC_ROOT`, or one directory lies in the
    other.

    ## Why is this bad?
    For the same URL or directory the storage of static files raises `ImproperlyConfigured`, for
    every page with `{% static %}`. With uploads inside of `STATIC_ROOT`,
    `collectstatic --clear` deletes them; the other way round it writes among them.

    ## Example
    ```python
    STATIC_ROOT = BASE_DIR / "public"
    MEDIA_ROOT = BASE_DIR / "public" / "media"
    ```

    ## Use instead
    ```python
    STATIC_ROOT = BASE_DIR / "public" / "static"
    MEDIA_ROOT = BASE_DIR / "public" / "media"
    ```

    ## Source
    Django's documentation, "MEDIA_ROOT" and "MEDIA_URL" (the warnings).
    """
    serving = case.file_serving
    static, media = serving.static_storage, serving.media_storage
    if static is None or media is None or not case.project.services.static.app_installed:
        return
    url: object = url_setting("MEDIA_URL")
    if url and url == url_setting("STATIC_URL") and not static.own_url:
        yield Finding(
            f"MEDIA_URL and STATIC_URL are both {url!r}: Django raises ImproperlyConfigured for "
            "every page that uses {% static %}.",
            'Set MEDIA_URL = "media/".',
            case.set_at("MEDIA_URL"),
        )
    if not static.root or not media.root:
        return
    at_static, at_media = Path(os.path.abspath(static.root)), Path(os.path.abspath(media.root))
    if at_static == at_media:
        yield Finding(
            f"MEDIA_ROOT and STATIC_ROOT are both {media.root}: Django raises "
            "ImproperlyConfigured for every page that uses {% static %}, and collectstatic "
            "--clear deletes the uploads.",
            "Give the uploads a directory of their own.",
            case.set_at("MEDIA_ROOT"),
        )
    elif at_static in at_media.parents:
        yield Finding(
            f"MEDIA_ROOT {media.root} lies in STATIC_ROOT: collectstatic --clear deletes the "
            "uploads, and whoever serves static files serves them too.",
            "Put them side by side.",
            case.set_at("MEDIA_ROOT"),
            "W",
        )
    elif at_media in at_static.parents:
        yield Finding(
            f"STATIC_ROOT {static.root} lies in MEDIA_ROOT: an upload of that name is "
            "overwritten by collectstatic, and served as a static file until then.",
            "Put them side by side.",
            case.set_at("STATIC_ROOT"),
            "W",
        )


@rule(508, "W")
def media_anywhere(case: Case) -> Iterator[Finding]:
    """Uploads are kept wherever the server happens to be started.

    A model has a file field with the default storage, and `MEDIA_ROOT` is not set or is not an
    absolute path.

    ## Why is this bad?
    Django takes it from the working directory of the process: among the project's code, in `/`,
    or where the next release is not. Uploads are lost, or seen by one process and not by
    another.

    ## Example
    ```python
    MEDIA_ROOT = "media"
    ```

    ## Use instead
    ```python
    MEDIA_ROOT = BASE_DIR / "media"
    ```

    ## Source
    Django's documentation, "MEDIA_ROOT" ("Absolute filesystem path to the directory").
    """
    serving = case.file_serving
    storage = serving.media_storage
    if serving.upload is None or storage is None:
        return
    if storage.root and os.path.isabs(storage.root):
        return
    told = f"MEDIA_ROOT is {storage.root!r}" if storage.root else "MEDIA_ROOT is not set"
    yield Finding(
        f"{serving.upload.field} keeps uploads, and {told}: they are kept in the directory "
        "that the server is started in, unless that is the same for every process and release.",
        'Set MEDIA_ROOT = BASE_DIR / "media", or another absolute path.',
        case.set_at("MEDIA_ROOT"),
    )


@rule(510, "W")
def autorefresh(case: Case) -> Iterator[Finding]:
    """WhiteNoise or ServeStatic looks on the disk for each static file.

    `WHITENOISE_AUTOREFRESH` (or `SERVESTATIC_AUTOREFRESH`) is on while `DEBUG` is off.

    ## Why is this bad?
    Without it the files are listed once, when the server starts. With it each request for one
    walks the disk and makes its headers anew; "designed for development, not supported in
    production".

    ## Example
    ```python
    WHITENOISE_AUTOREFRESH = True
    ```

    ## Use instead
    ```python
    WHITENOISE_AUTOREFRESH = DEBUG
    ```

    ## Source
    WhiteNoise's documentation, "WHITENOISE_AUTOREFRESH".
    """
    for name in ("WHITENOISE_AUTOREFRESH", "SERVESTATIC_AUTOREFRESH"):
        package = name.partition("_")[0].lower()
        used = any(
            any(base.startswith(f"{package}.") for base in middleware.bases)
            for middleware in case.project.middleware
        )
        if used and getattr(settings, name, False) and not settings.DEBUG:
            yield Finding(
                f"{name} is on: each request for a static file looks on the disk for it, "
                "instead of in the list made at the start, which is not meant for production.",
                f"Set {name} = DEBUG.",
                case.set_at(name),
            )
