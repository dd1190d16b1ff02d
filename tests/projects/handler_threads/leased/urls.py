import asyncio
import threading
import time

from asgiref.sync import sync_to_async
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.db.backends.signals import connection_created
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

SEEN = []
OPENED = []
connection_created.connect(lambda **_: OPENED.append(1), weak=False)


def seconds(request):
    return float(request.GET.get("seconds", "0"))


def sync(request):
    SEEN.append(f"begun {request.GET.get('name')}")
    time.sleep(seconds(request))
    SEEN.append(f"done {request.GET.get('name')}")
    return HttpResponse("done")


def count():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return cursor.fetchone()[0]


def query(request):
    return HttpResponse(str(count()))


async def waiting(request):
    first = await sync_to_async(threading.get_ident)()
    await asyncio.sleep(seconds(request))
    return HttpResponse(str(first == await sync_to_async(threading.get_ident)()))


class Kept:
    """What a request leaves in its thread until it comes back; in the thread."""

    def __init__(self, what):
        self.what = what
        self.thread = threading.get_ident()
        if what == "transaction":
            self.atomic = transaction.atomic()
            self.atomic.__enter__()
        if what == "cursor":
            self.rows = iter(connection.cursor().execute("VALUES (1), (2)"))
            next(self.rows)
        if what == "session":
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA case_sensitive_like = ON")
        if what == "attribute":
            connection.tenant = "the request's"

    def end(self):
        if self.what == "transaction":
            self.atomic.__exit__(None, None, None)
        if self.what == "cursor":
            assert list(self.rows) == [(2,)]
        if self.what == "attribute":
            del connection.tenant
        return self.thread == threading.get_ident()


async def keeping(request, what):
    kept = await sync_to_async(Kept)(what)
    await asyncio.sleep(seconds(request))
    return HttpResponse(str(await sync_to_async(kept.end)()))


async def rows(request):
    """Rows that are read one by one, as the client gets them."""

    async def parts():
        async for kind in ContentType.objects.order_by("pk").aiterator(chunk_size=1):
            yield f"{kind.pk}\n"
            await asyncio.sleep(0.2)

    return StreamingHttpResponse(parts())


def sync_stream(request):
    thread = threading.get_ident()
    return StreamingHttpResponse(str(thread == threading.get_ident()) for _ in range(1))


def leave_open(request):
    transaction.atomic().__enter__()
    return HttpResponse("left open")


def is_atomic(request):
    count()
    return HttpResponse(str(connection.in_atomic_block))


async def events(request):
    async def parts():
        for number in range(100):
            yield f"data: {number} {await sync_to_async(count)()}\n\n"
            await asyncio.sleep(0.2)

    return StreamingHttpResponse(parts(), content_type="text/event-stream")


BACKGROUND = set()


async def outliving(request):
    async def later():
        await asyncio.sleep(0.2)
        SEEN.append(f"later {await sync_to_async(count)()}")

    task = asyncio.create_task(later())
    BACKGROUND.add(task)
    task.add_done_callback(BACKGROUND.discard)
    return HttpResponse("goes on")


async def state(request):
    return JsonResponse(
        {
            "threads": sum(t.name.startswith("request-") for t in threading.enumerate()),
            "tasks": len(asyncio.all_tasks()),
            "seen": SEEN,
            "opened": len(OPENED),
        }
    )


urlpatterns = [
    path("", lambda request: HttpResponse("here")),
    path("sync/", sync),
    path("query/", query),
    path("waiting/", waiting),
    path("keeping/<what>/", keeping),
    path("rows/", rows),
    path("sync-stream/", sync_stream),
    path("leave-open/", leave_open),
    path("is-atomic/", is_atomic),
    path("events/", events),
    path("outliving/", outliving),
    path("state/", state),
]
