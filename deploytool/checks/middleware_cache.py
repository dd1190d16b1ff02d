"""Checks of the order around the cache of whole pages, and of what validates pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploytool.checks.entries import names, used
from deploytool.checks.middleware_order import (
    CONDITIONAL_GET,
    CSRF,
    FETCH_FROM_CACHE,
    GZIP,
    LOCALE,
    SESSION,
    UPDATE_CACHE,
)
from deploytool.checks.rule import Finding, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case


@rule(120, "E")
def cache_below_cookies(case: Case) -> Iterator[Finding]:
    """The cache stores pages before they are known to be somebody's.

    `UpdateCacheMiddleware`, or a subclass, stands below `SessionMiddleware` or
    `CsrfViewMiddleware`, and what it stores is read again.

    ## Why is this bad?
    These add `Vary: Cookie` to pages that depend on the person. The cache has stored the page
    by then, for everybody: the next visitor is shown it, with another person's name or with a
    CSRF token that is not theirs.

    ## Example
    ```python
    MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.cache.UpdateCacheMiddleware",
        "django.middleware.cache.FetchFromCacheMiddleware",
    ]
    ```

    ## Use instead
    ```python
    MIDDLEWARE = [
        "django.middleware.cache.UpdateCacheMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.cache.FetchFromCacheMiddleware",
    ]
    ```

    ## Source
    Django's documentation, "Middleware ordering", `UpdateCacheMiddleware`; "Using vary
    headers".
    """
    chain = used(case)
    if not any(entry.is_a(FETCH_FROM_CACHE) for entry in chain):
        return
    for entry in chain:
        if not entry.is_a(UPDATE_CACHE):
            continue
        above = [e.path for e in chain if e.index < entry.index and e.is_a(SESSION, CSRF)]
        if above:
            verb = "adds" if len(above) == 1 else "add"
            yield Finding(
                f"{entry.path} stores each page before {names(above)}, above it, {verb} Vary: "
                "Cookie: what is made for one person is shown to others.",
                f"Move {entry.path} above {above[0]}.",
                entry.listed,
            )


@rule(121, "W")
def cache_above_locale(case: Case) -> Iterator[Finding]:
    """The cache looks for a page before the language is known.

    `FetchFromCacheMiddleware` stands above `LocaleMiddleware`, and `USE_I18N` is on.

    ## Why is this bad?
    The language is part of a cached page's key. Asked for before `LocaleMiddleware` has chosen
    it, it is the default one, or that of the request that the thread has answered before. The
    page says `Vary: Accept-Language` and nothing of the language's cookie: people who have
    chosen theirs (`set_language`) get pages in a language that is not theirs.

    ## Example
    ```python
    MIDDLEWARE = [
        "django.middleware.cache.UpdateCacheMiddleware",
        "django.middleware.cache.FetchFromCacheMiddleware",
        "django.middleware.locale.LocaleMiddleware",
    ]
    ```

    ## Use instead
    ```python
    MIDDLEWARE = [
        "django.middleware.cache.UpdateCacheMiddleware",
        "django.middleware.locale.LocaleMiddleware",
        "django.middleware.cache.FetchFromCacheMiddleware",
    ]
    ```

    ## Source
    Django's documentation, "Middleware ordering", `FetchFromCacheMiddleware`;
    "Internationalization and the cache".
    """
    chain = used(case)
    if not case.setting("USE_I18N", bool, True):
        return
    if not any(entry.is_a(UPDATE_CACHE) for entry in chain):
        return
    for entry in chain:
        if not entry.is_a(FETCH_FROM_CACHE):
            continue
        below = [e.path for e in chain if e.index > entry.index and e.is_a(LOCALE)]
        if below:
            yield Finding(
                f"{entry.path} looks for a cached page before {below[0]}, below it, has chosen "
                "the language: people who have chosen theirs, which a cookie says, get pages in "
                "the language of an earlier request.",
                f"Move {entry.path} below {below[0]}.",
                entry.listed,
            )


@rule(122, "W")
def etag_of_compressed(case: Case) -> Iterator[Finding]:
    """The ETag is made of compressed content.

    `ConditionalGetMiddleware` stands above `GZipMiddleware`.

    ## Why is this bad?
    The compressed content differs each time, because GZipMiddleware puts a random file name
    into it (against the BREACH attack). So does the ETag, and no request is ever answered with
    304 Not Modified.

    ## Example
    ```python
    MIDDLEWARE = [
        "django.middleware.http.ConditionalGetMiddleware",
        "django.middleware.gzip.GZipMiddleware",
    ]
    ```

    ## Use instead
    ```python
    MIDDLEWARE = [
        "django.middleware.gzip.GZipMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
    ]
    ```

    ## Source
    Django's documentation, "Middleware ordering", `ConditionalGetMiddleware`.
    """
    chain = used(case)
    for entry in chain:
        if not entry.is_a(CONDITIONAL_GET):
            continue
        below = [e.path for e in chain if e.index > entry.index and e.is_a(GZIP)]
        if below:
            yield Finding(
                f"{entry.path} makes ETags of what {below[0]}, below it, has compressed, which "
                "differs each time: browsers that accept gzip are never answered with 304.",
                f"Move {entry.path} below {below[0]}.",
                entry.listed,
            )
