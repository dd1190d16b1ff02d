"""Checks of how middleware is called, and of what it gives: hooks, attributes, results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploytool.checks.calls import certain, gives_coroutine, judged, wrong_hooks
from deploytool.checks.entries import used, where_so
from deploytool.checks.rule import Finding, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case
    from deploytool.project.chain import Result


@rule(108, "E")
def missing_init(case: Case) -> Iterator[Finding]:
    """A middleware's constructor leaves out what its call needs.

    A subclass of `MiddlewareMixin` has an `__init__` that does not call `super().__init__()`,
    so that `async_mode` is missing; or a class keeps no `get_response`. The instance was
    looked at, not the source: what sets the attributes in another way is not found.

    ## Why is this bad?
    `AttributeError: '…' object has no attribute 'async_mode'`, for every request, on both
    interfaces.

    ## Example
    ```python
    class Timing(MiddlewareMixin):
        def __init__(self, get_response):
            self.get_response = get_response
    ```

    ## Use instead
    ```python
    class Timing(MiddlewareMixin):
        def __init__(self, get_response):
            super().__init__(get_response)
    ```

    ## Source
    `MiddlewareMixin.__init__()` in `django/utils/deprecation.py`;
    https://github.com/Uninett/nav/issues/2468
    """
    for entry in used(case):
        missing = entry.conduct.of("missing")
        if not missing:
            continue
        name = missing[0].detail
        hint = (
            "Call super().__init__(get_response) in its __init__."
            if entry.conduct.mixin
            else f"Set self.{name} = get_response in its __init__."
        )
        yield Finding(
            f"{entry.path} has no attribute {name!r} once it is made, and its call asks for it: "
            "every request fails with an AttributeError.",
            hint,
            entry.place(entry.conduct.init_at),
        )


@rule(109, "E")
def hook_of_wrong_colour(case: Case) -> Iterator[Finding]:
    """A hook of a middleware gives a coroutine that nobody awaits.

    `process_request` or `process_response` of a `MiddlewareMixin` is `async def`, or returns a
    coroutine; or another hook returns one without being a coroutine function. `process_view`,
    `process_template_response` and `process_exception` may be `async def`: Django adapts
    them.

    ## Why is this bad?
    `MiddlewareMixin` calls both hooks as synchronous functions. Under ASGI it passes them to
    `sync_to_async`, which raises `TypeError: sync_to_async can only be applied to sync
    functions.`; under WSGI the coroutine is taken for the response. Every request fails.

    ## Example
    ```python
    class Tenant(MiddlewareMixin):
        async def process_request(self, request):
            request.tenant = await find_tenant(request)
    ```

    ## Use instead
    A synchronous hook, which Django calls in a thread; or a middleware of its own
    (`async def __call__`, marked as a coroutine function) without the mixin.

    ## Source
    `MiddlewareMixin.__call__()` and `__acall__()` in `django/utils/deprecation.py`;
    `BaseHandler.adapt_method_mode()` in `django/core/handlers/base.py`.
    """
    for entry in used(case):
        around = wrong_hooks(entry)
        for hook in entry.conduct.hooks:
            called_by_mixin = hook.name in ("process_request", "process_response")
            gives = gives_coroutine(hook.results)
            if called_by_mixin and around and (hook.marked or gives):
                how = "is async def" if hook.marked else "returns a coroutine"
                end = (
                    "under ASGI sync_to_async refuses it"
                    if entry.conduct.mode and hook.marked
                    else "its coroutine is taken for the response"
                )
                yield Finding(
                    f"{hook.name} of {entry.path} {how}, and MiddlewareMixin calls it as a "
                    f"synchronous function: {end}, and every request fails.",
                    "Make the hook a plain def, which Django calls in a thread; or write an "
                    "async middleware without MiddlewareMixin.",
                    entry.place(hook.location),
                )
            elif not called_by_mixin and not hook.marked and gives:
                yield Finding(
                    f"{hook.name} of {entry.path} returns a coroutine and is no coroutine "
                    "function: nobody awaits it, and it is taken for the response.",
                    "Make the hook async def, which Django adapts.",
                    entry.place(hook.location),
                )


@rule(110, "EW")
def returns_none(case: Case) -> Iterator[Finding]:
    """A middleware returns None instead of a response.

    The call of a middleware, or its `process_response`, ends without a `return`, always or on
    one of its ways.

    ## Why is this bad?
    `AttributeError: 'NoneType' object has no attribute 'headers'` in whatever is above it.
    Where one way alone ends so, the level is WARNING and the message names it.

    ## Example
    ```python
    def process_response(self, request, response):
        response["X-Time"] = "1"
    ```

    ## Use instead
    ```python
    def process_response(self, request, response):
        response["X-Time"] = "1"
        return response
    ```

    ## Source
    Django's documentation, "Writing your own middleware".
    """
    for entry in judged(case):
        conduct = entry.conduct
        hooks = [each for each in conduct.hooks if each.name in _RETURNING]
        places = [(f"{each.name} of ", each.results, each.location) for each in hooks]
        if not conduct.mixin or conduct.own_call:
            places.append(("", conduct.results, conduct.call_at))
        for name, results, location in places:
            told = [each for each in results if each.kind != "raises"]
            none = [each for each in told if each.kind.removeprefix("coroutine>") == "none"]
            if none and len(none) == len(told):
                yield Finding(
                    f"{name}{entry.path} returns None instead of the response: every request "
                    "fails with an AttributeError.",
                    "End it with return response.",
                    entry.place(location),
                )
                break
            ended = [each for each in none if _ends(each)]
            if ended:
                yield Finding(
                    f"{name}{entry.path} returns None instead of a response"
                    f"{where_so(ended[0].tests)}: such requests fail with an AttributeError.",
                    "Return a response on that way too.",
                    entry.place(location),
                    "W",
                )
                break


_RETURNING = ("process_response", "process_template_response")


def _ends(result: Result) -> bool:
    """Whether a function ends without a return on a way that a request takes."""
    abouts = [test.about for test in result.tests]
    return "end" in abouts and "exception" not in abouts and "mode" not in abouts


@rule(111, "EW")
def forgotten_await(case: Case) -> Iterator[Finding]:
    """A middleware returns a coroutine that it forgot to await.

    An asynchronous middleware returns what an asynchronous function gave, such as
    `get_response(request)`, without `await`.

    ## Why is this bad?
    What Django gets once it has awaited the middleware is another coroutine, where the
    response should be: `AttributeError: 'coroutine' object has no attribute 'headers'`.

    ## Example
    ```python
    async def __call__(self, request):
        return self.get_response(request)
    ```

    ## Use instead
    ```python
    async def __call__(self, request):
        return await self.get_response(request)
    ```

    ## Source
    Django's documentation, "Asynchronous support" of middleware.
    """
    for entry in judged(case):
        if not entry.conduct.mode or not entry.conduct.marked:
            continue
        for result in certain(entry):
            if not result.kind.startswith("coroutine>coroutine>"):
                continue
            always = not any(test.is_positive for test in result.tests)
            requests = "every request fails" if always else "such requests fail"
            yield Finding(
                f"{entry.path} returns a coroutine without awaiting it"
                f"{'' if always else where_so(result.tests)}: {requests} with an AttributeError.",
                "Await it: return await get_response(request).",
                entry.place(entry.conduct.call_at),
                "E" if always else "W",
            )
            break
