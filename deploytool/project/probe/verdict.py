"""Whether an application fits its role, and what to write instead where it does not."""

from __future__ import annotations

import inspect
from typing import Any

from .signature import descends, dotted

_SPELLED = {"wsgi": "a WSGI application", "asgi": "an ASGI application"}
_SPELLED |= {"asgi2": "an ASGI 2 application (a double callable)"}


def verdict(
    app: Any, role: str, interface: str | None, problem: str | None, name: str
) -> tuple[str, str | None, str | None]:
    """Status, error class and message of ``app``, which is ``name`` (module:attribute)."""
    attribute = name.rpartition(":")[2]
    builder = f"get_{role}_application()"
    if not callable(app):
        return "error", "TypeError", _not_callable(app, name, attribute)
    if interface == "factory":
        if isinstance(app, type):
            handler = descends(app, "django.core.handlers.base.BaseHandler")
            call = builder if handler else f"{app.__name__}(...)"
            text = f"{name} is a class, not an application made of it: write {attribute} = {call}"
        else:
            own = app.__name__ if inspect.isroutine(app) else attribute
            text = (
                f"{name} is a function that returns the application and was not called: "
                f"write {attribute} = {own}()"
            )
        return "wrong-interface", "TypeError", text
    wanted = {"wsgi": {"wsgi"}, "asgi": {"asgi", "asgi2"}}[role]
    if interface is not None and interface not in wanted:
        text = (
            f"{name} is {_SPELLED[interface]} ({dotted(app)}), and {_SPELLED[role]} is needed "
            f"here: with it, a server answers 500 to every request"
        )
        text += f". {problem}" if problem else f"; {builder} makes one"
        return "wrong-interface", "TypeError", text
    if problem is not None:
        return "wrong-interface", "TypeError", f"{name} fails when it is called: {problem}"
    return "ok", None, None


def _not_callable(app: Any, name: str, attribute: str) -> str:
    text = f"{name} is not callable: it is {_article(type(app).__name__)}"
    if descends(app, "django.utils.functional.LazyObject"):
        text += ", which cannot be called even where what it stands for can"
    elif inspect.ismodule(app):
        text += f"; name the application in it, {app.__name__}.application"
    elif app is None:
        text = f"{name} is None"
    return text


def _article(name: str) -> str:
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
