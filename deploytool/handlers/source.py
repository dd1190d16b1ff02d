"""Whether a piece of Django is as it was read: the version, and nothing put in its place."""

from __future__ import annotations

import sys
from types import FunctionType

import django

READ_VERSIONS = ((5, 2), (6, 0), (6, 1))
"""The feature releases of Django whose source was read for what this package knows of it."""


def is_read_version() -> bool:
    """Whether this Django is one of those."""
    return django.VERSION[:2] in READ_VERSIONS


def is_original(function: object) -> bool:
    """Whether ``function`` is the code of the module that it says it is from.

    Tools that watch a site replace functions by wrappers of the same name; what a
    wrapper does is not known.
    """
    if not isinstance(function, FunctionType):
        return False
    module = sys.modules.get(function.__module__)
    return module is not None and function.__code__.co_filename == getattr(module, "__file__", None)
