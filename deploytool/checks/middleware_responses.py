"""Checks of what middleware does to responses: to those that stream, and to their content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploytool.checks.entries import level_of, names, used, where_so
from deploytool.checks.rule import Finding, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case
    from deploytool.checks.entries import Entry
    from deploytool.checks.rule import Letter
    from deploytool.project.chain import Noticed
    from deploytool.project.facts import View

_STREAMS = ("sync", "async")
_SERVING_VIEWS = frozenset(["django.views.static.serve", "django.contrib.staticfiles.views.serve"])
"""Django's own views that answer with a FileResponse."""


def _streams(case: Case, *iterators: str) -> list[View]:
    """The views that stream from an iterator of these kinds."""
    return [view for view in case.project.views.views if view.streaming in iterators]


def _shown(views: list[View]) -> str:
    return names(dict.fromkeys(view.view for view in views))


def _answering(case: Case) -> str:
    """The views whose responses stream, event streams and files alike, as a sentence says it."""
    serving = [view.view for view in case.project.views.views if view.view in _SERVING_VIEWS]
    files = [each.view for each in case.async_code.downloads]
    streams = [view.view for view in _streams(case, "sync", "async", "unknown")]
    return names(dict.fromkeys((*streams, *files, *serving)))


@rule(112, "EWI")
def touches_content(case: Case) -> Iterator[Finding]:
    """A middleware asks a streaming response for its content.

    The code of a middleware uses `response.content` or `response.text` (or sets them) of
    whatever response it gets. Code that looks first is not found: at `response.streaming`,
    with `hasattr()`, `getattr()` or `isinstance()`, in a `try`, or at the type of the
    content. ERROR where views stream, or answer with files, and every response comes to that
    line; WARNING where a test leads there, which the message names; advice where nothing
    streams yet.

    ## Why is this bad?
    `AttributeError: This StreamingHttpResponse instance has no 'content' attribute. Use
    'streaming_content' instead.` Downloads, event streams and files (`FileResponse`) are
    answered with a 500, and nothing else.

    ## Example
    ```python
    def process_response(self, request, response):
        response["X-Length"] = str(len(response.content))
        return response
    ```

    ## Use instead
    ```python
    def process_response(self, request, response):
        if not response.streaming:
            response["X-Length"] = str(len(response.content))
        return response
    ```

    ## Source
    Django's documentation, "Middleware", "Dealing with streaming responses".
    """
    views = _answering(case)
    for entry in used(case):
        touching = [
            each
            for each in entry.conduct.of("content")
            if not any(test.about in ("type", "exception", "mode") for test in each.tests)
        ]
        if not touching:
            continue
        # The one that most requests come to stands for all of them.
        found = min(touching, key=lambda each: (not each.always, len(each.tests)))
        files = _serves_files_inside(case, entry)
        level: Letter
        if views:
            level = "I" if _about_path(found) else level_of(found)
            effect = f"{views} will fail with an AttributeError"
        elif files:
            level = "I" if _about_path(found) else level_of(found)
            effect = f"the files that {files} answers, which stream, fail with an AttributeError"
        elif entry.own:
            level = "I"
            effect = (
                "a response that streams (a FileResponse, say) will fail with an AttributeError"
            )
        else:
            continue
        yield Finding(
            f"{entry.path} uses `{found.text}` of a response that may stream"
            f"{where_so(found.tests)}: {effect}.",
            "Ask `if not response.streaming` first.",
            entry.place(found.location, entry.conduct.call_at),
            level,
        )


def _about_path(noticed: Noticed) -> bool:
    """Whether a test on the way asks for the path: the views that stream may be elsewhere."""
    return any(test.about == "path" for test in noticed.tests)


def _serves_files_inside(case: Case, entry: Entry) -> str:
    """The middleware inside of ``entry`` that serves static files, which stream."""
    static = case.project.services.static
    for each in used(case):
        if each.index > entry.index and static.evidence == f"settings.MIDDLEWARE[{each.index}]":
            return each.path
    return ""


