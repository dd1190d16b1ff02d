"""About coroutines: what fails on an event loop, and what holds it up."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from deploytool.checks.rule import Finding, rule
from deploytool.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case
    from deploytool.project.coroutines import OnLoop
    from deploytool.project.coroutines.facts import UseKind
    from deploytool.project.facts import Middleware

_KINDS = {
    "view": "the async view",
    "middleware": "the async middleware",
    "consumer": "the consumer",
    "stream": "the async stream of",
}
_REFUSED = "Django answers 500 (SynchronousOnlyOperation)"
_ENDED = "SynchronousOnlyOperation, which ends the connection"


def uses(case: Case, *kinds: UseKind, streams: bool | None = None) -> Iterator[OnLoop]:
    """The uses of ``kinds`` that happen on an event loop under the plan.

    ``streams`` is True for those in the bodies of streams alone, False for the others alone.
    """
    for use in case.async_code.uses:
        if use.root_kind == "consumer" and not case.asgi:
            continue  # nobody calls it
        body = use.root_kind == "stream"
        # WSGI calls dispatch() of an async class outside of the loop.
        if use.kind in kinds and streams in (None, body) and (use.handler or case.asgi):
            yield use


def allowed_unsafe() -> bool:
    """Whether Django has been told not to guard the database (its check async.E001)."""
    return bool(os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE"))


def _who(use: OnLoop) -> str:
    """The coroutine that a use is reached from, and the way there."""
    via = f" (through {' → '.join(use.via)})" if use.via else ""
    others = f" and {counted(use.others, 'other')}" if use.others else ""
    return f"{_KINDS[use.root_kind]} {use.root}{others}{via}"


def described(use: OnLoop) -> str:
    """The use and where it is reached from, as the beginning of a sentence."""
    what = f" ({use.what})" if use.what else ""
    return f"{use.code}{what} runs on the event loop, in {_who(use)}"


def _step(use: OnLoop) -> str:
    if use.via:
        return f"Call {use.via[0]}() through sync_to_async(), or make it async: {use.instead}."
    return f"Use {use.instead}, or call it in a sync function through sync_to_async()."


@rule(150, "E")
def sync_orm(case: Case) -> Iterator[Finding]:
    """The database is asked synchronously in a coroutine.

    An async view, middleware or consumer, or a function of the project that one of them
    calls, evaluates a QuerySet, reads or writes a row, fetches a related row, signs somebody
    in, or opens a cursor, without `await` and outside of `sync_to_async()`. A QuerySet that
    is only described, such as by `filter()`, asks nothing and is not found.

    ## Why is this bad?
    Django refuses it with `SynchronousOnlyOperation`, under ASGI and under WSGI alike: an
    async view runs on an event loop there too.

    ## Example
    ```python
    async def book(request, pk):
        return JsonResponse({"title": Book.objects.get(pk=pk).title})
    ```

    ## Use instead
    ```python
    async def book(request, pk):
        book = await Book.objects.aget(pk=pk)
        return JsonResponse({"title": book.title})
    ```

    ## Source
    Django's documentation, "Asynchronous support", "Async safety"; "Making queries",
    "Asynchronous queries".
    """
    if allowed_unsafe():
        return
    for use in uses(case, "orm", streams=False):
        effect = _ENDED if use.root_kind == "consumer" else _REFUSED
        yield Finding(f"{described(use)}: {effect}.", _step(use), use.location)


def _before(case: Case, use: OnLoop) -> list[Middleware]:
    """The middleware that a request has come to before the coroutine with ``use``."""
    listed = list(case.project.middleware)
    if use.root_kind == "middleware":
        paths = [entry.path for entry in listed]
        if use.root in paths:
            return listed[: paths.index(use.root)]
    return listed


def _loads_user(entry: Middleware) -> bool:
    return "django.contrib.auth.middleware.LoginRequiredMiddleware" in entry.bases


def _user_is_lazy(case: Case, use: OnLoop) -> bool:
    """Whether ``request.user`` is what AuthenticationMiddleware makes it, and nothing that
    is known to look at it has done so before."""
    lazy = False
    for entry in _before(case, use):
        if "django.contrib.auth.middleware.AuthenticationMiddleware" in entry.bases:
            lazy = True
        elif _loads_user(entry) or entry.path in case.async_code.looks_at_user:
            return False
    return lazy


def _session_is_lazy(case: Case, use: OnLoop) -> bool:
    """Whether nothing that is known to look at the session has done so before."""
    return not any(
        _loads_user(entry) or entry.path in case.async_code.looks_at_session
        for entry in _before(case, use)
    )


@rule(151, "E")
def lazy_user(case: Case) -> Iterator[Finding]:
    """`request.user` is loaded in a coroutine.

    An async view or middleware reads an attribute of `request.user`, or asks whether it is
    true. It stays silent where a middleware has loaded the user before, such as
    LoginRequiredMiddleware, and where the view has a thread do so.

    ## Why is this bad?
    `request.user` is lazy: its first use loads the session and the user from the database,
    and Django refuses that on an event loop with `SynchronousOnlyOperation`. Visitors without
    a session are answered, so that tests without a sign-in pass. `await request.auser()`
    does not load `request.user`: use what it returns.

    ## Example
    ```python
    async def home(request):
        return HttpResponse(request.user.username)
    ```

    ## Use instead
    ```python
    async def home(request):
        user = await request.auser()
        return HttpResponse(user.username)
    ```

    ## Source
    Django's documentation, "Using the Django authentication system", "Authentication in web
    requests"; `django/contrib/auth/middleware.py`.
    """
    if allowed_unsafe():
        return
    for use in uses(case, "user"):
        if not _user_is_lazy(case, use):
            continue
        yield Finding(
            f"{described(use)}: it loads the user, and {_REFUSED} for every visitor who is "
            "signed in.",
            "user = await request.auser(), and use that.",
            use.location,
        )


@rule(152, "E")
def lazy_session(case: Case) -> Iterator[Finding]:
    """`request.session` is loaded in a coroutine.

    An async view or middleware reads or writes `request.session` by its sync methods, and
    the sessions are kept in the database. It stays silent where `await request.auser()` or an
    async method of the session has loaded it.

    ## Why is this bad?
    The first use loads the session from the database, and Django refuses that on an event
    loop with `SynchronousOnlyOperation` for every visitor who has a session.

    ## Example
    ```python
    async def cart(request):
        return JsonResponse(request.session.get("cart", {}))
    ```

    ## Use instead
    ```python
    async def cart(request):
        return JsonResponse(await request.session.aget("cart", {}))
    ```

    ## Source
    Django's documentation, "How to use sessions", the methods beginning with `a`.
    """
    if allowed_unsafe() or not case.async_code.database_sessions:
        return
    for use in uses(case, "session"):
        if not _session_is_lazy(case, use):
            continue
        yield Finding(
            f"{described(use)}: it loads the session from the database, and {_REFUSED} for "
            "every visitor who has one.",
            f"{use.instead}.",
            use.location,
        )


@rule(153, "E")
def transaction_in_coroutine(case: Case) -> Iterator[Finding]:
    """A transaction is begun in a coroutine.

    `transaction.atomic()`, `on_commit()` or another function of `django.db.transaction` is
    used in a coroutine, or a QuerySet with `select_for_update()` is evaluated by an async
    method on a database that locks rows.

    ## Why is this bad?
    Transactions do not work in async code: `atomic()` raises `SynchronousOnlyOperation`, and
    without it `select_for_update()` raises `TransactionManagementError`.

    ## Example
    ```python
    async def transfer(request):
        with transaction.atomic():
            ...
    ```

    ## Use instead
    ```python
    @transaction.atomic
    def move(): ...


    async def transfer(request):
        await sync_to_async(move)()
    ```

    ## Source
    Django's documentation, "Asynchronous support", "Queries & the ORM".
    """
    for use in uses(case, "transaction"):
        if not allowed_unsafe():
            yield Finding(
                f"{described(use)}: SynchronousOnlyOperation, as transactions do not work in "
                "async code.",
                "Put the whole transaction into a sync function, and await sync_to_async() of it.",
                use.location,
            )
    locking = any(
        not database.engine.endswith("sqlite3") for database in case.project.services.databases
    )
    for use in uses(case, "lock") if locking else ():
        yield Finding(
            f"{described(use)}: it locks rows, which needs a transaction, and there is none in "
            "async code: TransactionManagementError.",
            "Put the query and what it protects into one sync function with "
            "transaction.atomic(), and await sync_to_async() of it.",
            use.location,
        )


@rule(154, "W")
def blocking_call(case: Case) -> Iterator[Finding]:
    """A coroutine waits without giving the event loop back.

    A coroutine, or a function of the project that it calls, sleeps, asks another server,
    starts a program and waits for it, or sends mail, through a function that keeps the thread
    meanwhile. Only under ASGI: a WSGI server waits in the thread of that one request.

    ## Why is this bad?
    All requests of a process share one event loop. While one waits so, none of the others
    goes on: eight requests that wait a second each take eight seconds.

    ## Example
    ```python
    async def rates(request):
        return JsonResponse(requests.get(URL, timeout=5).json())
    ```

    ## Use instead
    ```python
    async def rates(request):
        async with httpx.AsyncClient(timeout=5) as client:
            return JsonResponse((await client.get(URL)).json())
    ```

    ## Source
    Django's documentation, "How to deploy with ASGI"; Python's documentation, "Developing
    with asyncio", "Running Blocking Code".
    """
    if not case.asgi:
        return
    smtp = case.async_code.mail_waits
    for use in uses(case, "wait", *(("mail",) if smtp else ())):
        yield Finding(
            f"{described(use)}, and waits there: no other request of that process goes on "
            "meanwhile.",
            _step(use) if use.kind == "wait" else f"{use.instead}.",
            use.location,
        )


@rule(155, "E")
def nested_loop(case: Case) -> Iterator[Finding]:
    """A coroutine wants to run another event loop.

    `async_to_sync()`, `asyncio.run()` or `run_until_complete()` is called in a coroutine, or
    in a function of the project that one calls.

    ## Why is this bad?
    A loop is running in that thread already: `RuntimeError: You cannot use AsyncToSync in the
    same thread as an async event loop`, and the like of the others.

    ## Example
    ```python
    async def home(request):
        return HttpResponse(async_to_sync(fetch)())
    ```

    ## Use instead
    ```python
    async def home(request):
        return HttpResponse(await fetch())
    ```

    ## Source
    Django's documentation, "Asynchronous support", "async_to_sync()".
    """
    for use in uses(case, "loop"):
        yield Finding(
            f"{described(use)}, where a loop is running already: RuntimeError.",
            "Await the coroutine itself"
            + (f", and make {use.via[-1]}() async for it." if use.via else "."),
            use.location,
        )


@rule(156, "E")
def unawaited(case: Case) -> Iterator[Finding]:
    """A coroutine is made and not awaited.

    A statement of a coroutine, or of a sync consumer, calls a coroutine function (such as
    `self.channel_layer.group_send()`) and does nothing with what it returns, or an async view
    returns it as its response.

    ## Why is this bad?
    Calling a coroutine function runs nothing of it. What it was to do, such as saving a row,
    never happens, and nothing but a `RuntimeWarning` tells. A view that returns one fails:
    "It returned an unawaited coroutine instead".

    ## Example
    ```python
    async def rename(request, pk):
        book.asave()
    ```

    ## Use instead
    ```python
    async def rename(request, pk):
        await book.asave()
    ```

    ## Source
    Python's documentation, "Developing with asyncio", "Detect never awaited coroutines".
    """
    for use in uses(case, "unawaited"):
        yield Finding(
            f"{use.code}, in {_who(use)}, makes a coroutine and drops it: nothing of it ever runs.",
            f"{use.instead}.",
            use.location,
        )
    for use in uses(case, "returned"):
        yield Finding(
            f"{use.code} is what {_who(use)} returns, and it is a coroutine: Django answers 500 "
            "(It returned an unawaited coroutine instead).",
            f"return {use.instead}.",
            use.location,
        )


@rule(157, "E")
def sync_wrapper(case: Case) -> Iterator[Finding]:
    """An async view stands behind a sync decorator.

    The callable of a route is a sync function which calls a coroutine function and returns
    what that returned, or looks at it as if it were a response. Decorators that ask
    `iscoroutinefunction()`, or that run the coroutine, are not found.

    ## Why is this bad?
    Django takes the view for a sync one and gets a coroutine: "The view … didn't return an
    HttpResponse object. It returned an unawaited coroutine instead." Every request fails.

    ## Example
    ```python
    def logged(view):
        @wraps(view)
        def inner(request, *args, **kwargs):
            return view(request, *args, **kwargs)

        return inner


    @logged
    async def home(request): ...
    ```

    ## Use instead
    ```python
    def logged(view):
        if iscoroutinefunction(view):

            @wraps(view)
            async def inner(request, *args, **kwargs):
                return await view(request, *args, **kwargs)
        else:
            ...
        return inner
    ```

    ## Source
    Django's documentation, "Asynchronous support", "Decorators"; `check_response()` in
    `django/core/handlers/base.py`.
    """
    for route in case.async_code.routes:
        where = f"the async view {route.view} (route {route.route!r})"
        if route.problem == "unawaited":
            yield Finding(
                f"{route.wrapper} is a sync function around {where}: it returns the coroutine, "
                "and Django answers 500 (It returned an unawaited coroutine instead).",
                "Give the decorator an async form: async def, and return await of the view.",
                route.location,
            )
        elif route.problem == "touched":
            yield Finding(
                f"{route.wrapper} is sync and takes what {where} gives, a coroutine, for a "
                "response: every request fails with AttributeError, TypeError or "
                "SynchronousOnlyOperation.",
                "Decorate the async handlers, or the result of as_view(), instead of "
                "dispatch(); or give the decorator an async form.",
                route.location,
            )


@rule(158, "E")
def access_mixin(case: Case) -> Iterator[Finding]:
    """An async class-based view has a sync access mixin.

    A view class with async handlers has LoginRequiredMixin, PermissionRequiredMixin,
    UserPassesTestMixin or a subclass of them, whose sync `dispatch()` comes first.

    ## Why is this bad?
    The mixin reads `request.user` before it hands over. Under ASGI that happens on the event
    loop: `SynchronousOnlyOperation` for visitors with a session. Those who may not enter get
    500 instead of the redirect under both interfaces, as Django awaits what the mixin returned
    and a redirect cannot be awaited.

    ## Example
    ```python
    class Home(LoginRequiredMixin, View):
        async def get(self, request): ...
    ```

    ## Use instead
    ```python
    class Home(View):
        async def get(self, request): ...


    urlpatterns = [path("", login_required(Home.as_view()))]
    ```

    ## Source
    `django/contrib/auth/mixins.py`; Django's documentation, "Using the Django authentication
    system", "The login_required decorator".
    """
    for route in case.async_code.routes:
        if route.problem == "access":
            signed_in = (
                "everybody: those who are signed in by SynchronousOnlyOperation, the others"
                if case.asgi
                else "whoever it turns away,"
            )
            yield Finding(
                f"{route.view} (route {route.route!r}) is async, and the dispatch() of its "
                f"{route.wrapper} is sync: Django answers 500 to {signed_in} as it awaits the "
                "redirect.",
                "Take the mixin off, and put login_required() (or user_passes_test(), "
                "permission_required()), which know async views, around as_view().",
                route.location,
            )


@rule(159, "W")
def template_query(case: Case) -> Iterator[Finding]:
    """A coroutine renders a template with a QuerySet.

    `render()` or `render_to_string()` is called in a coroutine with a context that holds a
    QuerySet which has not been evaluated.

    ## Why is this bad?
    The template evaluates it, on the event loop: `SynchronousOnlyOperation` as soon as the
    template goes through it or asks for its length. A TemplateResponse is rendered in a
    thread and is not found.

    ## Example
    ```python
    async def books(request):
        return render(request, "books.html", {"books": Book.objects.all()})
    ```

    ## Use instead
    ```python
    async def books(request):
        books = [book async for book in Book.objects.all()]
        return render(request, "books.html", {"books": books})
    ```

    ## Source
    Django's documentation, "Asynchronous support", "Async safety".
    """
    if allowed_unsafe():
        return
    for use in uses(case, "template"):
        yield Finding(
            f"{use.code} goes into a template as {use.what!r}, rendered on the event loop by "
            f"{_who(use)}: {_REFUSED} as soon as the template uses it.",
            f"[... async for ... in {use.code}], or return a TemplateResponse, which Django "
            "renders in a thread.",
            use.location,
        )


# What View.view_is_async says (django/views/generic/base.py).
_MIXED = "HTTP handlers must either be all sync or all async"


@rule(160, "E")
def mixed_handlers(case: Case) -> Iterator[Finding]:
    """A view class has sync and async handlers.

    The URLconf cannot be imported because `as_view()` met a class in which some of `get()`,
    `post()` and the others are coroutine functions and some are not.

    ## Why is this bad?
    `as_view()` raises ImproperlyConfigured, and with it the import of the URLconf: every
    request fails, of whatever path.

    ## Example
    ```python
    class Cart(View):
        def get(self, request): ...

        async def post(self, request): ...
    ```

    ## Use instead
    ```python
    class Cart(View):
        async def get(self, request): ...

        async def post(self, request): ...
    ```

    ## Source
    Django's documentation, "Asynchronous support", "Async views"; `view_is_async` in
    `django/views/generic/base.py`.
    """
    error = case.project.views.error
    if error is not None and _MIXED in error.message:
        name = error.message.partition(" ")[0]
        yield Finding(
            f"{name} has sync and async handlers, as_view() refuses it, and the URLconf cannot "
            "be imported: every request fails.",
            f"Make all of get(), post() and the others of {name} async, or none.",
            error.location,
        )
