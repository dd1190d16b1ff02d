"""How many processes and threads: what the machine carries and the project allows."""

from __future__ import annotations

import math
from dataclasses import replace

from deploytool.handlers.options import DEFAULT_THREADS, PLANNED_THREADS
from deploytool.plan.context import Context, decide
from deploytool.plan.data import Decision, PlanError
from deploytool.plan.handler import leases_threads, serves_ours

# What one worker of an ordinary project comes to need. benchmarks/launch.py shows a bare
# demonstration site at under half of it; code, caches and fragmentation take the rest.
_WORKER_BYTES = 200 * 1024 * 1024
# A share of the memory is left to the system and to requests in flight.
_MEMORY_SHARE = 0.8
# PostgreSQL's max_connections is 100 (its documentation, "Connections and Authentication"),
# MySQL's 151; some stay free for migrations, shells and monitoring.
_CONNECTIONS = 80
# python-socketio's documentation, "Standard Threads": one worker, a hundred threads.
_SOCKETIO_THREADS = 100
_ENOUGH = "Enough for views that wait for a database, few enough for the CPU."


def decide_workers(context: Context, *, reloading: bool) -> Decision:
    """How many processes; one where several could not reload or would not share their state.

    Raises PlanError for ``--workers`` or ``$WEB_CONCURRENCY`` that cannot be honoured.
    """
    asked = context.options.workers
    if "workers" in context.unsupported:
        if asked is not None and asked != 1:
            raise PlanError(f"--workers {asked}: {context.unsupported['workers']}")
        return replace(decide(context, "workers", 1, "detected", ""), value=1)
    if asked is not None:
        if reloading and asked > 1:
            raise PlanError(
                f"--workers {asked}: reloading runs one process. Add --no-reload to have more."
            )
        return Decision("workers", asked, "option", "--workers.")
    if reloading:
        return Decision("workers", 1, "detected", "Reloading runs one process.")
    if (stated := context.project.conf.workers) is not None:
        return Decision("workers", stated, "setting", 'settings.DEPLOYTOOL["WORKERS"].')
    if variable := context.environment("WEB_CONCURRENCY"):
        return Decision(
            "workers",
            _whole("WEB_CONCURRENCY", variable),
            "environment",
            f"$WEB_CONCURRENCY is {variable}.",
        )
    if context.development:
        return Decision("workers", 1, "detected", "DEBUG is on: development needs one process.")
    if single := _single_process(context):
        return single
    return _by_machine(context)