@rule(113, "EWI")
def breaks_stream(case: Case) -> Iterator[Finding]:
    """A middleware iterates a stream in the way of the other kind.

    The code of a middleware wraps or reads `response.streaming_content` with a `for` (a
    generator, `map()`, `b"".join()`) though the iterator may be asynchronous, or with an
    `async for` though it may be synchronous, without looking at `response.is_async`. ERROR
    where a view streams from such an iterator; advice where none does yet.

    ## Why is this bad?
    `TypeError: 'async_generator' object is not iterable`: at once, or, where it is raised by
    a generator, after the status and the headers have been sent, so that the connection
    breaks. Both flags of the middleware may well be true.

    ## Example
    ```python
    def process_response(self, request, response):
        if response.streaming:
            response.streaming_content = map(compress, response.streaming_content)
        return response
    ```

    ## Use instead
    ```python
    def process_response(self, request, response):
        if response.streaming and response.is_async:
            response.streaming_content = acompressed(response.streaming_content)
        elif response.streaming:
            response.streaming_content = map(compress, response.streaming_content)
        return response
    ```

    ## Source
    Django's documentation, "Middleware", "Dealing with streaming responses", and
    "StreamingHttpResponse", `is_async`.
    """
    for entry in used(case):
        for kind, way in (("iterates-async", "async"), ("iterates-sync", "sync")):
            found = next(
                (
                    each
                    for each in entry.conduct.of(kind)
                    if not any(test.about in ("mode", "exception") for test in each.tests)
                ),
                None,
            )
            if found is None:
                continue
            views = _streams(case, way)
            level: Letter
            if views:
                level = "W" if _about_path(found) else level_of(found)
                effect = f"{_shown(views)} will break"
            elif _streams(case, "unknown"):
                level = "W"
                effect = f"{_shown(_streams(case, 'unknown'))} will break if its iterator is so"
            elif entry.own and (case.asgi or way == "sync"):
                level = "I"
                effect = "a view that streams from one will break"
            else:
                continue
            asked = (
                "an async iterator with a for" if way == "async" else "a sync one with async for"
            )
            yield Finding(
                f"{entry.path} iterates {asked} in `{found.text}`{where_so(found.tests)}, without "
                f"looking at response.is_async: {effect}.",
                "Look at response.is_async, and wrap streaming_content with an async generator "
                "where it is true and with a sync one where it is not.",
                entry.place(found.location, entry.conduct.call_at),
                level,
            )


@rule(114, "EW")
def changes_measured_content(case: Case) -> Iterator[Finding]:
    """A middleware changes the content after its length was set.

    A middleware above `CommonMiddleware` replaces `response.content` and leaves the
    `Content-Length` that `CommonMiddleware` has set.

    ## Why is this bad?
    The header tells the length of the old content. Clients cut a longer one off or wait for
    the rest of a shorter one, and servers end the connection: "Response content longer than
    Content-Length".

    ## Example
    ```python
    MIDDLEWARE = ["shop.middleware.Banner", "django.middleware.common.CommonMiddleware"]
    ```

    ## Use instead
    ```python
    response.content = with_banner(response.content)
    response["Content-Length"] = str(len(response.content))
    ```
    or the middleware below `CommonMiddleware`.

    ## Source
    Django's documentation, "Middleware ordering", `CommonMiddleware`.
    """
    common = _first(case, "django.middleware.common.CommonMiddleware")
    for entry, found in _writers(case):
        if common is None or entry.index > common.index or entry.conduct.of("content-length"):
            continue
        yield Finding(
            f"{entry.path} replaces the content{where_so(found.tests)}, above {common.path}, "
            "which has set Content-Length by then: the header is wrong, and clients get a "
            "response that is cut off or never ends.",
            f'Set response["Content-Length"] anew, or move the middleware below {common.path}.',
            entry.place(found.location, entry.conduct.call_at),
            level_of(found),
        )


@rule(115, "EW")
def changes_compressed_content(case: Case) -> Iterator[Finding]:
    """A middleware changes content that is compressed by then.

    A middleware above `GZipMiddleware` replaces `response.content` without looking at
    `Content-Encoding`. WARNING where a test of its own leads there.

    ## Why is this bad?
    What it gets is gzip. What it puts in breaks the compressed data: browsers show an error
    instead of the page, for every response of 200 bytes or more.

    ## Example
    ```python
    MIDDLEWARE = ["django.middleware.gzip.GZipMiddleware"]
    MIDDLEWARE.insert(0, "shop.middleware.Banner")
    ```

    ## Use instead
    ```python
    MIDDLEWARE = ["django.middleware.gzip.GZipMiddleware", "shop.middleware.Banner"]
    ```

    ## Source
    Django's documentation, "Middleware ordering", `GZipMiddleware`: "Before any middleware
    that may change or use the response body."
    """
    gzip = _first(case, "django.middleware.gzip.GZipMiddleware")
    for entry, found in _writers(case):
        if gzip is None or entry.index > gzip.index or entry.conduct.of("encoding"):
            continue
        yield Finding(
            f"{entry.path} changes the content{where_so(found.tests)}, above {gzip.path}, which "
            "has compressed it by then: browsers get data that they cannot decompress.",
            f"Move it below {gzip.path} in MIDDLEWARE.",
            entry.listed,
            level_of(found),
        )


def _first(case: Case, *classes: str) -> Entry | None:
    return next((entry for entry in used(case) if entry.is_a(*classes)), None)


def _writers(case: Case) -> Iterator[tuple[Entry, Noticed]]:
    """The middlewares that are not Django's and replace the content, with where they do."""
    for entry in used(case):
        if (entry.fact.known or "").startswith("django."):
            continue
        writing = [
            each
            for each in entry.conduct.of("writes-content")
            if not any(test.about in ("exception", "mode") for test in each.tests)
        ]
        if writing:
            yield entry, min(writing, key=lambda each: (not each.always, len(each.tests)))
