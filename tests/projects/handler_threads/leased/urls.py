import asyncio
import threading
import time

from asgiref.sync import sync_to_async
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
    return HttpResponse(str(request.thread == threading.get_ident()))


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


async def in_transaction(request):
    """A transaction that stays open between two visits to the thread."""
    atomic = transaction.atomic()
    await sync_to_async(atomic.__enter__)()
    first = await sync_to_async(threading.get_ident)()
    await asyncio.sleep(seconds(request))
    same = first == await sync_to_async(threading.get_ident)()
    await sync_to_async(atomic.__exit__)(None, None, None)
    return HttpResponse(str(same))


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
    path("in-transaction/", in_transaction),
    path("leave-open/", leave_open),
    path("is-atomic/", is_atomic),
    path("events/", events),
    path("outliving/", outliving),
    path("state/", state),
]
