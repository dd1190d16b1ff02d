"""The project's entry point as development wants it."""

from __future__ import annotations

import importlib
import os
from functools import reduce
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.signals import request_started
from django.template.autoreload import reset_loaders

if TYPE_CHECKING:
    from collections.abc import Callable


def load_application() -> Any:
    """The application that ``$DEPLOYTOOL_APPLICATION`` names, ``module:attribute``.

    Whatever its import raises is left to the server, which shows it and, where it
    reloads, waits for the change that mends it.
    """
    module, _, attribute = os.environ["DEPLOYTOOL_APPLICATION"].partition(":")
    return reduce(getattr, attribute.split("."), importlib.import_module(module))


def wrap(application: Any, static_handler: Callable[[Any], Any]) -> Any:
    """``application`` behind ``static_handler``, with templates read anew for each request.

    Django's cached template loader is on in development too (since 4.1), and it is
    runserver's reloader that resets it; other servers know nothing of templates.
    """
    request_started.connect(_reset_templates, dispatch_uid="deploytool.development")
    if apps.is_installed("django.contrib.staticfiles"):
        return static_handler(application)
    return application


def _reset_templates(**_: object) -> None:
    reset_loaders()
