"""Checks of what Django loads as middleware: can it be imported, made and called at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploytool.checks.entries import entries, used
from deploytool.checks.rule import Finding, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case


@rule(100, "E")
def unimportable(case: Case) -> Iterator[Finding]:
    """A middleware cannot be imported.

    An entry of `MIDDLEWARE` names a module or an attribute that does not exist, one whose
    import raises, or something that cannot be called.

    ## Why is this bad?
    Django's handler imports every entry when it is built, which is when a worker starts:
    none serves a request. `manage.py check --deploy` does not look.

    ## Example
    ```python
    MIDDLEWARE = ["shop.middleware.TimingMidleware"]
    ```

    ## Use instead
    The path as it is, a package that is among the project's dependencies, or no entry.

    ## Source
    `BaseHandler.load_middleware()` in `django/core/handlers/base.py`; Django's
    documentation, "Activating middleware".
    """
    for middleware in case.project.middleware:
        if middleware.error is not None:
            yield Finding(
                f"{middleware.path} in MIDDLEWARE cannot be imported: {middleware.error}. "
                "Django's handler imports it when a worker starts: none will serve a request.",
                f"Correct {middleware.setting}, install the package that it comes from, or take "
                "the entry out.",
                middleware.error.location or middleware.set_at or middleware.setting,
            )


@rule(101, "E")
def incapable(case: Case) -> Iterator[Finding]:
    """A middleware says that it is capable of neither mode.

    Both `sync_capable` and `async_capable` of an entry of `MIDDLEWARE` are false.

    ## Why is this bad?
    Django's handler raises `RuntimeError: Middleware … must have at least one of
    sync_capable/async_capable set to True.` when it is built: no worker serves a request.

    ## Example
    ```python
    class Timing:
        sync_capable = False
        async_capable = False
    ```

    ## Use instead
    ```python
    class Timing:
        sync_capable = True
        async_capable = False
    ```

    ## Source
    `BaseHandler.load_middleware()` in `django/core/handlers/base.py`; Django's
    documentation, "Asynchronous support" of middleware.
    """
    for middleware in case.project.middleware:
        if not (middleware.error or middleware.sync_capable or middleware.async_capable):
            yield Finding(
                f"{middleware.path} has sync_capable and async_capable both false: Django's "
                "handler raises a RuntimeError when a worker starts, and none will serve a "
                "request.",
                "Set the one to True that its call is written for; sync_capable where it is a "
                "plain function.",
                middleware.location or middleware.set_at or middleware.setting,
            )


@rule(102, "EW")
def unmakeable(case: Case) -> Iterator[Finding]:
    """A middleware cannot be made.

    Its class or function was called with a `get_response`, as Django's handler does, in a
    process of its own. It raised an exception, returned None, or did not come to an end.
    Where the exception says that something elsewhere could not be reached (a refused
    connection), the level is WARNING: it may be reachable from where the site is served.

    ## Why is this bad?
    Django's handler makes every middleware when a worker starts. One that raises ends the
    worker, or answers every request with an error.

    ## Example
    ```python
    class Legacy:  # in the form from before Django 1.10: no get_response
        def process_request(self, request): ...
    ```

    ## Use instead
    ```python
    class Modern(MiddlewareMixin):
        def process_request(self, request): ...
    ```

    ## Source
    Django's documentation, "Writing your own middleware"; `BaseHandler.load_middleware()`
    in `django/core/handlers/base.py`.
    """
    for entry in entries(case):
        error = entry.conduct.error
        if error is None or entry.conduct.status not in ("error", "hangs"):
            continue
        if entry.fact.error:
            continue
        raised = str(error).rstrip(".")
        if entry.conduct.temporary:
            yield Finding(
                f"{entry.path} could not be made here: {raised}. If that is so where the site "
                "is served, no request is answered.",
                "Connect when a request needs it, rather than in the constructor; or run this "
                "check where the service can be reached.",
                entry.place(error.location),
                "W",
            )
            continue
        effect = "hangs when it starts" if entry.conduct.status == "hangs" else "cannot start"
        yield Finding(
            f"{entry.path} cannot be made: {raised}. A worker makes every middleware when it "
            f"starts: it {effect}, and serves no request.",
            _how_to_make(error.message),
            entry.place(error.location),
        )


def _how_to_make(message: str) -> str:
    if "returned None" in message:
        return "Return the middleware from the function: it ends without a return."
    if "takes no arguments" in message or "positional argument" in message:
        return (
            "Let it take get_response alone: derive the class from "
            "django.utils.deprecation.MiddlewareMixin, or write __init__(self, get_response) "
            "and __call__(self, request)."
        )
    return "Mend what it raises, or take the entry out of MIDDLEWARE."


@rule(103, "EW")
def not_a_middleware(case: Case) -> Iterator[Finding]:
    """An ASGI or WSGI middleware is listed in `MIDDLEWARE`.

    What Django calls with a request alone asks for `scope, receive, send`, for `environ,
    start_response`, or for other arguments; or a hook takes fewer or more arguments than
    Django gives it. WARNING for hooks that only some requests come to: those for exceptions
    and for responses with templates.

    ## Why is this bad?
    Every request fails: `TypeError: … missing 2 required positional arguments: 'receive' and
    'send'`. Such middleware wraps the application, and knows nothing of Django's requests.

    ## Example
    ```python
    MIDDLEWARE = ["starlette.middleware.gzip.GZipMiddleware"]
    ```

    ## Use instead
    ```python
    # asgi.py
    application = GZipMiddleware(get_asgi_application())
    ```

    ## Source
    Django's documentation, "How to deploy with ASGI", "Applying ASGI middleware".
    """
    module = "asgi.py" if case.asgi else "wsgi.py"
    for entry in used(case):
        problem = entry.conduct.call_problem
        if problem is None:
            continue
        name = entry.path.rpartition(".")[2]
        if problem in ("asgi", "wsgi"):
            kind = problem.upper()
            takes = "scope, receive, send" if problem == "asgi" else "environ, start_response"
            hint = (
                f"Take it out of MIDDLEWARE and wrap the application in {module}: "
                f"application = {name}(application)."
                if (problem == "asgi") == case.asgi
                else f"Take it out of MIDDLEWARE: it can wrap {kind} applications only."
            )
            yield Finding(
                f"{entry.path} is a middleware for {kind} applications, called with {takes}; "
                "Django calls what MIDDLEWARE lists with a request, so that every request fails "
                "with a TypeError.",
                hint,
                entry.listed,
            )
        else:
            yield Finding(
                f"{entry.path} makes something that cannot be called with a request ({problem}): "
                "every request fails with a TypeError.",
                "Let the function return, or the class be, a callable that takes a request.",
                entry.place(entry.conduct.call_at),
            )
    for entry in used(case):
        for hook in entry.conduct.hooks:
            # Others than the mixin may call these two as they like.
            around = hook.name in _AROUND
            if hook.problem is None or (
                around and (not entry.conduct.mixin or entry.conduct.own_call)
            ):
                continue
            takes, whom = _GIVEN[hook.name]
            yield Finding(
                f"{hook.name} of {entry.path} is defined with {hook.problem}, and Django calls it "
                f"with {takes}: {whom} fails with a TypeError.",
                f"def {hook.name}(self, {takes})",
                entry.place(hook.location),
                "E" if whom == _EVERY else "W",
            )


_EVERY = "every request"
_AROUND = ("process_request", "process_response")
_GIVEN = {
    "process_request": ("request", _EVERY),
    "process_response": ("request, response", _EVERY),
    "process_view": ("request, view_func, view_args, view_kwargs", _EVERY),
    "process_exception": ("request, exception", "each request whose view raises"),
    "process_template_response": ("request, response", "each view with a TemplateResponse"),
}
"""What Django calls the hooks with (documentation, "Middleware", "Other middleware hooks")."""


@rule(132, "I")
def listed_twice(case: Case) -> Iterator[Finding]:
    """A middleware is listed twice.

    The same path is in `MIDDLEWARE` more than once.

    ## Why is this bad?
    Django makes it and calls it as often: what it does to requests and responses is done
    twice. Settings that add to a list that has it already are the usual reason.

    ## Example
    ```python
    from .base import *
    MIDDLEWARE += ["django.middleware.locale.LocaleMiddleware"]  # base has it
    ```

    ## Use instead
    The list without the second one.

    ## Source
    `BaseHandler.load_middleware()` in `django/core/handlers/base.py`.
    """
    seen: dict[str, str] = {}
    for middleware in case.project.middleware:
        if middleware.path in seen and not middleware.error:
            yield Finding(
                f"{middleware.path} is listed twice, as {seen[middleware.path]} and as "
                f"{middleware.setting}: every request goes through it twice.",
                "Take one of them out.",
                middleware.set_at or middleware.setting,
            )
        seen.setdefault(middleware.path, middleware.setting)
