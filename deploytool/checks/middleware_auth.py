"""Checks of the middleware that signs people in by what the web server says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.module_loading import import_string

from deploytool.checks.entries import used
from deploytool.checks.middleware_order import REMOTE_USER
from deploytool.checks.rule import Finding, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case
    from deploytool.checks.entries import Entry


@rule(126, "EW")
def remote_user_header(case: Case) -> Iterator[Finding]:
    """RemoteUserMiddleware looks for a header that no ASGI request has.

    A `RemoteUserMiddleware` (or subclass) is served through ASGI, and its `header` names
    something that this Django's asynchronous form does not find: with Django 5.2 and 6.0,
    which put `HTTP_` before it, a name that begins with `HTTP_` already; with Django 6.1 and
    later a name without. Or it overrides `process_request()` alone, which Django 6.1 does not
    call under ASGI. The default, `REMOTE_USER`, is a WARNING: under ASGI it is an ordinary
    header of the request, `Remote-User`.

    ## Why is this bad?
    Nobody is signed in, and those who are get signed out. Where the header is one that clients
    can send, and the proxy does not remove it, anybody can be anybody.

    ## Example
    ```python
    class ProxyUser(RemoteUserMiddleware):
        header = "HTTP_X_REMOTE_USER"  # Django 5.2 and 6.0 under ASGI: HTTP_HTTP_X_REMOTE_USER
    ```

    ## Use instead
    ```python
    class ProxyUser(RemoteUserMiddleware):
        header = "HTTP_X_REMOTE_USER" if django.VERSION >= (6, 1) else "X_REMOTE_USER"
    ```

    ## Source
    Django's documentation, "How to authenticate using REMOTE_USER"; the release notes of
    Django 6.1, "django.contrib.auth"; `RemoteUserMiddleware` in
    `django/contrib/auth/middleware.py`.
    """
    if not case.asgi:
        return
    for entry in used(case):
        if not entry.is_a(REMOTE_USER) or not entry.conduct.mode:
            continue
        yield from _remote_user(entry, import_string(entry.path))


def _remote_user(entry: Entry, cls: Any) -> Iterator[Finding]:
    # It can be imported only where the app is installed.
    from django.contrib.auth.middleware import RemoteUserMiddleware  # noqa: PLC0415

    place = entry.place()
    own_sync = cls.process_request is not RemoteUserMiddleware.process_request
    own_async = cls.aprocess_request is not RemoteUserMiddleware.aprocess_request
    prefixes = not hasattr(RemoteUserMiddleware, "get_username")
    if own_async or cls.__acall__ is not RemoteUserMiddleware.__acall__:
        return
    if own_sync:
        if not prefixes:
            yield Finding(
                f"{entry.path} overrides process_request(), and under ASGI Django calls "
                "aprocess_request() alone: what it does is not done.",
                "Override aprocess_request() too.",
                place,
            )
        return
    if not prefixes and cls.get_username is not RemoteUserMiddleware.get_username:
        return
    header = getattr(cls, "header", None)
    if not isinstance(header, str):
        return
    if header == RemoteUserMiddleware.header:
        yield Finding(
            f"{entry.path} signs in whoever the header Remote-User names: under ASGI REMOTE_USER "
            "is no variable of the server but a header, which clients can send where the proxy "
            "does not remove it.",
            "Let the proxy set Remote-User on every request, or remove it.",
            place,
            "W",
        )
    elif prefixes and header.startswith("HTTP_"):
        yield Finding(
            f"{entry.path} looks for {header!r}, and under ASGI this Django puts another HTTP_ "
            "before it: no request has that header, and nobody is signed in.",
            f"Set header = {header.removeprefix('HTTP_')!r} for this Django; from Django 6.1 on "
            f"it is {header!r} again.",
            place,
        )
    elif not prefixes and not header.startswith("HTTP_"):
        yield Finding(
            f"{entry.path} looks for {header!r}, and under ASGI all headers of a request begin "
            "with HTTP_: no request has that one, and nobody is signed in.",
            f"Set header = {'HTTP_' + header!r}.",
            place,
        )
