from functools import partial, wraps

from django import http

EVENTS = "text/event-stream"

event_stream = partial(http.StreamingHttpResponse, content_type=EVENTS)


class EventStream(http.StreamingHttpResponse):
    """A response class of the project, which takes its content second."""

    def __init__(self, request, events, **kwargs):
        super().__init__(events, content_type="text/event-stream", **kwargs)
        self.request = request


class Download(http.FileResponse):
    pass


def csv(rows):
    """A helper that is handed its iterator."""
    return attachment(rows, "rows.csv")


def attachment(content, name):
    response = http.StreamingHttpResponse(content, content_type="text/csv")
    response["Content-Disposition"] = f"attachment; filename={name}"
    return response


def sse(view):
    """A decorator that makes an event stream of a view that yields."""

    @wraps(view)
    async def wrapper(request, *args, **kwargs):
        return http.StreamingHttpResponse(view(request, *args, **kwargs), headers={"content-type": EVENTS})

    return wrapper


class Exporter:
    def __init__(self, names):
        self.names = names

    def rows(self):
        yield from self.names

    def response(self):
        return http.StreamingHttpResponse(self.rows())
