"""Projects made of facts alone, for the pure part: what a plan is decided from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from deploytool.conf import Conf
from deploytool.plan.handler import OURS
from deploytool.project.facts import (
    EntryPoint,
    EntryPoints,
    Location,
    Machine,
    Project,
    Services,
    StaticFiles,
    View,
    Views,
    WebSocketRoute,
)

ALL = (
    ("daphne", "4.2.3"),
    ("gunicorn", "27.0.1"),
    ("uvicorn", "0.54.0"),
    ("websockets", "17.0"),
)

MACHINE = Machine(
    system="linux",
    executable="/venv/bin/python",
    python="3.13.0",
    django="6.1.3",
    cpus=4,
    cpus_evidence="CPU affinity",
    memory=8 * 2**30,
    memory_evidence="physical memory",
    shared_memory="/dev/shm",
    installed=ALL,
)

WSGI = EntryPoint(
    interface="wsgi",
    application="site1.wsgi:application",
    status="ok",
    source="settings.WSGI_APPLICATION",
    location=Location("site1/wsgi.py", 16),
    callable_interface="wsgi",
    handler="django.core.handlers.wsgi.WSGIHandler",
    protocols=("http",),
)

ASGI = EntryPoint(
    interface="asgi",
    application="site1.asgi:application",
    status="ok",
    source="beside the settings package",
    location=Location("site1/asgi.py", 16),
    callable_interface="asgi",
    handler="django.core.handlers.asgi.ASGIHandler",
    protocols=("http",),
)

# The same with the handler of deploytool.asgi.
OURS_ASGI = replace(ASGI, handler=OURS)

ROUTE = WebSocketRoute(
    "ws/chat/",
    "chat.consumers.Chat",
    Location("chat/routing.py", 8),
    ("channels.auth.AuthMiddleware",),
)

CHANNELS = replace(
    ASGI,
    wrappers=("channels.routing.ProtocolTypeRouter",),
    protocols=("http", "websocket"),
    websocket_routes=(ROUTE,),
)

ASYNC_VIEW = View("news/", "news.views.index", "async", location=Location("news/views.py", 5))
SYNC_VIEW = View("old/", "news.views.old", "sync", location=Location("news/views.py", 9))
CLOCK = View(
    "clock/",
    "news.views.clock",
    "async",
    streaming="async",
    event_stream=True,
    location=Location("news/views.py", 12),
)


def project(
    *,
    wsgi: EntryPoint = WSGI,
    asgi: EntryPoint = ASGI,
    views: tuple[View, ...] = (SYNC_VIEW,),
    machine: dict[str, Any] | None = None,
    conf: dict[str, Any] | None = None,
    environment: dict[str, str] | None = None,
    routing: tuple[Any, ...] = (),
    **changes: Any,
) -> Project:
    """An ordinary project in production on four CPUs, with every server, changed as asked."""
    made = Project(
        settings_module="site1.settings",
        base_dir="/srv/site1",
        import_path=("/srv/site1",),
        debug=False,
        allowed_hosts=("example.com",),
        installed_apps=("django.contrib.admin", "django.contrib.staticfiles", "deploytool"),
        entrypoints=EntryPoints(wsgi, asgi, routing),
        middleware=(),
        views=Views("site1.urls", views),
        services=Services(static=StaticFiles(True, "/static/", None, None)),
        machine=replace(MACHINE, **(machine or {})),
        conf=Conf(**(conf or {})),
        environment=tuple((environment or {}).items()),
    )
    return replace(made, **changes)
