"""Which hooks of Django's own middleware need no thread: they cannot block, so they run here.

The hook that runs is always Django's; the table only says where. Each row names the
condition under which the hook does no I/O, read from its source in the releases that
``source.READ_VERSIONS`` names. Another release, a subclass, a patched hook or an
unfulfilled condition means a thread, as with Django's handler.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import django
from django.conf import settings
from django.http import HttpResponse
from django.template.response import SimpleTemplateResponse
from django.urls.converters import REGISTERED_CONVERTERS

from deploytool.handlers.source import READ_VERSIONS, is_original, is_read_version

if TYPE_CHECKING:
    from collections.abc import Callable

_SMALL = 64 * 1024
"""Bytes of content that are hashed on the event loop: well below a millisecond."""

_SESSION_ENGINES = "django.contrib.sessions.backends"
_CACHE_BACKENDS = "django.core.cache.backends."
_MESSAGE_STORAGES = "django.contrib.messages.storage."
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")  # RFC 9110, section 9.2.1


@dataclass(frozen=True, slots=True)
class Rule:
    """That ``hook`` of a middleware class may run on the event loop, and when."""

    hook: str
    condition: str
    """In words, for people: "always", or what has to be so of a request."""
    holds: Callable[..., bool]
    """Called with the middleware and the hook's arguments, just before it would run."""
    since: tuple[int, int] = READ_VERSIONS[0]
    """The first release of Django whose hook it is true of."""
    function: object = None
    """The very function that was read; a hook that is another one has no rule."""

    def covers(self, hook: Any, arguments: tuple[Any, ...]) -> bool:
        """Whether the bound method ``hook`` may run on the event loop with ``arguments``."""
        try:
            return hook.__func__ is self.function and self.holds(hook.__self__, *arguments)
        except Exception:  # of a request or response that is not as usual
            return False


def rules_for(cls: type) -> dict[str, Rule]:
    """The rules for instances of exactly ``cls``, by the name of the hook."""
    if not is_read_version():
        return {}
    return {
        rule.hook: replace(rule, function=cls.__dict__[rule.hook])
        for rule in _RULES.get(f"{cls.__module__}.{cls.__qualname__}", ())
        if django.VERSION[:2] >= rule.since and is_original(cls.__dict__.get(rule.hook))
    }


def _always(*_: Any) -> bool:
    return True


def _is_loaded(dotted_path: str) -> bool:
    """Whether the module of ``dotted_path`` is imported: an import reads files."""
    return dotted_path.rpartition(".")[0] in sys.modules


def _has_plain_content(response: Any) -> bool:
    """Whether reading the content of ``response`` runs nothing but Django's code."""
    content = getattr(type(response), "content", None)
    return response.streaming or content in (HttpResponse.content, SimpleTemplateResponse.content)


def _is_djangos_engine(middleware: Any) -> bool:
    """Whether sessions are Django's, in a store that is opened without I/O."""
    store = middleware.SessionStore
    package, _, engine = store.__module__.rpartition(".")
    if package != _SESSION_ENGINES or engine == "file":  # which looks for its directory
        return False
    if engine in ("cache", "cached_db"):
        backend: str = settings.CACHES[settings.SESSION_CACHE_ALIAS]["BACKEND"]
        return backend.startswith(_CACHE_BACKENDS) and _is_loaded(backend)
    return True


def _session_opens(middleware: Any, request: Any) -> bool:
    return _is_djangos_engine(middleware)


def _session_is_not_saved(middleware: Any, request: Any, response: Any) -> bool:
    session = request.session
    return (
        type(session) is middleware.SessionStore
        and _is_djangos_engine(middleware)
        and not session.modified
        and not settings.SESSION_SAVE_EVERY_REQUEST
    )


def _no_www_redirect(middleware: Any, request: Any) -> bool:
    # PREPEND_WWW looks the path up in the URLconf, whose converters may be the project's.
    return not settings.PREPEND_WWW or not REGISTERED_CONVERTERS


def _no_slash_redirect(middleware: Any, request: Any, response: Any) -> bool:
    looks_up = (
        response.status_code == 404
        and settings.APPEND_SLASH
        and not request.path_info.endswith("/")
    )
    return _has_plain_content(response) and not (looks_up and REGISTERED_CONVERTERS)


def _csrf_in_cookie(middleware: Any, request: Any, response: Any = None) -> bool:
    return not settings.CSRF_USE_SESSIONS


