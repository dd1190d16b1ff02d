"""The project's entry point as development wants it."""

from __future__ import annotations

import importlib
import os
from functools import reduce
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.core.signals import request_started
from django.template.autoreload import reset_loaders

from deploytool.development.failing import failed_application

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploytool.project.facts import Interface


def development_application(interface: Interface, static_handler: Callable[[Any], Any]) -> Any:
    """The application that ``$DEPLOYTOOL_APPLICATION`` names, ``module:attribute``, wrapped.

    It stands behind ``static_handler``, with templates read anew for each request. Where
    its import raises, an application that answers every request with the error.
    """
    try:
        return _wrap(_load(os.environ["DEPLOYTOOL_APPLICATION"]), static_handler)
    except (Exception, SystemExit) as error:  # a project may also end at import
        return failed_application(error, interface)


def _load(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return reduce(getattr, attribute.split("."), importlib.import_module(module))


def _wrap(application: Any, static_handler: Callable[[Any], Any]) -> Any:
    # Django's cached template loader is on in development too (since 4.1), and it is
    # runserver's reloader that resets it; other servers know nothing of templates.
    request_started.connect(_reset_templates, dispatch_uid="deploytool.development")
    if apps.is_installed("django.contrib.staticfiles") and settings.STATIC_URL:
        return static_handler(application)
    return application


def _reset_templates(**_: object) -> None:
    reset_loaders()
