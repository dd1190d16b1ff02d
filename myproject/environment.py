"""Settings that come from the environment: read strictly, so that a typo is an error."""

from __future__ import annotations

import os

from django.core.exceptions import ImproperlyConfigured

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")


def text(name: str, default: str = "") -> str:
    """The value of ``name`` without surrounding blanks; ``default`` where it is unset or empty."""
    return os.environ.get(name, "").strip() or default


def boolean(name: str, *, default: bool) -> bool:
    """``name`` as a boolean.

    The string "False" is true to Python, which is how DEBUG stays on in production; so the
    usual words are understood and any other is refused with ImproperlyConfigured.
    """
    value = text(name).lower()
    if not value:
        return default
    if value not in _TRUE + _FALSE:
        raise ImproperlyConfigured(
            f"The environment variable {name} is {os.environ[name]!r}, which is not a boolean: "
            f"use one of {', '.join(_TRUE)} or one of {', '.join(_FALSE)}."
        )
    return value in _TRUE


def whole_number(name: str, *, default: int) -> int:
    """``name`` as an integer of at least 0, else ImproperlyConfigured."""
    value = text(name)
    if not value:
        return default
    if not (value.isascii() and value.isdigit()):
        raise ImproperlyConfigured(
            f"The environment variable {name} is {value!r}, which is not a whole number."
        )
    return int(value)


def words(name: str, default: tuple[str, ...] = ()) -> list[str]:
    """``name`` as a list: separated by commas, blanks and empty entries dropped."""
    found = [word.strip() for word in text(name).split(",")]
    return [word for word in found if word] or list(default)
