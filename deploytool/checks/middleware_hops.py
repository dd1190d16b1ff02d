"""Advice about what the middleware costs: threads, and hops between them and the event loop."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deploytool.checks.entries import entries, names, used
from deploytool.checks.reordering import hops, reordering
from deploytool.checks.rule import Finding, rule
from deploytool.plan.hops import count_hops
from deploytool.project.ready import ready_methods_that_name
from deploytool.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case

_DJANGOS = "django.core.handlers.asgi.ASGIHandler"
_WHITENOISE = "whitenoise.middleware.WhiteNoiseMiddleware"


def _async_views(case: Case) -> list[str]:
    """The async views that answer at once or stream, each once."""
    views = case.project.views.views
    return list(dict.fromkeys(view.view for view in views if view.mode == "async"))


@rule(127, "I")
def synchronous_only(case: Case) -> Iterator[Finding]:
    """A middleware for synchronous requests only stands before async views.

    A middleware is not declared `async_capable`, the plan serves ASGI, and there are async
    views. WhiteNoise has a check of its own.

    ## Why is this bad?
    Django calls it, and everything above it that can be called so, in a thread, and the view
    on the event loop: more hops for each request, which the message counts. And the thread is
    held until the view returns: an async view that waits for a minute holds one for a minute.
    A response that streams is returned before it streams, and holds none.

    ## Example
    ```python
    class Timing:
        def __init__(self, get_response):
            self.get_response = get_response

        def __call__(self, request):
            return self.get_response(request)
    ```

    ## Use instead
    ```python
    class Timing:
        async_capable = True

        def __init__(self, get_response):
            self.get_response = get_response
            if iscoroutinefunction(get_response):
                markcoroutinefunction(self)

        def __call__(self, request):
            if iscoroutinefunction(self):
                return self.acall(request)
            return self.get_response(request)

        async def acall(self, request):
            return await self.get_response(request)
    ```

    ## Source
    Django's documentation, "Asynchronous support", "Performance"; "Asynchronous support" of
    middleware.
    """
    views = _async_views(case)
    if not case.asgi or not views:
        return
    chain = used(case)
    synchronous = [
        entry
        for entry in chain
        if not entry.fact.async_capable
        and not entry.conduct.mode
        and not entry.conduct.coroutine
        and not entry.is_a(_WHITENOISE)
    ]
    if not synchronous:
        return
    before = hops(case, [entry.fact for entry in chain])
    adapted = [
        replace(entry.fact, async_capable=True) if entry in synchronous else entry.fact
        for entry in chain
    ]
    after = hops(case, adapted)
    saved = (before or 0) - (after or 0)
    cost = f" and costs {counted(saved, 'hop')} of {before}" if saved > 0 else ""
    one = len(synchronous) == 1
    yield Finding(
        f"{names(entry.path for entry in synchronous)} {'is' if one else 'are'} for synchronous "
        f"requests only: each request to {names(views)} holds a thread until the view returns"
        f"{cost}.",
        f"Make {'it' if one else 'them'} async capable where async views wait for long or are "
        "many; or leave it.",
        synchronous[0].place(synchronous[0].conduct.call_at),
    )


@rule(128, "I")
def not_used(case: Case) -> Iterator[Finding]:
    """A middleware takes itself out of the chain.

    It raised `MiddlewareNotUsed` when it was made with these settings, with `DEBUG` off.

    ## Why is this bad?
    It need not be bad: that is what the exception is for. Django says nothing of it unless
    `DEBUG` is on; where the middleware sets a header or guards something, that is not done.

    ## Example
    ```python
    def __init__(self, get_response):
        if not settings.REPORT_URL:
            raise MiddlewareNotUsed("REPORT_URL is not set")
    ```

    ## Use instead
    The setting that it asks for, or no entry in `MIDDLEWARE`.

    ## Source
    Django's documentation, "Marking middleware as unused".
    """
    if case.project.debug:
        return
    for entry in entries(case):
        conduct = entry.conduct
        if conduct.status == "unused":
            reason = f" ({conduct.reason})" if conduct.reason else ""
            yield Finding(
                f"{conduct.path} takes itself out of the chain with MiddlewareNotUsed{reason}: "
                "with these settings it does nothing.",
                "Set what it asks for, or take it out of MIDDLEWARE if that is meant.",
                entry.listed,
            )


@rule(129, "I")
def installed_at_run_time(case: Case) -> Iterator[Finding]:
    """MIDDLEWARE is changed while the apps are set up.

    The list after `django.setup()` is another one than before: something, an
    `AppConfig.ready()` most likely, puts a middleware in or takes one out.

    ## Why is this bad?
    Nobody who reads the settings sees it, and its place in the order is decided elsewhere. It
    comes too late for a process that has built its handler already, and in an entry point
    that does not set up the apps first it is not there.

    ## Example
    ```python
    class ShopConfig(AppConfig):
        def ready(self):
            settings.MIDDLEWARE.insert(0, "shop.middleware.Timing")
    ```

    ## Use instead
    ```python
    MIDDLEWARE = ["shop.middleware.Timing", ...]
    ```

    ## Source
    Django's documentation, "Settings": "You shouldn't alter settings in your applications at
    runtime."
    """
    chain = case.chain
    here = tuple(middleware.path for middleware in case.project.middleware)
    if not chain.finished:
        return
    if chain.before_setup != chain.after_setup:
        changers = ready_methods_that_name("MIDDLEWARE", case.project.base_dir)
        who = " or ".join(name for name, _ in changers) or (
            "Something that runs while the apps are set up"
        )
        yield Finding(
            f"{who} {_change(chain.before_setup, chain.after_setup)} settings.MIDDLEWARE: the "
            "settings show another list than the one that is served.",
            "Write the list in the settings as it is to be.",
            next((place for _, place in changers if place), None) or case.set_at("MIDDLEWARE"),
        )
    if here != chain.after_setup:
        yield Finding(
            f"manage.py {_change(chain.after_setup, here)} settings.MIDDLEWARE: a server, which "
            "does not run manage.py, has another list.",
            "Write the list in the settings as it is to be.",
            case.set_at("MIDDLEWARE"),
        )


def _change(before: tuple[str, ...], after: tuple[str, ...]) -> str:
    added = [path for path in after if path not in before]
    gone = [path for path in before if path not in after]
    if added and gone:
        return f"puts {names(added)} in the place of {names(gone)} in"
    if added:
        return f"puts {names(added)} into"
    return f"takes {names(gone)} out of" if gone else "changes the order of"


@rule(130, "I")
def reorder(case: Case) -> Iterator[Finding]:
    """Another order of MIDDLEWARE costs fewer thread hops.

    A middleware of the project's own that is synchronous (or asynchronous) only stands between
    ones of the other mode, and can stand beside one like it: its code was read, it passes on
    requests and responses, and what it would be moved past neither sets nor reads the same
    attributes of the request. None is moved past those for which Django's documentation asks
    for an order that it could break.

    ## Why is this bad?
    Each change between the modes costs every request a hop to a thread or back.

    ## Example
    ```python
    MIDDLEWARE = [
        "shop.middleware.synchronous",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "shop.middleware.synchronous_too",
    ]
    ```

    ## Use instead
    ```python
    MIDDLEWARE = [
        "shop.middleware.synchronous",
        "shop.middleware.synchronous_too",
        "django.contrib.sessions.middleware.SessionMiddleware",
    ]
    ```

    ## Source
    Django's documentation, "Middleware ordering"; "Asynchronous support" of middleware: "…
    ensure all middleware is in the same mode as … adjacent".
    """
    if case.asgi and not _async_views(case):
        return
    found = reordering(case)
    if found is None:
        return
    moves = "; ".join(
        f"{path} {'directly below ' + below if below else 'to the top'}"
        for path, below in found.moves
    )
    moved = found.moves[0][0]
    entry = next(each for each in used(case) if each.path == moved)
    yield Finding(
        f"A request to an async view makes {found.before} hops between threads and the event "
        f"loop; in another order of MIDDLEWARE it makes {found.after}, with the same effect.",
        f"Move {moves}.",
        entry.listed,
    )


@rule(131, "I")
def replace_handler(case: Case) -> Iterator[Finding]:
    """Django's ASGI handler makes more thread hops than it has to.

    The plan serves ASGI because the project has a use for it, and the entry point's handler is
    Django's own.

    ## Why is this bad?
    Django's handler calls each hook of each middleware in a thread, one hop at a time, and so
    do the signals at both ends of a request. `deploytool.asgi` calls the same hooks in the same
    order, together in one visit to a thread, or on the event loop where they cannot block.
    `manage.py deployplan --hops` lists what each middleware costs with both.

    ## Example
    ```python
    # asgi.py
    from django.core.asgi import get_asgi_application
    ```

    ## Use instead
    ```python
    # asgi.py
    from deploytool.asgi import get_asgi_application
    ```

    ## Source
    deploytool's own (the page "The ASGI handler"); `MiddlewareMixin.__acall__()` in
    `django/utils/deprecation.py`.
    """
    if not case.asgi or case.entry.handler != _DJANGOS or case.entry.status != "ok":
        return
    decision = case.plan.decision("interface")
    # Where nothing needs ASGI, WSGI would save all of the hops.
    if decision.strength == "default" and decision.source != "setting":
        return
    project = replace(case.project, middleware=tuple(entry.fact for entry in used(case)))
    found = count_hops(project, "asgi")
    if not used(case) or found.django is None or found.ordinary is None:
        return
    if _async_views(case):
        kind, now, then = "an async", found.django.async_view, found.ordinary.async_view
    else:
        kind, now, then = "a sync", found.django.sync_view, found.ordinary.sync_view
    if then >= now:
        return
    yield Finding(
        f"A request to {kind} view makes {now} hops between the event loop and threads with "
        f"Django's handler, {counted(then, 'hop')} with deploytool's for an ordinary request.",
        "In the entry point, import get_asgi_application from deploytool.asgi instead of "
        "django.core.asgi.",
        case.entry.location or case.entry.application,
    )
