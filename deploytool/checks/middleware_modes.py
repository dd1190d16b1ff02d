"""Checks of what middleware declares: is it as synchronous or asynchronous as it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploytool.checks.calls import certain, judged
from deploytool.checks.entries import used, where_so
from deploytool.checks.rule import Finding, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case
    from deploytool.checks.entries import Entry

_MARK = "inspect.markcoroutinefunction(self)"


def _is_synchronous(entry: Entry) -> bool:
    """Whether a middleware that Django awaits does not work asynchronously."""
    if any(each.always for each in entry.conduct.of("uses-coroutine")):
        return True
    results = certain(entry)
    return bool(results) and not any(each.is_coroutine for each in results)


@rule(104, "EW")
def unmarked(case: Case) -> Iterator[Finding]:
    """A middleware returns a coroutine and is not marked as a coroutine function.

    What Django calls gives a coroutine (its `__call__` is `async def`, or returns that of
    another method), and is no coroutine function to `inspect.iscoroutinefunction()`, which
    Django asks; or the class does not declare `async_capable` at all.

    ## Why is this bad?
    Django, and every `MiddlewareMixin` above it, takes the middleware for a synchronous one
    and the coroutine for a response: `AttributeError: 'coroutine' object has no attribute
    'headers'`, for every URL. Declared but unmarked, it works by luck where it is the
    outermost one, or below one that always awaits: there the level is WARNING.

    ## Example
    ```python
    class Timing:
        async_capable = True

        def __init__(self, get_response):
            self.get_response = get_response

        async def __call__(self, request):
            return await self.get_response(request)
    ```

    ## Use instead
    ```python
    class Timing:
        async_capable = True
        sync_capable = False

        def __init__(self, get_response):
            self.get_response = get_response
            markcoroutinefunction(self)  # inspect.markcoroutinefunction

        async def __call__(self, request):
            return await self.get_response(request)
    ```

    ## Source
    Django's documentation, "Asynchronous support" of middleware;
    `convert_exception_to_response()` in `django/core/handlers/exception.py`;
    https://github.com/adamchainz/django-cors-headers/issues/908
    """
    chain = list(judged(case))
    for entry in chain:
        conduct = entry.conduct
        if conduct.marked:
            continue
        place = entry.place(conduct.call_at)
        if not conduct.mode:
            results = certain(entry)
            if conduct.coroutine or (results and all(each.is_coroutine for each in results)):
                yield Finding(
                    f"{entry.path} returns a coroutine, and Django calls it as a synchronous "
                    f"middleware, because {_undeclared(entry)}: the coroutine is taken for the "
                    "response, and every request fails.",
                    "Set async_capable = True and sync_capable = False on it, and call "
                    f"{_MARK} in __init__.",
                    place,
                )
            continue
        if _is_synchronous(entry):
            continue
        lucky = _by_luck(entry, [each for each in used(case) if each.index < entry.index])
        marking = (
            "Return the async function itself, rather than something that calls it."
            if conduct.is_function
            else f"Call {_MARK} in __init__ where get_response is a coroutine function."
        )
        if lucky:
            yield Finding(
                f"{entry.path} is called asynchronously and not marked as a coroutine function. "
                f"It works {lucky}; below any other middleware every request fails.",
                marking,
                place,
                "W",
            )
        else:
            yield Finding(
                f"{entry.path} is called asynchronously and not marked as a coroutine function: "
                "the middleware above it takes its coroutine for the response, and every "
                "request fails.",
                marking,
                place,
            )


def _undeclared(entry: Entry) -> str:
    if entry.fact.async_capable:
        return "the middleware and the view inside of it are called synchronously"
    return "async_capable is not set on it"


def _by_luck(entry: Entry, outside: list[Entry]) -> str:
    """Why a middleware that is not marked works all the same; empty where it does not."""
    if not outside:
        return "only because nothing stands above it"
    if not all(each.kind.endswith(("response", "none")) for each in entry.conduct.results):
        return ""
    above = outside[-1]
    if not above.conduct.mode or not above.fact.sync_capable:
        return f"only because {above.path}, directly above it, awaits whatever it gets"
    return ""


@rule(105, "E")
def marked_synchronous(case: Case) -> Iterator[Finding]:
    """A middleware is a coroutine function where Django calls it synchronously.

    An `async def`, or an instance that is marked as a coroutine function, is called in a
    synchronous chain: because nothing declares it `async_capable`, or because it is declared
    capable of both modes and is asynchronous whatever it is given. Or its call is synchronous
    and runs a coroutine that awaits what the synchronous `get_response` gives.

    ## Why is this bad?
    Under ASGI Django's handler does not start: `TypeError: sync_to_async can only be applied
    to sync functions.` Under WSGI the coroutine is taken for the response, and every request
    fails.

    ## Example
    ```python
    def timing(get_response):
        async def middleware(request):
            return await get_response(request)
        return middleware
    ```

    ## Use instead
    ```python
    @async_only_middleware  # django.utils.decorators
    def timing(get_response):
        async def middleware(request):
            return await get_response(request)
        return middleware
    ```

    ## Source
    Django's documentation, "Asynchronous support" of middleware;
    `BaseHandler.load_middleware()` in `django/core/handlers/base.py`.
    """
    for entry in judged(case):
        conduct = entry.conduct
        if conduct.mode or not conduct.marked:
            continue
        effect = (
            "Django's handler does not start, or takes the coroutine for the response"
            if case.asgi
            else "Django takes the coroutine for the response, and every request fails"
        )
        if entry.fact.async_capable:
            why = "it is declared capable of both modes and is asynchronous all the same"
            hint = (
                "Return an async function only where iscoroutinefunction(get_response); or "
                "declare it with django.utils.decorators.async_only_middleware."
                if conduct.is_function
                else f"Call {_MARK} only where iscoroutinefunction(get_response), or set "
                "sync_capable = False."
            )
        else:
            why = "nothing declares it async_capable"
            hint = (
                "Decorate the function with django.utils.decorators.async_only_middleware."
                if conduct.is_function
                else "Set async_capable = True and sync_capable = False on the class."
            )
        yield Finding(
            f"{entry.path} is a coroutine function, and is called synchronously, because {why}: "
            f"{effect}.",
            hint,
            entry.place(conduct.call_at),
        )
    for entry in judged(case):
        awaited = [each for each in entry.conduct.of("awaits-value") if each.always]
        if entry.conduct.mode or entry.conduct.marked or not awaited:
            continue
        if entry.conduct.coroutine or any(each.is_coroutine for each in entry.conduct.results):
            continue  # it is the coroutine itself that Django takes for the response
        yield Finding(
            f"{entry.path} awaits what is no coroutine, in `{awaited[0].text}`: Django calls it "
            "synchronously, get_response gives the response itself, and every request fails with "
            "a TypeError.",
            "Take what get_response gives as it is; or make the middleware asynchronous as a "
            "whole (async_only_middleware, or async_capable = True, sync_capable = False and "
            f"{_MARK} in __init__).",
            entry.place(awaited[0].location),
        )


@rule(106, "EW")
def not_asynchronous(case: Case) -> Iterator[Finding]:
    """A middleware is declared async capable and is written synchronously.

    `async_capable` is true, and with an asynchronous `get_response` its call uses the
    coroutine that it gets as if it were a response, or returns a response where Django awaits
    a coroutine.

    ## Why is this bad?
    Under ASGI every request fails, with `TypeError: 'coroutine' object does not support item
    assignment` or the like. Under WSGI it works, so that it is found only after the move.
    Where it is so on one of its ways only, the level is WARNING and the message names it.

    ## Example
    ```python
    @sync_and_async_middleware
    def timing(get_response):
        def middleware(request):
            response = get_response(request)
            response["X-Time"] = "1"
            return response
        return middleware
    ```

    ## Use instead
    No declaration: Django then calls it in a thread. Or both forms:
    ```python
    @sync_and_async_middleware
    def timing(get_response):
        if iscoroutinefunction(get_response):
            async def middleware(request):
                response = await get_response(request)
                response["X-Time"] = "1"
                return response
        else:
            ...
        return middleware
    ```

    ## Source
    Django's documentation, "Asynchronous support" of middleware.
    """
    for entry in judged(case):
        if not entry.conduct.mode or _overrides_mixin(entry):
            continue
        yield from _synchronous(
            entry,
            "is declared async_capable, and its call is synchronous",
            "Take the declaration away (async_capable, sync_and_async_middleware): Django then "
            "calls it in a thread. Or await get_response(request) where it is a coroutine "
            "function.",
        )


@rule(107, "EW")
def overrides_mixin_call(case: Case) -> Iterator[Finding]:
    """A subclass of `MiddlewareMixin` overrides `__call__` with a synchronous one.

    The class inherits `async_capable = True` and has a `__call__` of its own, which uses what
    `get_response` gives as a response.

    ## Why is this bad?
    `MiddlewareMixin` marks the instance as a coroutine function, so that Django passes it an
    asynchronous `get_response` and awaits what it returns: `TypeError: 'coroutine' object does
    not support item assignment`, for every request under ASGI. Under WSGI it works.

    ## Example
    ```python
    class Timing(MiddlewareMixin):
        def __call__(self, request):
            response = self.get_response(request)
            response["X-Time"] = "1"
            return response
    ```

    ## Use instead
    ```python
    class Timing(MiddlewareMixin):
        def process_response(self, request, response):
            response["X-Time"] = "1"
            return response
    ```

    ## Source
    `MiddlewareMixin` in `django/utils/deprecation.py`; Django's documentation, "Upgrading
    pre-Django 1.10-style middleware"; https://github.com/jazzband/django-hosts/issues/122
    """
    for entry in judged(case):
        if entry.conduct.mode and _overrides_mixin(entry):
            yield from _synchronous(
                entry,
                "inherits async_capable = True from MiddlewareMixin and overrides __call__ with "
                "a synchronous one",
                "Write process_request and process_response instead of __call__, or set "
                "async_capable = False on the class.",
            )


def _overrides_mixin(entry: Entry) -> bool:
    return entry.conduct.mixin and entry.conduct.own_call


def _synchronous(entry: Entry, what: str, hint: str) -> Iterator[Finding]:
    conduct = entry.conduct
    misuse = conduct.of("uses-coroutine")
    if _is_synchronous(entry):
        at = next((each for each in misuse if each.always), None)
        shown = f" `{at.text}` meets a coroutine." if at else ""
        yield Finding(
            f"{entry.path} {what}: every request fails with a TypeError or an AttributeError."
            f"{shown}",
            hint,
            entry.place(at.location if at else None, conduct.call_at),
        )
        return
    for each in misuse:
        if not any(test.about in ("mode", "exception") for test in each.tests):
            yield Finding(
                f"{entry.path} uses a coroutine as a response in `{each.text}`"
                f"{where_so(each.tests)}: such requests fail.",
                "Await get_response(request) on that way too.",
                entry.place(each.location, conduct.call_at),
                "W",
            )
            return
    plain = [each for each in certain(entry) if not each.is_coroutine]
    if conduct.marked and plain:
        yield Finding(
            f"{entry.path} is awaited, and returns a response rather than a coroutine"
            f"{where_so(plain[0].tests)}: such requests fail with a TypeError.",
            "Return it from the async method instead.",
            entry.place(conduct.call_at),
            "W",
        )
