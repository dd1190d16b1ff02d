"""``get_asgi_application()``: the one import that changes in a project's ``asgi.py``."""

from __future__ import annotations

import os

import django
from django.core.exceptions import ImproperlyConfigured

from deploytool.conf import read_conf
from deploytool.handlers.asgi import ASGIHandler
from deploytool.handlers.options import ASKED_THREADS, DEFAULT_THREADS, PLANNED_THREADS, Options


def get_asgi_application() -> ASGIHandler:
    """Set Django up and return the handler for ASGI servers.

    To be used where ``django.core.asgi.get_asgi_application`` was. Reads
    ``settings.DEPLOYTOOL``, and from the environment how many threads were planned; raises
    ImproperlyConfigured where one of them is not right.
    """
    django.setup(set_prefix=False)
    conf = read_conf()
    return ASGIHandler(
        Options(
            threads=(
                _number(ASKED_THREADS)
                or conf.asgi_threads
                or _number(PLANNED_THREADS)
                or DEFAULT_THREADS
            ),
            thread_timeout=conf.asgi_thread_timeout,
            off=frozenset(conf.asgi_handler_off),
        )
    )


def _number(variable: str) -> int | None:
    """The number of an environment variable; None where it is not set or empty."""
    text = os.environ.get(variable)
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ImproperlyConfigured(
            f"${variable} has to be a whole number of at least 1, not {text!r}."
        )
    return int(text)
