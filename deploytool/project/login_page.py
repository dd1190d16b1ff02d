"""Whether the page to log in at asks for a login itself.

Told by what Django looks at: the attribute ``login_required`` of a view, which
``login_not_required()`` sets, and the classes and functions of ``django.contrib.auth`` that
redirect to ``LOGIN_URL``. No view is called.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Literal

from django.conf import settings
from django.utils.module_loading import import_string

from deploytool.project.definitions import cells, dotted, is_a, location_of
from deploytool.project.views import walk_routes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.project.facts import Location, Project

LOGIN_REQUIRED = "django.contrib.auth.middleware.LoginRequiredMiddleware"
_HOOKS = {"process_view", "get_login_url", "handle_no_permission"}


@dataclass(frozen=True, slots=True)
class LoginPage:
    """The view behind LOGIN_URL; ``by`` is what redirects there, and would do so for it too."""

    route: str
    view: str
    by: Literal["middleware", "decorator", "mixin"]
    location: Location | None = None


def closed_login_page(project: Project) -> LoginPage | None:
    """The page to log in at, where nobody gets to see it who is not logged in."""
    found = _login_view(project)
    if found is None:
        return None
    route, callback = found
    by = _asks(project, callback)
    if by is None:
        return None
    subject = getattr(callback, "view_class", None) or callback
    while is_a(subject, FunctionType) and is_a(inner := _wrapped(subject), FunctionType):
        subject = inner
    return LoginPage(route, dotted(subject), by, location_of(subject, project.base_dir))


def _wrapped(function: object) -> object:
    return getattr(function, "__wrapped__", None)


def _login_view(project: Project) -> tuple[str, object] | None:
    """The one route that LOGIN_URL names; as a path, or by its name without arguments."""
    url: object = getattr(settings, "LOGIN_URL", None)
    if not isinstance(url, str) or not url:
        return None
    named = {view.route for view in project.views.views if view.name == url}
    routes = walk_routes(project.base_dir)
    path = url.partition("?")[0].removeprefix("/") if url.startswith("/") else None
    # The first that matches answers; a pattern above it that would match too is not looked for.
    found = [each for each in routes if each[0] == path or each[0] in named]
    return found[0] if len({id(callback) for _, callback in found}) == 1 else None


def _asks(project: Project, callback: object) -> Literal["middleware", "decorator", "mixin"] | None:
    for middleware in project.middleware:
        as_it_is = LOGIN_REQUIRED in middleware.bases and not _own_hooks(middleware.path)
        asks = getattr(callback, "login_required", True) and not _elsewhere(callback)
        if as_it_is and asks:
            return "middleware"
    cls = getattr(callback, "view_class", None)
    if is_a(cls, type):
        for base in cls.__mro__:
            own = base.__module__.startswith("django.")
            if own and base.__qualname__ == "LoginRequiredMixin":
                return None if _elsewhere(cls) else "mixin"
            if not own and {"dispatch", "handle_no_permission"} & set(base.__dict__):
                break
    for layer in _layers(callback):
        # login_required() and its like: user_passes_test(), with a test of django.contrib.auth
        inside = cells(layer)
        test, redirect = inside.get("test_func"), inside.get("_redirect_to_login")
        if is_a(redirect, FunctionType):
            inside = cells(redirect)
        if (
            layer.__code__.co_filename.replace("\\", "/").endswith("auth/decorators.py")
            and is_a(test, FunctionType)
            and test.__module__ == "django.contrib.auth.decorators"
            and "is_authenticated" in test.__code__.co_names
            and not inside.get("login_url")
        ):
            return "decorator"
    return None


def _elsewhere(view: object) -> bool:
    """Whether a view redirects to a page of its own choice."""
    return bool(getattr(view, "login_url", None))


def _own_hooks(path: str) -> bool:
    """Whether a subclass of LoginRequiredMiddleware decides or redirects by itself."""
    try:
        cls = import_string(path)
    except Exception:
        return True
    own = [base for base in cls.__mro__ if not base.__module__.startswith("django.")]
    return any(_HOOKS & set(base.__dict__) for base in own)


def _layers(callback: object) -> Iterator[FunctionType]:
    """A function and what it wraps, the outermost first."""
    for _ in range(20):
        if not is_a(callback, FunctionType):
            return
        yield callback
        callback = _wrapped(callback)
