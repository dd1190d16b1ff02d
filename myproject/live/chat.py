"""The rules of the chat: who somebody is, and what may be said. Nothing here is asynchronous."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

from django import forms

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
    from django.contrib.sessions.backends.base import SessionBase

NAME_LENGTH = 30
TEXT_LENGTH = 500
# JSON may write a character as two escapes of six characters each.
_FRAME_LENGTH = 12 * TEXT_LENGTH + 100
_KEY = "chat_name"


class NameForm(forms.Form):
    """What a guest wants to be called."""

    name = forms.CharField(label="Your name", max_length=NAME_LENGTH)


class RefusedError(ValueError):
    """A message that is not passed on; its text says why."""


def name_guest(session: SessionBase, name: str | None = None) -> None:
    """Keep a guest's name in the session; without one, the first visit gets a number."""
    if name or _KEY not in session:
        session[_KEY] = name or f"Visitor {secrets.randbelow(9000) + 1000}"


def visitor_name(user: AbstractBaseUser | AnonymousUser, session: SessionBase) -> str:
    """The name to show. A guest is marked, so that nobody can pass for a member."""
    if user.is_authenticated:
        return user.get_username()
    return f"{session.get(_KEY, 'Somebody')} (guest)"


def read_text(frame: str | None) -> str:
    """The text of a frame that a browser sent: ``{"text": "Hello"}``. Raises RefusedError."""
    if frame is None:
        raise RefusedError("Messages are text, not binary.")
    if len(frame) > _FRAME_LENGTH:
        raise RefusedError(f"A message has at most {TEXT_LENGTH} characters.")
    try:
        text = json.loads(frame)["text"].strip()
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        raise RefusedError('A message is JSON: {"text": "Hello"}.') from None
    if not text:
        raise RefusedError("The message is empty.")
    if len(text) > TEXT_LENGTH:
        raise RefusedError(f"A message has at most {TEXT_LENGTH} characters.")
    # JSON can spell half of a surrogate pair, which no channel layer could encode.
    return text.encode("utf-8", "replace").decode("utf-8")