def _whole(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise PlanError(f"${name} has to be a whole number of at least 1, not {text!r}.")
    return int(text)


def _single_process(context: Context) -> Decision | None:
    """One worker, where several would each have a state of their own that users notice."""
    services = context.project.services
    if context.interface == "asgi" and context.needs.websocket:
        for layer in services.channel_layers:
            if layer.per_process:
                return Decision(
                    "workers",
                    1,
                    "detected",
                    "The channel layer lives in one process: with more, messages would not arrive. "
                    "channels_redis lifts that.",
                    None,
                    (f"settings.CHANNEL_LAYERS[{layer.alias!r}]",),
                )
    if services.session_cache and any(
        cache.per_process for cache in services.caches if cache.alias == services.session_cache
    ):
        return Decision(
            "workers",
            1,
            "detected",
            "Sessions live in one process's memory: with more, users would be logged out at "
            "random. A shared cache lifts that.",
            None,
            (f"settings.CACHES[{services.session_cache!r}]", "settings.SESSION_ENGINE"),
        )
    if context.interface == "wsgi" and context.project.entrypoints.wsgi.socketio:
        return Decision(
            "workers",
            1,
            "detected",
            "Socket.IO keeps its clients in one process; more need sticky sessions at the proxy "
            "and a message queue.",
            None,
            (str(context.project.entrypoints.wsgi.application),),
        )
    return None


def _by_machine(context: Context) -> Decision:
    machine = context.project.machine
    by_cpu = max(1, math.floor(machine.cpus))
    reason = f"One for each usable CPU ({machine.cpus:g})."
    evidence = (machine.cpus_evidence,)
    if machine.memory:
        by_memory = max(1, math.floor(machine.memory * _MEMORY_SHARE / _WORKER_BYTES))
        if by_memory < by_cpu:
            reason = (
                f"{machine.memory // 2**20} MiB of memory hold {by_memory} at "
                f"{_WORKER_BYTES // 2**20} MiB each, though there are {machine.cpus:g} CPUs."
            )
            return Decision(
                "workers", by_memory, "detected", reason, None, (machine.memory_evidence,)
            )
    return Decision("workers", by_cpu, "detected", reason, None, evidence)


def decide_threads(context: Context, workers: int) -> Decision:
    """How many threads the server has in each of ``workers`` processes.

    Raises PlanError for ``--threads`` with a server that has none, unless the handler
    behind it has.
    """
    asked = context.options.threads
    if "threads" in context.unsupported:
        if asked is not None and not leases_threads(context.project, context.interface):
            raise PlanError(f"--threads {asked}: {context.unsupported['threads']}")
        return decide(context, "threads", None, "detected", "")
    if asked is not None:
        return Decision("threads", asked, "option", "--threads.")
    if context.project.entrypoints.wsgi.socketio:
        return decide(
            context,
            "threads",
            _SOCKETIO_THREADS,
            "detected",
            "Socket.IO: each connected client holds a thread.",
            str(context.project.entrypoints.wsgi.application),
        )
    streams = [view for view in context.project.views.views if view.event_stream]
    if streams:
        wanted, reason = 32, "Each open event stream holds a thread."
    else:
        wanted, reason = 8, _ENOUGH
    wanted, reason = _affordable(context, workers, wanted, reason, least=2)
    evidence = tuple(str(view.location or view.view) for view in streams[:1])
    return decide(
        context, "threads", wanted, "detected" if streams else "default", reason, *evidence
    )


def decide_asgi_threads(context: Context, workers: int) -> Decision:
    """How many threads deploytool's handler has in each of ``workers`` processes.

    Raises PlanError for an environment variable that is no number.
    """
    name, setting = "asgi_threads", 'settings.DEPLOYTOOL["ASGI_THREADS"]'
    stated = context.project.conf.asgi_threads
    if not leases_threads(context.project, context.interface):
        reason = _without_leases(context)
        if stated is not None:
            reason += f" {setting} has no effect."
        return Decision(name, None, "detected", reason)
    if (asked := context.options.threads) is not None:
        return Decision(name, asked, "option", "--threads.")
    if stated is not None:
        return Decision(name, stated, "setting", f"{setting}.")
    if variable := context.environment(PLANNED_THREADS):
        number = _whole(PLANNED_THREADS, variable)
        return Decision(name, number, "environment", f"${PLANNED_THREADS} is {variable}.")
    wanted, reason = _affordable(context, workers, DEFAULT_THREADS, _ENOUGH, least=1)
    return Decision(name, wanted, "default" if wanted == DEFAULT_THREADS else "detected", reason)


def _without_leases(context: Context) -> str:
    """Why there is no pool of threads."""
    if context.interface == "wsgi":
        return "WSGI requests run in the server's threads."
    if serves_ours(context.project):
        return 'settings.DEPLOYTOOL["ASGI_HANDLER_OFF"] switches leased threads off.'
    handler = context.project.entrypoints.asgi.handler
    if handler is None:
        return "The application cannot be looked into."
    if handler.startswith("django."):
        return "Django's handler starts a thread for each request that needs one."
    return f"{handler} is not the handler of deploytool.asgi."


def _affordable(
    context: Context, workers: int, wanted: int, reason: str, *, least: int
) -> tuple[int, str]:
    """``wanted`` threads with their ``reason``, or as many as a shared database can connect."""
    shared = any(not db.engine.endswith("sqlite3") for db in context.project.services.databases)
    affordable = max(least, _CONNECTIONS // workers)
    if not shared or affordable >= wanted:
        return wanted, reason
    return affordable, (
        f"Each thread may hold a database connection: {workers} by {affordable} stay below the "
        "100 that PostgreSQL allows by default."
    )
