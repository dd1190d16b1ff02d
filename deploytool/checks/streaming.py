"""About streaming responses: iterators that do not fit the interface, and what holds them up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploytool.checks.async_code import allowed_unsafe, uses
from deploytool.checks.rule import Finding, rule
from deploytool.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case
    from deploytool.project.coroutines import Stream
    from deploytool.project.facts import Location

# Streams that may be open at once without anybody noticing, for a WARNING: a handful of
# people with two tabs each.
_FEW = 16


def _where(stream: Stream) -> Location | None:
    """The generator to change, or else the view."""
    return stream.bodies[0].location if stream.bodies else stream.location


def _name(stream: Stream) -> str:
    return f"{stream.view} (route {stream.route!r})"


def _endless(stream: Stream, kind: str) -> bool:
    return any(body.endless and body.kind == kind for body in stream.bodies)


@rule(600, "WI")
def sync_iterator_under_asgi(case: Case) -> Iterator[Finding]:
    """A synchronous iterator is streamed under ASGI.

    A view gives a StreamingHttpResponse a sync generator or another sync iterator, and the
    plan serves ASGI. INFO for a download and for an iterator that the project did not write;
    a list or another collection is whole already and is not found.

    ## Why is this bad?
    Django reads the whole iterator in a thread before it sends the first byte: an event stream
    arrives in one piece at its end, and all of it is in memory at once. It says so in a
    warning, once per process: "StreamingHttpResponse must consume synchronous iterators in
    order to serve them asynchronously."

    ## Example
    ```python
    def events(request):
        def body():
            for event in wait_for_events():
                yield f"data: {event}\\n\\n"

        return StreamingHttpResponse(body(), content_type="text/event-stream")
    ```

    ## Use instead
    ```python
    async def events(request):
        async def body():
            async for event in events_as_they_come():
                yield f"data: {event}\\n\\n"

        return StreamingHttpResponse(body(), content_type="text/event-stream")
    ```

    ## Source
    Django's documentation, "Request and response objects", "StreamingHttpResponse";
    `__aiter__()` in `django/http/response.py`.
    """
    if not case.asgi:
        return
    for stream in case.async_code.streams:
        if stream.kind != "sync" or stream.collection or _endless(stream, "sync"):
            continue
        waits = any(body.waits for body in stream.bodies)
        live = stream.event_stream or waits
        grave = live or (bool(stream.bodies) and not stream.download)
        effect = (
            "its parts arrive all at once, after the last one is made"
            if grave
            else "the response is held in memory as a whole"
        )
        yield Finding(
            f"{_name(stream)} streams a sync iterator, and Django under ASGI reads it to its end "
            f"before it sends the first byte: {effect}.",
            "Make the generator async (async def, and await what it waits for)"
            + ("." if grave else ", or leave it where the responses are short."),
            _where(stream),
            "W" if grave else "I",
        )


@rule(601, "E")
def endless_stream(case: Case) -> Iterator[Finding]:
    """An endless stream never begins.

    The generator of a stream has no end, and is of the other colour than the interface: a sync
    one under ASGI, an async one under WSGI.

    ## Why is this bad?
    Django reads such an iterator to its end before it sends anything. This one has no end:
    the client never gets an answer, and a thread and its memory are used up by each request,
    also after the client has left, until the process is killed.

    ## Example
    ```python
    def ticks():
        while True:
            yield "data: tick\\n\\n"
            time.sleep(1)
    ```

    ## Use instead
    ```python
    async def ticks():
        while True:
            yield "data: tick\\n\\n"
            await asyncio.sleep(1)
    ```

    ## Source
    `__aiter__()` and `__iter__()` of StreamingHttpResponse in `django/http/response.py`;
    Django's documentation, "StreamingHttpResponse".
    """
    kind, other = ("sync", "async") if case.asgi else ("async", "sync")
    for stream in case.async_code.streams:
        for body in stream.bodies:
            if body.endless and body.kind == kind:
                yield Finding(
                    f"{_name(stream)} streams {body.name}(), {kind} and without end, and Django "
                    f"under {case.plan.interface.upper()} reads {kind} iterators to their end "
                    "before it sends anything: no client ever gets an answer, and each request "
                    "keeps a thread and ever more memory.",
                    f"Make {body.name}() {other}"
                    + (
                        ": async def, and await what it waits for."
                        if case.asgi
                        else ", or serve the project over ASGI."
                    ),
                    body.location,
                )


@rule(602, "W")
def async_iterator_under_wsgi(case: Case) -> Iterator[Finding]:
    """An asynchronous iterator is streamed under WSGI.

    A view gives a StreamingHttpResponse an async generator or another async iterator, and the
    plan serves WSGI.

    ## Why is this bad?
    Django reads the whole iterator before it sends the first byte: an event stream arrives in
    one piece at its end. It says so in a warning, once per process: "StreamingHttpResponse
    must consume asynchronous iterators in order to serve them synchronously."

    ## Example
    ```python
    async def events(request):
        return StreamingHttpResponse(body(), content_type="text/event-stream")
    ```

    ## Use instead
    Serve the project over ASGI (`DEPLOYTOOL = {"INTERFACE": "asgi"}`), or make the generator a
    sync one.

    ## Source
    Django's documentation, "Request and response objects", "StreamingHttpResponse";
    `__iter__()` in `django/http/response.py`.
    """
    if case.asgi:
        return
    for stream in case.async_code.streams:
        if stream.kind == "async" and not _endless(stream, "async"):
            yield Finding(
                f"{_name(stream)} streams an async iterator, and Django under WSGI reads it to "
                "its end before it sends the first byte: its parts arrive all at once, after the "
                "last one is made.",
                "Serve the project over ASGI, or make the generator a sync one.",
                _where(stream),
            )


@rule(603, "WI")
def stream_holds_thread(case: Case) -> Iterator[Finding]:
    """Event streams hold the threads of a WSGI server.

    A view sends an event stream and the plan serves WSGI, where every open one keeps a thread
    (of a worker with one thread the whole worker). INFO where there are many threads.

    ## Why is this bad?
    Each visitor who has the page open keeps one. When all are taken nobody else is
    answered, of whatever path. Gunicorn's `sync` workers are killed after `--timeout` as well,
    and the stream with them.

    ## Example
    An event stream on two Gunicorn workers of the class `sync`: the third visitor waits.

    ## Use instead
    Serve the project over ASGI with async generators, where an open stream costs no thread; or
    have more threads than visitors.

    ## Source
    Gunicorn's documentation, "Design", "Choosing a Worker Type"; Django's documentation,
    "StreamingHttpResponse", "Performance considerations".
    """
    if case.asgi:
        return
    threads = case.plan.threads or 1
    capacity = threads * case.processes
    for stream in case.async_code.streams:
        if not stream.event_stream or _endless(stream, "async"):
            continue
        few = capacity <= _FEW
        yield Finding(
            f"{_name(stream)} is an event stream, and an open one keeps a thread under WSGI: the "
            f"plan has {counted(threads, 'thread')} in each of "
            f"{counted(case.processes, 'worker')}. Once {capacity} streams are open, nobody else "
            "is answered.",
            "Serve the project over ASGI with async generators, or give the server more threads "
            "than there will be open streams.",
            _where(stream),
            "W" if few else "I",
        )


@rule(604, "W")
def compressed_stream(case: Case) -> Iterator[Finding]:
    """An event stream is compressed in a way that holds it up.

    GZipMiddleware, or a subclass, is in MIDDLEWARE, a view sends an event stream without a
    Content-Encoding of its own, and Django is older than 6.1, which flushes after each part.

    ## Why is this bad?
    The compressor keeps what it is given until it has enough of it: events arrive late or all
    at the end. Django 5.2 makes each part of an async stream a gzip member of its own instead,
    of which many decoders read the first alone.

    ## Example
    ```python
    MIDDLEWARE = ["django.middleware.gzip.GZipMiddleware", ...]
    ```

    ## Use instead
    ```python
    response = StreamingHttpResponse(events(), content_type="text/event-stream")
    response["Content-Encoding"] = "identity"  # GZipMiddleware leaves it alone then
    ```

    ## Source
    `django/middleware/gzip.py` and `compress_sequence()` in `django/utils/text.py` of Django
    5.2, 6.0 and 6.1.
    """
    if _version(case.project.machine.django) >= (6, 1):
        return
    gzip = next(
        (
            entry
            for entry in case.project.middleware
            if "django.middleware.gzip.GZipMiddleware" in entry.bases
        ),
        None,
    )
    for stream in case.async_code.streams if gzip is not None else ():
        if gzip is not None and stream.event_stream and not stream.encoded:
            yield Finding(
                f"{gzip.path} compresses the event stream of {_name(stream)}, and Django "
                f"{case.project.machine.django} does not flush after each event: they arrive "
                "late, or the decoder stops after the first.",
                'Set response["Content-Encoding"] = "identity" in the view, or let the proxy '
                "compress, or use Django 6.1.",
                stream.location,
            )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())


@rule(605, "W")
def swallowed_disconnect(case: Case) -> Iterator[Finding]:
    """A coroutine goes on after the client has left.

    In a loop of an async stream or view, something that is awaited stands in a `try` whose
    `except` (bare, `BaseException`, `asyncio.CancelledError`) neither raises nor leaves the
    loop; or in `contextlib.suppress()` of these. `except Exception` does not catch a
    cancellation and is not found, nor is `finally`.

    ## Why is this bad?
    When a client leaves, Django cancels the coroutine, which raises CancelledError where it
    waits. Caught, the loop goes on, for ever in an endless stream: such streams pile up, and
    the server cannot stop.

    ## Example
    ```python
    async def events():
        while True:
            try:
                yield await queue.get()
            except:
                logger.exception("lost one")
    ```

    ## Use instead
    ```python
    async def events():
        while True:
            try:
                yield await queue.get()
            except Exception:
                logger.exception("lost one")
    ```

    ## Source
    Django's documentation, "Asynchronous support", "Handling disconnects"; "Request and
    response objects", "Handling disconnects".
    """
    if not case.asgi:
        return
    for found in case.async_code.swallowed:
        yield Finding(
            f"{found.caught} in a loop of {found.root} catches the cancellation that a client's "
            "leaving causes, and the loop goes on without anybody to read it.",
            "Catch Exception instead, or raise again after tidying up.",
            found.location,
        )


@rule(606, "E")
def sync_orm_in_stream(case: Case) -> Iterator[Finding]:
    """The body of an async stream asks the database synchronously.

    An async generator that is streamed evaluates a QuerySet, or reads or writes a row, without
    `await` and outside of `sync_to_async()`.

    ## Why is this bad?
    Django refuses it with `SynchronousOnlyOperation`. Under ASGI status 200 and what came before
    have gone out by then: the client sees a response that breaks off.

    ## Example
    ```python
    async def events():
        for event in Event.objects.all():
            yield f"data: {event}\\n\\n"
    ```

    ## Use instead
    ```python
    async def events():
        async for event in Event.objects.all():
            yield f"data: {event}\\n\\n"
    ```

    ## Source
    Django's documentation, "Asynchronous support", "Async safety".
    """
    if allowed_unsafe():
        return
    for use in uses(case, "orm", streams=True):
        when = "after status 200 has gone out" if case.asgi else "and the response is lost"
        via = f" (through {' → '.join(use.via)})" if use.via else ""
        yield Finding(
            f"{use.code} runs on the event loop, in the async stream of {use.root}{via}: "
            f"SynchronousOnlyOperation, {when}.",
            f"Use {use.instead}, or call it in a sync function through sync_to_async().",
            use.location,
        )


@rule(607, "I")
def stream_outside_transaction(case: Case) -> Iterator[Finding]:
    """ATOMIC_REQUESTS does not cover the body of a stream.

    A database has ATOMIC_REQUESTS, and the sync generator of a stream asks the database.

    ## Why is this bad?
    The transaction ends when the view returns. The generator runs later, outside of it: what
    it reads may differ from what the view read, and what it writes is not rolled back.

    ## Example
    ```python
    def export():
        for row in Row.objects.iterator():
            yield row.line()
    ```

    ## Use instead
    ```python
    def export():
        with transaction.atomic():
            ...
    ```

    ## Source
    Django's documentation, "Database transactions", "Tying transactions to HTTP requests".
    """
    atomic = [each.alias for each in case.project.services.databases if each.atomic_requests]
    for stream in case.async_code.streams if atomic else ():
        for body in stream.bodies:
            if body.orm:
                yield Finding(
                    f"{body.name}(), the body of {_name(stream)}, asks the database "
                    f"({body.orm}), and runs after the transaction of ATOMIC_REQUESTS "
                    f"(DATABASES[{atomic[0]!r}]) has ended.",
                    "Nothing, where it only reads; else a transaction.atomic() within it.",
                    body.location,
                )


@rule(608, "I")
def file_under_asgi(case: Case) -> Iterator[Finding]:
    """A file is read whole before it is sent under ASGI.

    A view returns a FileResponse, and the plan serves ASGI.

    ## Why is this bad?
    Its iterator is a synchronous one, which Django reads to its end in a thread before it sends
    the first byte: a download of a gigabyte takes a gigabyte of memory. WSGI sends it in blocks.

    ## Example
    ```python
    def report(request, pk):
        return FileResponse(open(path_of(pk), "rb"))
    ```

    ## Use instead
    Nothing, for small files. Let the proxy send large ones: an empty HttpResponse with
    `X-Accel-Redirect` (nginx) or `X-Sendfile` (Apache); or stream an async generator that reads
    the file in a thread, block by block.

    ## Source
    `__aiter__()` in `django/http/response.py`; nginx's documentation of X-Accel.
    """
    if not case.asgi:
        return
    for found in case.async_code.downloads:
        yield Finding(
            f"{found.view} returns a {found.response}, which Django under ASGI reads whole into "
            "memory before it sends the first byte.",
            "Let the proxy send large files (X-Accel-Redirect, X-Sendfile), or stream an async "
            "generator.",
            found.location,
        )
