"""Views that read, write and stream, each in both forms; ``pause`` is time in the database."""

import asyncio
import gc

import psycopg
from accounts.models import Entry, Item
from asgiref.sync import sync_to_async
from django.db import connection, transaction
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt


def items(request):
    first, count = int(request.GET["from"]), int(request.GET.get("count", "10"))
    return Item.objects.filter(pk__gte=first, pk__lt=first + count).order_by("pk")


def line(item):
    return f"{item.pk} {item.title}\n"


def scalar(query, *params):
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        return cursor.fetchone()[0]


def pause(request):
    if "pause" in request.GET:
        scalar("SELECT pg_sleep(%s)::text", float(request.GET["pause"]))


def read(request):
    pause(request)
    return HttpResponse("".join(map(line, items(request))), content_type="text/plain")


async def read_async(request):
    if "pause" in request.GET:
        await sync_to_async(pause)(request)
    first = await Item.objects.aget(pk=request.GET["from"])
    others = [line(item) async for item in items(request)[1:]]
    return HttpResponse(line(first) + "".join(others), content_type="text/plain")


def transfer(request):
    """Both halves, with time between them."""
    token = request.GET["token"]
    Entry.objects.create(token=token, amount=1)
    pause(request)
    if "fail" in request.GET:
        raise RuntimeError(f"{token} fails between its halves")
    Entry.objects.create(token=token, amount=-1)
    return HttpResponse(f"transferred {token}\n", content_type="text/plain")


# As it is: whole only with ATOMIC_REQUESTS.
unguarded = csrf_exempt(transfer)
write = csrf_exempt(transaction.atomic(transfer))


@csrf_exempt
async def write_async(request):
    return await sync_to_async(transaction.atomic(transfer))(request)


async def stream(request):
    """Rows from a server-side cursor, ``chunk`` at a time, with ``wait`` seconds between.

    ``late``: seconds until PostgreSQL has the first of them.
    """
    chunk, wait = int(request.GET["chunk"]), float(request.GET["wait"])
    rows = items(request)
    if "late" in request.GET:
        rows = rows.extra(
            where=["(SELECT pg_sleep(%s)::text) = ''"], params=[float(request.GET["late"])]
        )

    async def chunks():
        lines = []
        async for item in rows.aiterator(chunk_size=chunk):
            lines.append(line(item))
            if len(lines) == chunk:
                yield "".join(lines)
                lines.clear()
                await asyncio.sleep(wait)
        yield "".join(lines)

    return StreamingHttpResponse(chunks(), content_type="text/plain")


def backend(request):
    """Which process of PostgreSQL serves this request."""
    return HttpResponse(str(scalar("SELECT pg_backend_pid()")))


async def backend_async(request):
    return HttpResponse(str(await sync_to_async(scalar)("SELECT pg_backend_pid()")))


def cursors(request):
    """How many cursors the connection has open that were not opened by this."""
    return HttpResponse(str(scalar("SELECT count(*) FROM pg_cursors")))


class Collecting:
    """A parameter for whose sake garbage is collected while the connection is at work."""


class CollectingDumper(psycopg.adapt.Dumper):
    def dump(self, obj):
        gc.collect()
        return b"collected"


psycopg.adapters.register_dumper(Collecting, CollectingDumper)


def collect(request):
    """As may happen at any time, here for certain: inside of a query."""
    return HttpResponse(scalar("SELECT %s::text", Collecting()))


urlpatterns = [
    path("", lambda request: HttpResponse("here")),
    path("read/", read),
    path("read-async/", read_async),
    path("write/", write),
    path("write-async/", write_async),
    path("unguarded/", unguarded),
    path("stream/", stream),
    path("backend/", backend),
    path("backend-async/", backend_async),
    path("cursors/", cursors),
    path("collect/", collect),
]
