"""What the settings make of a coroutine's use of the user, of the session, and of mail."""

from __future__ import annotations

from importlib import import_module
from types import CodeType, FunctionType
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.sessions.backends import cached_db, db
from django.core.mail.backends import smtp
from django.utils.module_loading import import_string

from deploytool.project.definitions import cells, is_a
from deploytool.project.scopes import functions_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOADING = frozenset({"user", "auser", "session", "get_user", "aget_user"})


def keeps_sessions_in_database() -> bool:
    """Whether loading a session asks the database."""
    name = getattr(settings, "SESSION_ENGINE", None)
    try:
        store = import_module(str(name)).SessionStore
    except Exception:
        return False
    return isinstance(store, type) and issubclass(store, db.SessionStore | cached_db.SessionStore)


def sends_mail_to_server() -> bool:
    """Whether the backend for mail waits for a mail server."""
    name = getattr(settings, "EMAIL_BACKEND", None)
    try:
        backend = import_string(str(name))
    except Exception:
        return False
    return isinstance(backend, type) and issubclass(backend, smtp.EmailBackend)


def looks_at_user(path: str) -> bool:
    """Whether the code of a middleware names the user or the session of a request.

    Django's own say for themselves: SessionMiddleware and AuthenticationMiddleware load
    neither, and CsrfViewMiddleware loads the session where it keeps its token in it.
    """
    if path.startswith("django.contrib.auth.middleware.AuthenticationMiddleware"):
        return False
    try:
        factory: object = import_string(path)
    except Exception:
        return False
    if is_a(factory, type):
        bases = [base for base in factory.__mro__ if not base.__module__.startswith("django.")]
        if any(base.__name__ == "CsrfViewMiddleware" for base in factory.__mro__):
            return bool(getattr(settings, "CSRF_USE_SESSIONS", False))
        functions = [
            each for base in bases for value in vars(base).values() for each in functions_of(value)
        ]
    else:
        functions = [
            each
            for value in (
                factory,
                *(cells(factory).values() if is_a(factory, FunctionType) else ()),
            )
            for each in functions_of(value)
        ]
    return any(not _LOADING.isdisjoint(_names(each.__code__)) for each in functions)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield from _names(value)
