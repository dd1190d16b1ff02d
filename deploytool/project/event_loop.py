"""Which hooks of a middleware deploytool's handler calls on the event loop, and when.

Its table (``deploytool.handlers.inline``) has conditions of the settings and of the request
in one. What the settings make of them is found out by asking for an ordinary request: a GET
by a browser without a session, which reaches a public view and is answered with a page of
a few kilobytes. No hook is called, and only Django's own middleware, which the table
consists of, are instantiated.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from deploytool.handlers.inline import rules_for
from deploytool.project.facts import EventLoopHook

if TYPE_CHECKING:
    from deploytool.handlers.inline import Rule


def event_loop_hooks(cls: type) -> tuple[EventLoopHook, ...]:
    """The hooks of ``cls`` that may need no thread, with the condition for each."""
    rules = rules_for(cls)
    if not rules:
        return ()
    _load_what_the_first_request_loads()
    middleware: Any = None
    with suppress(Exception):  # SessionMiddleware imports SESSION_ENGINE
        middleware = cls(_answer)
    return tuple(
        EventLoopHook(rule.hook, rule.condition, _is_met(rule, middleware))
        for rule in rules.values()
    )


def _load_what_the_first_request_loads() -> None:
    """Conditions ask whether these are imported, as they are after the first request."""
    with suppress(Exception):
        _load(settings.MESSAGE_STORAGE)
    with suppress(Exception):
        _load(settings.CACHES[settings.SESSION_CACHE_ALIAS]["BACKEND"])


def _load(dotted_path: str) -> None:
    if dotted_path.startswith("django."):
        import_module(dotted_path.rpartition(".")[0])


def _answer(request: HttpRequest) -> HttpResponse:
    """An ordinary view that everybody may see."""
    del request
    return HttpResponse(b"x" * 4096)


_answer.login_required = False  # type: ignore[attr-defined]  # as login_not_required() does


def _is_met(rule: Rule, middleware: Any) -> bool:
    if middleware is None:
        return False
    request = _request(middleware)
    arguments: dict[str, tuple[Any, ...]] = {
        "process_request": (request,),
        "process_view": (request, _answer, (), {}),
        "process_response": (request, _answer(request)),
    }
    return rule.covers(getattr(middleware, rule.hook), arguments[rule.hook])


def _request(middleware: Any) -> Any:
    request: Any = HttpRequest()
    request.method = "GET"
    request.path = request.path_info = "/"
    request.META = {"HTTP_ACCEPT_ENCODING": "gzip"}
    request.LANGUAGE_CODE = settings.LANGUAGE_CODE
    store = getattr(middleware, "SessionStore", None)
    if store is not None:
        # Without its constructor, which may be the project's own.
        request.session = store.__new__(store)
        request.session.modified = False
    return request
