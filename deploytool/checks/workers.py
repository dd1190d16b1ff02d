"""The server: its processes against the machine and the database, its times, its versions."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import TYPE_CHECKING

import django

from deploytool.checks.rule import Finding, rule
from deploytool.checks.state import processes
from deploytool.conf import Conf
from deploytool.handlers.options import DEFAULT_THREADS
from deploytool.plan.interface import needs_of, websocket_routes
from deploytool.servers import server_named
from deploytool.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case
    from deploytool.project.databases import DatabaseSettings
    from deploytool.project.facts import Location
    from deploytool.servers import Server

_MEBIBYTE = 1024 * 1024
# No worker of a Django project needs less (benchmarks/launch.py: a bare site comes close).
_LEAST_WORKER = 80 * _MEBIBYTE
# What servers allow by default: PostgreSQL's max_connections of 100 without the 3 that are
# reserved for superusers (its documentation, "Connection Settings"), MySQL's 151 ("Server
# System Variables").
_ALLOWED = {"postgresql": ("PostgreSQL", 97), "mysql": ("MySQL", 151)}
# Seconds that proxies keep an idle connection to a server: nginx's keepalive_timeout in an
# upstream block, and the idle timeout of AWS' load balancers.
_PROXY_IDLE = 60
_ASKED = {"option", "setting", "environment"}
# Seconds that requests in flight get in a container where nothing is stated (plan/options.py).
_IN_CONTAINER = 8


def _server(case: Case) -> Server | None:
    return server_named(case.plan.server) if case.plan.server else None


def _set_at(case: Case, decision: str) -> Location | str:
    """Where a decision of the plan was made: the setting, the variable, the option."""
    made = case.plan.decision(decision)
    if made.source == "setting":
        return case.set_at("DEPLOYTOOL")
    return "$WEB_CONCURRENCY" if made.source == "environment" else f"--{decision}"


@rule(200, "IW")
def workers_beyond_machine(case: Case) -> Iterator[Finding]:
    """More workers are asked for than this machine carries.

    `--workers`, `settings.DEPLOYTOOL` or `$WEB_CONCURRENCY` asks for more than four workers
    for each CPU that this process may use, or for more than the memory holds. Both are
    measured here, with the limits of the container: judge on the machine that will serve, or
    one like it.

    ## Why is this bad?
    Workers beyond the CPUs only wait for each other, and each has its memory and its
    connections to the database. Where the memory does not hold them, the kernel kills one
    after the other. Platforms set `$WEB_CONCURRENCY` by themselves, and the often copied
    `cpu_count() * 2 + 1` counts the CPUs of the host, not those of the container.

    ## Example
    129 workers in a container with one CPU, on a host with 64.

    ## Use instead
    Leave the number to the plan, which asks the cgroup; threads make a worker answer several
    requests that wait.

    ## Source
    Gunicorn's documentation, "Design", "How Many Workers?"; its issue 2028.
    """
    made = case.plan.decision("workers")
    workers, machine = case.plan.workers, case.project.machine
    if made.source not in _ASKED:
        return
    hint = f"Ask for {max(1, math.floor(machine.cpus))}, one for each CPU, or leave it open."
    where = _set_at(case, "workers")
    asked = made.reason.rstrip(".")
    if machine.memory and workers * _LEAST_WORKER > machine.memory:
        yield Finding(
            f"{workers} workers ({asked}) need {workers * _LEAST_WORKER // _MEBIBYTE} MiB at the "
            f"very least, and this machine has {machine.memory // _MEBIBYTE} MiB "
            f"({machine.memory_evidence}): one like it kills workers.",
            hint,
            where,
            "W",
        )
    elif workers > max(2 * machine.cpus + 1, 4 * machine.cpus):
        yield Finding(
            f"{workers} workers ({asked}) share {machine.cpus:g} CPUs ({machine.cpus_evidence}): "
            "they wait for each other, and each costs memory and connections.",
            hint,
            where,
            "I",
        )


def _threads(case: Case) -> int | None:
    """How many threads of a process use the databases; None where nothing limits them."""
    if not case.asgi:
        return case.plan.threads or 1
    if not case.reuses_threads:
        return None
    if not case.own_handler:
        return 1  # a WSGI application behind an adapter
    planned = getattr(case.plan, "asgi_threads", None)
    return planned or case.project.conf.asgi_threads or DEFAULT_THREADS


def _allowed(case: Case, database: DatabaseSettings) -> tuple[int, str] | None:
    """How many connections the server allows, and how that is known; None where it is not."""
    for answer in case.database_answers:
        if answer.alias == database.alias and answer.connections:
            return answer.connections, f"allows {answer.connections}: {answer.connections_evidence}"
    if database.vendor in _ALLOWED:
        name, number = _ALLOWED[database.vendor]
        return number, f"allows {number}, if it has {name}'s default"
    return None


@rule(201, "W")
def connections_beyond_database(case: Case) -> Iterator[Finding]:
    """All processes together may need more connections than the database allows.

    Workers by replicas by threads, or by the size of the connection pool, for every database
    on the same server, against what it allows: what it answers where `--database` names it,
    the default of PostgreSQL or MySQL otherwise. Not where a pooler stands between.

    ## Why is this bad?
    Beyond the limit, requests answer 500: `FATAL: sorry, too many clients already`. It
    shows when all threads are busy, which is when the site is needed most. Workers for
    background tasks come on top.

    ## Example
    Four replicas of four workers with eight threads each: 128 connections, and PostgreSQL
    allows 100.

    ## Use instead
    Fewer threads, a pool of connections that is smaller than their number, PgBouncer, or a
    higher `max_connections`.

    ## Source
    PostgreSQL's documentation, "Connections and Authentication", `max_connections`; MySQL's,
    "Too many connections".
    """
    threads = _threads(case)
    servers: dict[int, list[DatabaseSettings]] = {}
    for database in case.database_settings:
        if database.pooler is None and (database.pool_size or threads):
            servers.setdefault(database.server, []).append(database)
    for databases in servers.values():
        each = sum(database.pool_size or threads or 0 for database in databases)
        allowed = _allowed(case, databases[0])
        total = each * case.processes
        if allowed is None or total <= allowed[0]:
            continue
        parts = [counted(case.deployment.replicas.value, "replica")]
        parts.append(counted(case.plan.workers, "worker"))
        pooled = databases[0].pool_size
        parts.append(f"a pool of {pooled}" if pooled else counted(threads or 0, "thread"))
        if len(databases) > 1:
            parts.append(f"{len(databases)} entries of DATABASES")
        names = " and ".join(repr(database.alias) for database in databases)
        yield Finding(
            f"Up to {total} connections ({' × '.join(parts)}) to the server of {names}, and it "
            f"{allowed[1]}. Beyond that requests answer 500.",
            "Plan fewer workers or threads, give DATABASES a pool that is smaller, put PgBouncer "
            "between, or raise max_connections.",
            case.set_at("DATABASES"),
        )


@rule(202, "I")
def pool_below_threads(case: Case) -> Iterator[Finding]:
    """The pool of connections is smaller than what asks for them at once.

    `OPTIONS["pool"]` holds fewer connections than a process has threads; or it has its
    default of 4 under Django's ASGI handler, which runs as many requests at once as come.

    ## Why is this bad?
    A request keeps its connection until it is answered, and the others wait. Who has waited
    30 seconds answers 500: `PoolTimeout: couldn't get a connection after 30.00 sec`.

    ## Example
    `"OPTIONS": {"pool": True}`, which is 4 connections, and 8 threads.

    ## Use instead
    `"OPTIONS": {"pool": {"min_size": 2, "max_size": 8}}`, within what the database allows
    for all processes together.

    ## Source
    psycopg_pool's documentation, "Connection pools"; Django's, "Connection pool".
    """
    threads = _threads(case)
    for database in case.database_settings:
        size = database.pool_size
        if size is None or database.refusal:
            continue
        if threads is None and database.pool_sized:
            continue
        if threads is None or size < threads:
            against = (
                "Django's ASGI handler runs as many requests at once as come"
                if threads is None
                else f"a process has {threads} threads"
            )
            yield Finding(
                f"The pool of the database {database.alias!r} holds {size} connections, and "
                f"{against}: the others wait, and after {database.pool_timeout:g} s answer 500.",
                'Set "pool": {"max_size": ...} in OPTIONS'
                + (f" to {threads}." if threads else " to the queries you want in flight at once."),
                case.set_at("DATABASES"),
            )


@rule(203, "W")
def killed_before_graceful_end(case: Case) -> Iterator[Finding]:
    """The server is killed before it has ended by itself.

    The plan gives requests in flight as much time as, or more than, there is between the
    signal to stop and the kill (`STOP_GRACE`; 10 seconds in Docker and 30 in Kubernetes).

    ## Why is this bad?
    A request or an open stream that uses its time is cut off by SIGKILL: no response, no
    cleaning up, an exit status of 137. Every deployment does it.

    ## Example
    `graceful_timeout` of 30 seconds, and `docker stop`, which waits for 10.

    ## Use instead
    `DEPLOYTOOL = {"GRACEFUL_TIMEOUT": 8}`, or `stop_grace_period: 40s` in Compose and
    `terminationGracePeriodSeconds: 40` in Kubernetes, stated as `"STOP_GRACE": 40`.

    ## Source
    Docker's documentation, `docker stop`; Kubernetes' documentation, "Pod Lifecycle",
    "Termination of Pods"; Gunicorn's, `graceful_timeout`.
    """
    graceful, grace = case.plan.graceful_timeout, case.deployment.stop_grace
    if case.deployment.container.value and not case.project.machine.container:
        # This is not where the site runs, and what is not stated is planned anew there.
        stated = case.plan.decision("graceful_timeout").source in _ASKED
        graceful = graceful if stated else _IN_CONTAINER
    if graceful is None or grace.value is None or graceful < grace.value:
        return
    better = max(1, grace.value - 2)
    yield Finding(
        f"Requests in flight have {graceful} s to end when the server stops, and after "
        f"{grace.value} s it is killed ({grace.evidence}): longer ones are cut off.",
        f'Set DEPLOYTOOL["GRACEFUL_TIMEOUT"] to {better}, or give it more than {graceful} s and '
        'state that as DEPLOYTOOL["STOP_GRACE"].',
        case.set_at("DEPLOYTOOL"),
    )


@rule(204, "I")
def keepalive_below_proxy(case: Case) -> Iterator[Finding]:
    """The server closes idle connections before the proxy does.

    `settings.DEPLOYTOOL["KEEPALIVE"]` is below 60 seconds, and a proxy stands before the
    server.

    ## Why is this bad?
    If the proxy keeps connections to the server open, it now and then sends a request on one
    that the server closes at that moment: 502, without a trace in Django's log.

    ## Example
    `DEPLOYTOOL = {"KEEPALIVE": 5}` behind a load balancer with an idle timeout of 60.

    ## Use instead
    More than the proxy's idle timeout, such as the 75 seconds that are planned by default.

    ## Source
    nginx's documentation, `keepalive_timeout` in `upstream`; AWS' documentation, "Application
    Load Balancers", "Connection idle timeout".
    """
    keepalive = case.plan.keepalive
    if (
        case.plan.decision("keepalive").source == "setting"
        and keepalive
        and keepalive < _PROXY_IDLE
        and case.deployment.proxy.value
    ):
        yield Finding(
            f"The server closes connections that are idle for {keepalive} s. A proxy that keeps "
            f"them longer, as most do for {_PROXY_IDLE} s, answers 502 now and then.",
            "Set KEEPALIVE above the proxy's idle timeout, or leave it at the planned 75.",
            case.set_at("DEPLOYTOOL"),
        )


@rule(205, "WI")
def replaced_workers(case: Case) -> Iterator[Finding]:
    """Workers end after a number of requests, at a price.

    `settings.DEPLOYTOOL["MAX_REQUESTS"]` is set, and Uvicorn runs a single process, or the
    application has WebSockets or event streams.

    ## Why is this bad?
    A single Uvicorn process has nobody to replace it: after so many requests the server
    ends, with the exit status 0, which `restart: on-failure` takes for the end of its work.
    And every open stream and WebSocket of a worker that is replaced is cut off.

    ## Example
    `DEPLOYTOOL = {"MAX_REQUESTS": 1000, "WORKERS": 1}` with Uvicorn.

    ## Use instead
    No limit; or at least two workers.

    ## Source
    Uvicorn's documentation, "Settings", `--limit-max-requests`.
    """
    limit = case.plan.max_requests
    if not limit:
        return
    where = case.set_at("DEPLOYTOOL")
    streams = [view for view in case.project.views.views if view.event_stream]
    if case.plan.server == "uvicorn" and case.plan.workers == 1:
        yield Finding(
            f"After {limit} requests the only process of Uvicorn ends, and with it the server, "
            "unless something starts it again whatever its exit status is.",
            "Take MAX_REQUESTS out of DEPLOYTOOL, or have at least two workers.",
            where,
            "W",
        )
    elif case.asgi and (websocket_routes(case.project) or streams):
        what = "WebSockets" if websocket_routes(case.project) else "event streams"
        yield Finding(
            f"After {limit} requests a worker is replaced, and its open {what} are cut off.",
            "Take MAX_REQUESTS out of DEPLOYTOOL, unless a leak makes it necessary.",
            where,
            "I",
        )


@rule(206, "I")
def setting_without_effect(case: Case) -> Iterator[Finding]:
    """A key of `settings.DEPLOYTOOL` has no effect with this server.

    The settings state an option that the planned server does not have.

    ## Why is this bad?
    Somebody meant something by it, and it does not happen.

    ## Example
    `DEPLOYTOOL = {"THREADS": 16}` with Uvicorn, which runs one event loop in each worker.

    ## Use instead
    The message says why the server has no such option. Take the key out, or name another
    server.

    ## Source
    Gunicorn's documentation, "Settings"; Uvicorn's, "Settings"; Daphne's README.
    """
    server = _server(case)
    if server is None:
        return
    reasons = dict(server.unsupported(case.plan.interface))
    if not case.own_handler:
        reasons["asgi_threads"] = "Only deploytool's ASGI handler has a pool of threads."
    for key in (field.name for field in fields(Conf)):
        stated = getattr(case.project.conf, key)
        if key in reasons and stated is not None and stated != getattr(case.plan, key, None):
            yield Finding(
                f'settings.DEPLOYTOOL["{key.upper()}"] has no effect with {server.title}: '
                f"{reasons[key]}",
                "Take it out, or name another server.",
                case.set_at("DEPLOYTOOL"),
            )


@rule(207, "I")
def requests_dropped_at_stop(case: Case) -> Iterator[Finding]:
    """The server drops the requests in flight when it stops.

    The plan serves with Daphne.

    ## Why is this bad?
    On SIGTERM Daphne closes all connections, without an answer to what it is working on:
    each deployment costs those requests, unless the proxy takes the server out of service
    first or sends them again elsewhere.

    ## Example
    A POST that takes two seconds, and a deployment in the second one.

    ## Use instead
    Uvicorn or Gunicorn, which finish what they have begun; or a pause between taking the
    server out of the proxy and stopping it.

    ## Source
    Measured by a test of deploytool; Daphne stops its reactor on SIGTERM
    (`daphne/server.py`).
    """
    if case.plan.server == "daphne":
        yield Finding(
            "Daphne drops the requests in flight when it stops: each deployment cuts them off, "
            "unless the proxy has stopped sending before.",
            "Serve with Uvicorn (pip install uvicorn websockets), or drain at the proxy first.",
            case.set_at("DEPLOYTOOL") if case.project.conf.server else "daphne",
        )


@rule(208, "I")
def one_process_of_daphne(case: Case) -> Iterator[Finding]:
    """Daphne runs one process, and there are more CPUs.

    Daphne is the planned server, the machine has several CPUs, and one replica is served.

    ## Why is this bad?
    One process of Python uses one CPU.

    ## Example
    Daphne on a machine with eight CPUs, without replicas.

    ## Use instead
    Uvicorn with workers, or several replicas of Daphne behind the proxy.

    ## Source
    Daphne's README: it has no option for workers.
    """
    machine = case.project.machine
    if case.plan.server != "daphne" or machine.cpus < 2 or case.deployment.replicas.value > 1:
        return
    yield Finding(
        f"Daphne runs one process, which uses one of the {machine.cpus:g} CPUs "
        f"({machine.cpus_evidence}).",
        "Serve with Uvicorn and several workers, or state how many replicas of Daphne there are: "
        'DEPLOYTOOL["REPLICAS"].',
        case.set_at("DEPLOYTOOL") if case.project.conf.server else "daphne",
    )


@rule(209, "E")
def server_does_not_fit(case: Case) -> Iterator[Finding]:
    """The server that is asked for cannot serve what the project needs.

    `--server` or `settings.DEPLOYTOOL["SERVER"]` names a server that is installed, and as it
    is installed it lacks what the project needs: a WebSocket library for Uvicorn, an HTTP/2
    library, a version of Gunicorn whose ASGI worker is sound.

    ## Why is this bad?
    It starts and serves, all but that: Uvicorn without a WebSocket library answers 404 to
    every handshake, and Gunicorn's ASGI worker before 26.1.0 leaked database connections.

    ## Example
    `pip install uvicorn`, and a project with WebSocket routes.

    ## Use instead
    What the message names: `pip install websockets`, a newer version, another server.

    ## Source
    Uvicorn's documentation, "WebSockets"; Gunicorn's release notes, 26.1.0.
    """
    server = _server(case)
    machine = case.project.machine
    if server is None or machine.version(server.distribution) is None:
        return
    refusal = server.refusal(needs_of(case.project, case.plan.interface), machine)
    if refusal:
        yield Finding(
            f"{server.title} {machine.version(server.distribution)} is asked for, and {refusal}.",
            "Install what it lacks, or name another server.",
            case.set_at("DEPLOYTOOL") if case.project.conf.server else "--server",
        )


@rule(210, "W")
def cookies_over_http2(case: Case) -> Iterator[Finding]:
    """Django before 6.0 loses cookies that come over HTTP/2.

    The plan serves HTTP/2 through ASGI, with a Django older than 6.0.

    ## Why is this bad?
    Over HTTP/2 a browser may send each cookie in a header of its own. Django 5.2 joins these
    with a comma, and reads one cookie with the rest in its value: the session, or the CSRF
    token, is not found. Whether a server joins them before, as HTTP/2 asks for, is its own.

    ## Example
    `DEPLOYTOOL = {"HTTP2": True, ...}` with Django 5.2 and Hypercorn or Daphne.

    ## Use instead
    Django 6.0 or later; HTTP/2 at the proxy, and HTTP/1.1 from there.

    ## Source
    Django's release notes, 6.0: multiple `Cookie` headers are supported for HTTP/2 requests
    with ASGI. RFC 9113, section 8.2.3.
    """
    if case.asgi and case.plan.http2 and django.VERSION < (6, 0):
        yield Finding(
            f"Django {django.get_version()} joins the cookie headers of an HTTP/2 request with "
            "commas: where the server hands them on one by one, sessions are lost.",
            "Use Django 6.0 or later, or end HTTP/2 at the proxy.",
            case.set_at("DEPLOYTOOL"),
        )


@rule(211, "W")
def socketio_in_several_processes(case: Case) -> Iterator[Finding]:
    """Socket.IO runs in more than one process.

    The entry point is a Socket.IO application, and there are several workers or replicas.

    ## Why is this bad?
    A client's session lives in the process that answered its first request; every further
    one that reaches another process is refused with 400. What one process emits does not
    reach the clients of the others. Workers of one server cannot be told apart by a proxy.

    ## Example
    `manage.py deploycheck --workers 4` for a project that wraps `socketio.WSGIApp` around
    Django.

    ## Use instead
    One worker; several replicas need sticky sessions in the proxy, and a message queue:
    `socketio.Server(client_manager=socketio.RedisManager(...))`.

    ## Source
    python-socketio's documentation, "Deployment strategies", "Scalability notes".
    """
    if not case.entry.socketio or case.processes == 1:
        return
    workers = case.plan.workers > 1
    yield Finding(
        f"Socket.IO keeps each client in one process, and there are {processes(case)}: "
        + (
            "a client that polls is refused when another worker answers it."
            if workers
            else "without sticky sessions in the proxy and a message queue, clients are refused."
        ),
        "Serve with one worker."
        if workers
        else "Make sessions sticky in the proxy and give the server a client_manager.",
        case.entry.location or str(case.entry.application),
    )


@rule(212, "I")
def connections_without_limit(case: Case) -> Iterator[Finding]:
    """Nothing limits the connections that requests open.

    The plan serves ASGI with Django's handler and without a pool of connections, and
    `--database` asks for the database.

    ## Why is this bad?
    A WSGI server lets requests wait for a thread. An ASGI server takes them all, and Django's
    handler opens a connection for each: a burst of slow queries goes beyond what the database
    allows, and the rest answers 500.

    ## Example
    60 requests at once to a view that queries for a second, and 40 connections allowed.

    ## Use instead
    `"OPTIONS": {"pool": {"max_size": ...}}`, deploytool's handler, or a limit of the server
    such as Uvicorn's `--limit-concurrency`.

    ## Source
    Django's documentation, "Asynchronous support"; PostgreSQL's, `max_connections`.
    """
    if _threads(case) is not None:
        return
    sizes = {each.alias: each for each in case.database_settings}
    for answer in case.database_answers:
        database = sizes.get(answer.alias)
        if database is None or not answer.connections or database.pool_size or database.pooler:
            continue
        yield Finding(
            "Django's ASGI handler opens a connection for each request that runs, as many as "
            f"come, and the server of {answer.alias!r} allows {answer.connections} "
            f"({answer.connections_evidence}).",
            'Set "OPTIONS": {"pool": {"max_size": ...}}, or serve with '
            "deploytool.asgi.get_asgi_application, whose threads are limited.",
            case.set_at("DATABASES"),
        )
