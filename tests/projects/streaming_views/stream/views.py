import asyncio

from asgiref.sync import sync_to_async
from django import http
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpResponse
from django.http import StreamingHttpResponse as Stream
from django.utils.functional import SimpleLazyObject
from django.views import View

from .responses import EVENTS, Download, EventStream, Exporter, csv, event_stream, sse


RAN = []


class Lazy(SimpleLazyObject):
    """Notes when somebody looks at what it stands for."""

    def __init__(self):
        super().__init__(lambda: RAN.append("woken") or "lazy")


lazy = Lazy()


async def ticks():
    while True:
        yield "data: tick\n\n"
        await asyncio.sleep(1)


def lines():
    yield "a,b\n"


async def prepared():
    return ticks()


class Rows:
    def __iter__(self):
        return iter(["row"])


class AsyncRows:
    def __aiter__(self):
        return ticks()


async def clock(request):
    return Stream(ticks(), content_type="text/event-stream")


def export(request):
    RAN.append(lazy)
    return Stream((f"{number}\n" for number in range(3)), content_type="text/csv")


def export_nested(request):
    def rows():
        yield "row"

    content = rows()
    return http.StreamingHttpResponse(streaming_content=content)


async def nested(request):
    async def events():
        yield "data: 1\n\n"

    source = events()
    response = Stream(source)
    response["Content-Type"] = EVENTS
    return response


async def expression(request):
    return Stream(part async for part in ticks())


async def asked(request):
    return Stream(aiter(ticks()))


async def waited(request):
    return Stream(await prepared())


async def threaded(request):
    return Stream(await sync_to_async(lines)())


def listed(request):
    return Stream(["a", "b"])


def mapped(request):
    return Stream(map(str, range(3)))


def helped(request):
    return csv(lines())


def helped_by_name(request):
    return csv(rows=Rows())


async def helped_async(request):
    return csv(AsyncRows())


async def helped_in_thread(request):
    return await sync_to_async(export)(request)


def local_import(request):
    from django.http import StreamingHttpResponse as Local

    from .responses import EVENTS as content_type

    return Local(lines(), content_type=content_type)


def slow_import(request):
    from .model import tokens

    return Stream(tokens(request), content_type="text/event-stream")


async def own_class(request):
    return EventStream(request, ticks())


async def own_partial(request):
    return event_stream(ticks())


@sse
async def decorated(request):
    yield "data: 1\n\n"


@login_required
async def guarded(request):
    return Stream(ticks())


def service(request):
    exporter = Exporter(["a"])
    return exporter.response()


async def either(request):
    return Stream(ticks() if request.GET else ["nothing"])


async def branches(request):
    if request.GET:
        content = ticks()
    else:
        content = ["nothing"]
    return Stream(content)


def replaced(request):
    content = ticks()
    try:
        content = lines()
    except ValueError:
        raise
    return Stream(content)


async def rewrapped(request):
    content = ticks()
    content = relayed(content)
    return Stream(content)


async def relayed(source):
    async for part in source:
        yield part


def opaque(request):
    return Stream(request.content_source())


def later(request):
    response = Stream()
    response.streaming_content = lines()
    return response


def download(request):
    return FileResponse(open(__file__, "rb"))


def own_download(request):
    return Download(open(__file__, "rb"))


def asks(request):
    response = HttpResponse("text/event-stream")
    assert not isinstance(response, Stream)
    return response


def recursive(request, content=None):
    return recursive(request, content) if request.GET else Stream(content)


def step_1(content):
    return step_2(content)


def step_2(content):
    return step_3(content)


def step_3(content):
    return step_4(content)


def step_4(content):
    return Stream(content)


def too_deep(request):
    """Further than calls are followed."""
    return step_1(lines())


class Feed(View):
    content_type = "text/event-stream"

    async def events(self):
        yield "data: 1\n\n"

    async def get(self, request):
        return self.respond(self.events())

    def respond(self, content):
        return Stream(content, content_type=self.content_type)


class Report(View):
    response_class = Stream

    @property
    def rows(self):
        RAN.append("rows")
        return (row for row in ["a", "b"])

    def get(self, request):
        return self.response_class(self.rows)


class LongReport(Report):
    def get(self, request):
        return super().get(request)


class Quarterly:
    def page(self, request):
        return Stream(self.rows())

    def rows(self):
        yield "Q1"


quarterly = Quarterly().page
short = lambda request: Stream(lines())  # noqa: E731
