"""What the settings make of a coroutine's use of the user, of the session, and of mail."""

from __future__ import annotations

from importlib import import_module
from types import CodeType, FunctionType
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.sessions.backends import cached_db, db
from django.core.mail.backends import smtp
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.module_loading import import_string

from deploytool.project.definitions import cells, is_a
from deploytool.project.scopes import functions_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOADING_USER = frozenset({"user", "get_user"})
_LOADING_SESSION = _LOADING_USER | {"auser", "aget_user", "session"}


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
    """Whether the code of a middleware names what loads the user of a request.

    Loading the session, or ``await request.auser()``, does not make ``request.user`` known.
    Django's AuthenticationMiddleware, and what else of a class is Django's, loads nothing.
    """
    return not _LOADING_USER.isdisjoint(_named(path))


def looks_at_session(path: str) -> bool:
    """Whether the code of a middleware names what loads the session of a request.

    CsrfViewMiddleware does where it keeps its token in the session.
    """
    try:
        factory: object = import_string(path)
    except Exception:
        return False
    keeps_token = is_a(factory, type) and issubclass(factory, CsrfViewMiddleware)
    if keeps_token and bool(getattr(settings, "CSRF_USE_SESSIONS", False)):
        return True
    return not _LOADING_SESSION.isdisjoint(_named(path))


def _named(path: str) -> frozenset[str]:
    """The names in the code of a middleware, but for what it inherits from Django."""
    try:
        factory: object = import_string(path)
    except Exception:
        return frozenset()
    if is_a(factory, type):
        values = [
            value
            for base in factory.__mro__
            if not base.__module__.startswith("django.")
            for value in vars(base).values()
        ]
    else:
        values = [factory]
        if is_a(factory, FunctionType):
            values += cells(factory).values()
    functions = (each for value in values for each in functions_of(value))
    return frozenset(name for each in functions for name in _names(each.__code__))


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield from _names(value)
