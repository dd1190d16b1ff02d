"""``get_asgi_application()``: the one import that changes in a project's ``asgi.py``."""

from __future__ import annotations

import django

from deploytool.conf import read_conf
from deploytool.handlers.asgi import ASGIHandler
from deploytool.handlers.options import DEFAULT_THREADS, Options


def get_asgi_application() -> ASGIHandler:
    """Set Django up and return the handler for ASGI servers.

    To be used where ``django.core.asgi.get_asgi_application`` was. Reads
    ``settings.DEPLOYTOOL``; raises ImproperlyConfigured where that is not right.
    """
    django.setup(set_prefix=False)
    conf = read_conf()
    return ASGIHandler(
        Options(
            threads=conf.asgi_threads or DEFAULT_THREADS,
            thread_timeout=conf.asgi_thread_timeout,
            off=frozenset(conf.asgi_handler_off),
        )
    )
