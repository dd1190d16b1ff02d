"""Checks of the order of MIDDLEWARE: what has to stand above what, and what follows if not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage
from django.utils.module_loading import import_string

from deploytool.checks.entries import entries, names, used, where_so
from deploytool.checks.rule import Finding, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case
    from deploytool.checks.entries import Entry
    from deploytool.checks.rule import Letter

SECURITY = "django.middleware.security.SecurityMiddleware"
SESSION = "django.contrib.sessions.middleware.SessionMiddleware"
AUTH = "django.contrib.auth.middleware.AuthenticationMiddleware"
REMOTE_USER = "django.contrib.auth.middleware.RemoteUserMiddleware"
MESSAGES = "django.contrib.messages.middleware.MessageMiddleware"
CSRF = "django.middleware.csrf.CsrfViewMiddleware"
COMMON = "django.middleware.common.CommonMiddleware"
LOCALE = "django.middleware.locale.LocaleMiddleware"
GZIP = "django.middleware.gzip.GZipMiddleware"
CONDITIONAL_GET = "django.middleware.http.ConditionalGetMiddleware"
UPDATE_CACHE = "django.middleware.cache.UpdateCacheMiddleware"
FETCH_FROM_CACHE = "django.middleware.cache.FetchFromCacheMiddleware"
FALLBACKS = (
    "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware",
    "django.contrib.redirects.middleware.RedirectFallbackMiddleware",
)
_ALLOW_ORIGIN = "access-control-allow-origin"


def _providers(case: Case, attribute: str, *classes: str) -> list[Entry]:
    """The middlewares that set an attribute of the request, the outermost first."""
    return [
        entry
        for entry in entries(case)
        if entry.conduct.status != "unused"
        and (entry.is_a(*classes) or any(e.detail == attribute for e in entry.conduct.of("sets")))
    ]


def _keeps(entry: Entry, hook: str) -> bool:
    """Whether a class of Django's, or a subclass, still has Django's own ``hook``."""
    found = next((each for each in entry.conduct.hooks if each.name == hook), None)
    place = found.location if found else entry.conduct.call_at
    return place is None or "/django/contrib/" in place.path or "/django/middleware/" in place.path


@rule(118, "E")
def needs_above(case: Case) -> Iterator[Finding]:
    """One of Django's middlewares misses another one above it.

    Authentication, messages (in a storage that uses the session), CSRF protection with
    `CSRF_USE_SESSIONS`, or `RemoteUserMiddleware` stands above the middleware that sets
    `request.session` or `request.user`, or there is none. Anything that sets the attribute
    counts, not Django's class alone.

    ## Why is this bad?
    `ImproperlyConfigured`, for every request: they look for the attribute and refuse to go on
    without it. `manage.py check` knows of the admin's needs alone.

    ## Example
    ```python
    MIDDLEWARE = [
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
    ]
    ```

    ## Use instead
    ```python
    MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ]
    ```

    ## Source
    Django's documentation, "Middleware ordering".
    """
    sessions = _providers(case, "session", SESSION)
    users = _providers(case, "user", AUTH)
    for entry in used(case):
        if entry.is_a(AUTH) and _keeps(entry, "process_request"):
            yield from _needs(entry, "session", SESSION, sessions)
        elif entry.is_a(REMOTE_USER) and _keeps(entry, "__call__"):
            yield from _needs(entry, "user", AUTH, users)
        elif entry.is_a(MESSAGES) and _keeps(entry, "process_request"):
            if _messages_in_session(case):
                yield from _needs(entry, "session", SESSION, sessions)
        elif entry.is_a(CSRF) and case.setting("CSRF_USE_SESSIONS", bool, False):
            yield from _needs(entry, "session", SESSION, sessions)


def _needs(entry: Entry, attribute: str, usual: str, providers: list[Entry]) -> Iterator[Finding]:
    if any(each.index <= entry.index for each in providers):
        return
    below = f"{providers[0].path} stands below it" if providers else "nothing in MIDDLEWARE sets it"
    hint = (
        f"Move {providers[0].path} above {entry.path}."
        if providers
        else f"Add {usual} above {entry.path}."
    )
    yield Finding(
        f"{entry.path} needs request.{attribute}, and {below}: every request fails with "
        "ImproperlyConfigured.",
        hint,
        entry.listed,
    )


def _messages_in_session(case: Case) -> bool:
    name = case.setting("MESSAGE_STORAGE", str, "")
    try:
        storage = import_string(name)
    except Exception:  # not to be imported, or not importable alone
        return False
    if not isinstance(storage, type):
        return False
    if issubclass(storage, FallbackStorage):
        return any(issubclass(each, SessionStorage) for each in storage.storage_classes)
    return issubclass(storage, SessionStorage)


@rule(119, "EW")
def reads_before_set(case: Case) -> Iterator[Finding]:
    """A middleware reads an attribute of the request that is set further in.

    Before it calls the rest of the chain, a middleware reads an attribute that the requests of
    Django do not have by themselves (`request.user`, `request.session`, one of another
    middleware's), and that a middleware below it sets, and none above. Code that looks first
    (`hasattr()`, `getattr()` with a default, `try`) is not found, nor is what is read after
    the view. WARNING where a test of its own leads there.

    ## Why is this bad?
    `AttributeError: 'WSGIRequest' object has no attribute 'user'`.

    ## Example
    ```python
    MIDDLEWARE = [
        "shop.middleware.Tenant",  # reads request.user
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ]
    ```

    ## Use instead
    ```python
    MIDDLEWARE = [
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "shop.middleware.Tenant",
    ]
    ```

    ## Source
    Django's documentation, "Middleware order and layering".
    """
    for entry in used(case):
        reading = [
            each
            for each in entry.conduct.of("reads")
            if not each.inside and not any(t.about in ("mode", "exception") for t in each.tests)
        ]
        for attribute in dict.fromkeys(each.detail for each in reading):
            providers = _providers(case, attribute)
            if not providers or any(each.index <= entry.index for each in providers):
                continue
            found = min(
                (each for each in reading if each.detail == attribute),
                key=lambda each: (not each.always, len(each.tests)),
            )
            requests = "every request fails" if found.always else "such requests fail"
            yield Finding(
                f"{entry.path} reads request.{attribute} before it calls what is below it"
                f"{where_so(found.tests)}, and {providers[0].path}, which sets it, stands "
                f"below: {requests} with an AttributeError.",
                f"Move {entry.path} below {providers[0].path} in MIDDLEWARE.",
                entry.listed,
                "E" if found.always else "W",
            )


@rule(123, "W")
def cors_below_common(case: Case) -> Iterator[Finding]:
    """Redirects have no CORS headers.

    The middleware that sets `Access-Control-Allow-Origin` on responses stands below
    `CommonMiddleware`, and `APPEND_SLASH` or `PREPEND_WWW` is on.

    ## Why is this bad?
    `CommonMiddleware` answers a request without the slash itself. A browser that gets this
    redirect for another origin's request finds no header on it, and refuses to follow.

    ## Example
    ```python
    MIDDLEWARE = [
        "django.middleware.common.CommonMiddleware",
        "corsheaders.middleware.CorsMiddleware",
    ]
    ```

    ## Use instead
    ```python
    MIDDLEWARE = [
        "corsheaders.middleware.CorsMiddleware",
        "django.middleware.common.CommonMiddleware",
    ]
    ```

    ## Source
    django-cors-headers' documentation, "Setup": "especially before any middleware that can
    generate responses such as Django's CommonMiddleware"; Django's documentation,
    `CommonMiddleware`.
    """
    redirecting = [
        name
        for name, default in (("APPEND_SLASH", True), ("PREPEND_WWW", False))
        if case.setting(name, bool, default)
    ]
    chain = used(case)
    above = next((entry for entry in chain if entry.is_a(COMMON)), None)
    for entry in chain:
        if above is None or not redirecting or entry.index < above.index:
            continue
        if any(each.detail == _ALLOW_ORIGIN for each in entry.conduct.of("sets-header")):
            yield Finding(
                f"{entry.path} sets Access-Control-Allow-Origin below {above.path}, which "
                f"redirects by itself ({' and '.join(redirecting)}): where a page of another "
                "origin runs into such a redirect, its browser refuses to follow it.",
                f"Move {entry.path} above {above.path}.",
                entry.listed,
            )


@rule(124, "WI")
def static_above_security(case: Case) -> Iterator[Finding]:
    """Static files are answered before SecurityMiddleware is asked.

    The middleware that serves static files stands above `SecurityMiddleware`. WARNING with
    `SECURE_SSL_REDIRECT` or `SECURE_HSTS_SECONDS`, advice without.

    ## Why is this bad?
    It answers by itself: static files are sent over plain HTTP without a redirect, and without
    `Strict-Transport-Security` and `X-Content-Type-Options`.

    ## Example
    ```python
    MIDDLEWARE = [
        "whitenoise.middleware.WhiteNoiseMiddleware",
        "django.middleware.security.SecurityMiddleware",
    ]
    ```

    ## Use instead
    ```python
    MIDDLEWARE = [
        "django.middleware.security.SecurityMiddleware",
        "whitenoise.middleware.WhiteNoiseMiddleware",
    ]
    ```

    ## Source
    WhiteNoise's documentation, "Enable WhiteNoise" ("The WhiteNoise middleware should be
    placed directly after the Django SecurityMiddleware").
    """
    static = case.project.services.static
    chain = used(case)
    security = next((entry for entry in chain if entry.is_a(SECURITY)), None)
    if security is None:
        return
    for entry in chain:
        listed = static.evidence == f"settings.MIDDLEWARE[{entry.index}]"
        if not listed or entry.index > security.index:
            continue
        redirects = case.setting("SECURE_SSL_REDIRECT", bool, False)
        hsts = case.setting("SECURE_HSTS_SECONDS", int, 0)
        level: Letter = "W" if redirects or hsts else "I"
        yield Finding(
            f"{entry.path} answers static files above {security.path}: they are sent without "
            "its redirect to HTTPS and its headers.",
            f"Move {entry.path} directly below {security.path}.",
            entry.listed,
            level,
        )


@rule(125, "I")
def fallback_above(case: Case) -> Iterator[Finding]:
    """A fallback stands above middlewares that its answers then miss.

    `FlatpageFallbackMiddleware` or `RedirectFallbackMiddleware` stands above others of
    Django's that finish responses.

    ## Why is this bad?
    It puts its own response in the place of a 404 that has been through those below already.
    Its response has not: no `X-Frame-Options`, no `Content-Length`, no messages.

    ## Example
    ```python
    MIDDLEWARE = [
        "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ]
    ```

    ## Use instead
    ```python
    MIDDLEWARE = [
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
        "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware",
    ]
    ```

    ## Source
    Django's documentation, "Middleware ordering": "Should be near the bottom as it's a
    last-resort type of middleware."
    """
    chain = used(case)
    for entry in chain:
        if not entry.is_a(*FALLBACKS):
            continue
        below = [
            each.path
            for each in chain
            if each.index > entry.index
            and not each.is_a(*FALLBACKS)
            and (each.fact.known or "").startswith("django.")
            and "process_response" in each.fact.hooks
        ]
        if below:
            yield Finding(
                f"{entry.path} answers in place of a 404 that has been through {names(below)}: "
                "what it answers with has not.",
                f"Move {entry.path} to the end of MIDDLEWARE.",
                entry.listed,
            )
