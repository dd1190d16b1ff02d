"""Checks of what middleware keeps of a request where other requests can find it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploytool.checks.entries import names, used
from deploytool.checks.rule import Finding, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case
    from deploytool.checks.entries import Entry
    from deploytool.project.chain import Noticed

_THREAD = "thread:"
_SHARED = {
    "global": "the global variable {name}",
    "self": "the attribute {name} of the middleware, of which there is one for all requests",
    "class": "the class attribute {name}",
    "object": "{name}, of which there is one for all requests",
}


def _stored(entry: Entry) -> list[Noticed]:
    """Where the middleware keeps something of the request, as far as it is certain."""
    found = []
    for each in entry.conduct.of("stores"):
        name = each.detail.partition(":")[2].rpartition(".")[2]
        # Something that is made for the first request and kept: "if self._tenant is None".
        lazily = any(name in test.text for test in each.tests)
        if not lazily and not any(test.about in ("mode", "exception") for test in each.tests):
            found.append(each)
    return found


@rule(116, "WE")
def thread_local(case: Case) -> Iterator[Finding]:
    """A middleware keeps the request in a `threading.local` under ASGI.

    The request, its user or another part of it is put into a `threading.local` (or a
    dictionary by thread), and the plan serves ASGI. ERROR where that is done on the event
    loop; WARNING where it is done in a thread and there are async views.

    ## Why is this bad?
    On the event loop all requests share one thread: each finds what another one has put there,
    such as another person. Put there in a request's own thread, it is not there for an async
    view, which runs on the event loop. Nothing is raised.

    ## Example
    ```python
    _local = threading.local()

    def process_request(self, request):
        _local.user = request.user
    ```

    ## Use instead
    ```python
    _user = contextvars.ContextVar("user")

    def process_request(self, request):
        _user.set(request.user)
    ```
    or `asgiref.local.Local()` in place of `threading.local()`.

    ## Source
    Python's documentation, `contextvars`; asgiref's `asgiref/local.py`;
    https://github.com/citusdata/django-multitenant/issues/176
    """
    if not case.asgi:
        return
    views = [view.view for view in case.project.views.views if view.mode == "async"]
    for entry in used(case):
        found = [each for each in _stored(entry) if each.detail.startswith(_THREAD)]
        at = next((each for each in found if each.on_loop), found[0] if found else None)
        if at is None or not (at.on_loop or views):
            continue
        hint = "Keep it in a contextvars.ContextVar or an asgiref.local.Local instead."
        if at.on_loop:
            yield Finding(
                f"{entry.path} puts something of the request into a threading.local in "
                f"`{at.text}`, on the event loop, whose thread all requests share: each finds "
                "what another request has put there.",
                hint,
                entry.place(at.location, entry.conduct.call_at),
                "E",
            )
        else:
            yield Finding(
                f"{entry.path} puts something of the request into a threading.local in "
                f"`{at.text}`, in the request's thread. Async views run in another one: where "
                f"{names(dict.fromkeys(views))} or what it calls asks for it, nothing is there.",
                hint,
                entry.place(at.location, entry.conduct.call_at),
                "W",
            )


@rule(117, "W")
def shared_state(case: Case) -> Iterator[Finding]:
    """A middleware keeps the request where all requests can find it.

    The request, its user or another part of it is put into a global variable, an attribute of
    the middleware or of a class, and one process answers several requests at once: under ASGI,
    or with several threads.

    ## Why is this bad?
    There is one such place in a process. A second request that comes while the first is
    answered overwrites it, and the first goes on with what belongs to somebody else.

    ## Example
    ```python
    class Tenant(MiddlewareMixin):
        def process_request(self, request):
            self.request = request
    ```

    ## Use instead
    An attribute of the request, an argument, or a `contextvars.ContextVar`.

    ## Source
    Django's documentation, "Writing your own middleware": the middleware is made once, when
    the server starts.
    """
    threads = case.plan.threads or 1
    if not case.asgi and threads < 2:
        return
    how = "under ASGI" if case.asgi else f"with {threads} threads"
    for entry in used(case):
        for each in _stored(entry):
            kind, _, name = each.detail.partition(":")
            if kind not in _SHARED:
                continue
            yield Finding(
                f"{entry.path} keeps something of the request in {_SHARED[kind].format(name=name)}"
                f" (`{each.text}`). A process answers several requests at once {how}: where a "
                "second one comes meanwhile, the first goes on with what belongs to it.",
                "Keep it on the request, pass it on, or put it into a contextvars.ContextVar.",
                entry.place(each.location, entry.conduct.call_at),
            )
            break
