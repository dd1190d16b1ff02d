"""Which e-mail backends are configured, and where mail goes by them."""

from __future__ import annotations

import warnings
from typing import NamedTuple

from django.conf import settings

# Django's backends for development (its documentation, "Email backends").
_NOWHERE = {
    "django.core.mail.backends.console.EmailBackend": "prints messages to the console",
    "django.core.mail.backends.filebased.EmailBackend": "writes messages to files",
    "django.core.mail.backends.locmem.EmailBackend": "keeps messages in memory",
    "django.core.mail.backends.dummy.EmailBackend": "drops messages",
}


class Nowhere(NamedTuple):
    """A backend that sends nothing: the setting that names it, and what it does instead."""

    setting: str
    name: str
    does: str


def backends_to_nowhere() -> tuple[Nowhere, ...]:
    """The configured backends that are Django's for development.

    ``EMAIL_BACKEND``, or from Django 6.1 on the entries of ``MAILERS``.
    """
    found = []
    mailers = getattr(settings, "MAILERS", None)
    for alias, entry in mailers.items() if isinstance(mailers, dict) else ():
        backend = entry.get("BACKEND") if isinstance(entry, dict) else None
        if isinstance(backend, str) and backend in _NOWHERE:
            found.append(Nowhere("MAILERS", f"MAILERS[{alias!r}]", _NOWHERE[backend]))
    if settings.is_overridden("EMAIL_BACKEND"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated from Django 6.1 on
            backend = getattr(settings, "EMAIL_BACKEND", None)
        if isinstance(backend, str) and backend in _NOWHERE:
            found.append(Nowhere("EMAIL_BACKEND", "EMAIL_BACKEND", _NOWHERE[backend]))
    return tuple(found)