def _csrf_accepts(middleware: Any, request: Any, callback: Any, *_: Any) -> bool:
    return (
        request.method in _SAFE_METHODS
        or getattr(request, "csrf_processing_done", False)
        or getattr(callback, "csrf_exempt", False)
    )


def _messages_open(middleware: Any, request: Any) -> bool:
    storage = settings.MESSAGE_STORAGE
    return storage.startswith(_MESSAGE_STORAGES) and _is_loaded(storage)


def _messages_untouched(middleware: Any, request: Any, response: Any) -> bool:
    storage = request.__dict__.get("_messages")
    return storage is None or (
        type(storage).__module__.startswith(_MESSAGE_STORAGES)
        and not storage.used
        and not storage.added_new
        and not storage._queued_messages
    )


def _view_is_public(middleware: Any, request: Any, callback: Any, *_: Any) -> bool:
    return not getattr(callback, "login_required", True)


def _not_compressed(middleware: Any, request: Any, response: Any) -> bool:
    return _has_plain_content(response) and (
        (not response.streaming and len(response.content) < 200)
        or response.has_header("Content-Encoding")
        or "gzip" not in request.META.get("HTTP_ACCEPT_ENCODING", "")
    )


def _little_to_hash(middleware: Any, request: Any, response: Any) -> bool:
    return request.method != "GET" or (
        _has_plain_content(response) and not response.streaming and len(response.content) <= _SMALL
    )


def _not_missing(middleware: Any, request: Any, response: Any) -> bool:
    status: int = response.status_code
    return status != 404


def _language_is_known(middleware: Any, request: Any, response: Any) -> bool:
    # All that is looked up was looked up, and cached, by its process_request().
    return (
        response.status_code != 404
        and "LANGUAGE_CODE" in request.__dict__
        and "urlconf" not in request.__dict__
    )


_RULES: dict[str, tuple[Rule, ...]] = {
    "django.middleware.security.SecurityMiddleware": (
        Rule("process_request", "always", _always),
        Rule("process_response", "always", _always),
    ),
    "django.contrib.sessions.middleware.SessionMiddleware": (
        Rule("process_request", "sessions in Django's engines other than files", _session_opens),
        Rule("process_response", "the session was not modified", _session_is_not_saved),
    ),
    "django.middleware.common.CommonMiddleware": (
        Rule("process_request", "no path converter of the project's own", _no_www_redirect),
        Rule("process_response", "no path converter of the project's own", _no_slash_redirect),
    ),
    "django.middleware.csrf.CsrfViewMiddleware": (
        Rule("process_request", "the CSRF secret is in a cookie", _csrf_in_cookie),
        Rule("process_view", "a safe method, or an exempt view", _csrf_accepts),
        Rule("process_response", "the CSRF secret is in a cookie", _csrf_in_cookie),
    ),
    "django.contrib.auth.middleware.AuthenticationMiddleware": (
        Rule("process_request", "always", _always),
    ),
    "django.contrib.auth.middleware.LoginRequiredMiddleware": (
        # Django 5.2 asks who the user is before it looks at the view.
        Rule("process_view", "a view that needs no login", _view_is_public, since=(6, 0)),
    ),
    "django.contrib.messages.middleware.MessageMiddleware": (
        Rule("process_request", "messages in Django's storages", _messages_open),
        Rule("process_response", "messages neither read nor added", _messages_untouched),
    ),
    "django.middleware.clickjacking.XFrameOptionsMiddleware": (
        Rule("process_response", "always", _always),
    ),
    # Since Django 6.0.
    "django.middleware.csp.ContentSecurityPolicyMiddleware": (
        Rule("process_request", "always", _always),
        Rule("process_response", "always", _always),
    ),
    "django.middleware.gzip.GZipMiddleware": (
        Rule("process_response", "a response that is not compressed", _not_compressed),
    ),
    "django.middleware.http.ConditionalGetMiddleware": (
        Rule("process_response", "at most 64 KiB to hash", _little_to_hash),
    ),
    "django.middleware.locale.LocaleMiddleware": (
        Rule("process_response", "any status but 404", _language_is_known),
    ),
    "django.middleware.common.BrokenLinkEmailsMiddleware": (
        Rule("process_response", "any status but 404", _not_missing),
    ),
    "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware": (
        Rule("process_response", "any status but 404", _not_missing),
    ),
    "django.contrib.redirects.middleware.RedirectFallbackMiddleware": (
        Rule("process_response", "any status but 404", _not_missing),
    ),
}
