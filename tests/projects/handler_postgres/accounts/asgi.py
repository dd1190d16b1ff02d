"""The handler that ``HANDLER`` names, and beside it what it does to the process."""

import asyncio
import gc
import json
import os
import threading
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accounts.settings")

if os.environ.get("HANDLER") == "django":
    from django.core.asgi import get_asgi_application
else:
    from deploytool.asgi import get_asgi_application

handler = get_asgi_application()

if os.environ.get("GC") == "off":
    gc.disable()  # what is left behind stays, until /collect/ is asked for


async def application(scope, receive, send):
    if scope["type"] == "http" and scope["path"] == "/state/":
        await tell_state(send)
    else:
        await handler(scope, receive, send)


async def tell_state(send):
    """Past the handler, so that asking needs no thread, and is answered when none is left."""
    state = {
        "threads": threading.active_count(),
        "tasks": len(asyncio.all_tasks()),
        "memory": resident_memory(),
    }
    body = json.dumps(state).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def resident_memory():
    """In bytes; 0 where there is no such file."""
    statm = Path("/proc/self/statm")
    pages = int(statm.read_text().split()[1]) if statm.exists() else 0
    return pages * os.sysconf("SC_PAGE_SIZE")
