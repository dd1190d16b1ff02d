"""With which options: bind, processes, threads, times, trust. Each with its reason.

Precedence: command-line option, ``settings.DEPLOYTOOL``, environment, detected, default.
An option that the chosen server does not have is said, not dropped: as an error when the
command line asks for it, as a decision without a value otherwise.
"""

from __future__ import annotations

from deploytool.address import AddressError, parse_address
from deploytool.plan.context import Context, decide
from deploytool.plan.data import Decision, PlanError
from deploytool.plan.processes import decide_asgi_threads, decide_threads, decide_workers


def decide_options(context: Context) -> tuple[Decision, ...]:
    """Every decision below interface and server, in the order in which they are shown."""
    reload = _reload(context)
    workers = decide_workers(context, reloading=bool(reload.value))
    max_requests = _max_requests(context)
    return (
        _bind(context),
        workers,
        decide_threads(context, int(workers.value or 1)),
        decide_asgi_threads(context, int(workers.value or 1)),
        decide(
            context,
            "worker_class",
            context.server.worker_class(context.interface),
            "detected",
            "The worker that serves this interface best.",
        ),
        _keepalive(context),
        _timeout(context),
        _graceful_timeout(context),
        max_requests,
        _jitter(max_requests),
        _forwarded_allow_ips(context),
        _lifespan(context),
        _websocket(context),
        _worker_tmp_dir(context),
        decide(
            context,
            "control_socket",
            None,
            "default",
            "Off: two Gunicorns of one user would share one file in the home directory.",
        ),
        _access_log(context),
        reload,
        _static(context),
    )


def _bind(context: Context) -> Decision:
    if context.options.bind:
        return Decision(
            "bind", _address(context.options.bind), "option", "Named on the command line."
        )
    if stated := context.project.conf.bind:
        return Decision("bind", _address(stated), "setting", 'settings.DEPLOYTOOL["BIND"].')
    container = context.project.machine.container
    everywhere = bool(container) or not context.development
    if port := context.environment("PORT"):
        host = "0.0.0.0" if everywhere else "127.0.0.1"  # noqa: S104 - the platform routes to it
        reason = f"$PORT is {port}" + (
            ", which a platform sets for the process that it routes to." if everywhere else "."
        )
        try:
            return Decision("bind", _address(f"{host}:{port}"), "environment", reason)
        except PlanError as error:
            text = f"The environment variable PORT is {port!r}, and no number of a port."
            raise PlanError(text) from error
    if container:
        reason = f"In a container ({container}), 127.0.0.1 could not be reached from outside."
        return Decision("bind", "0.0.0.0:8000", "detected", reason, None, (container,))
    reason = (
        "Only this machine can reach it."
        if context.development
        else "Only a proxy on this machine can reach it."
    )
    return Decision("bind", "127.0.0.1:8000", "default", reason)


def _address(text: str) -> str:
    try:
        return str(parse_address(text))
    except AddressError as error:
        raise PlanError(str(error)) from error


def _keepalive(context: Context) -> Decision:
    if context.development:
        return decide(context, "keepalive", 5, "default", "Browsers reconnect at once.")
    return decide(
        context,
        "keepalive",
        75,
        "default",
        "Longer than a proxy keeps an idle connection (60 s for nginx upstreams and AWS load "
        "balancers); a shorter one makes it answer 502 now and then.",
    )


def _timeout(context: Context) -> Decision:
    return decide(
        context,
        "timeout",
        30,
        "default",
        "A worker that gives no sign of life for so long is replaced; a slow request alone is not "
        "cut off.",
    )


def _graceful_timeout(context: Context) -> Decision:
    container = context.project.machine.container
    if context.development:
        return decide(context, "graceful_timeout", 2, "default", "Ctrl-C and reloads end soon.")
    if container and container.startswith("kubernetes"):
        return decide(
            context,
            "graceful_timeout",
            25,
            "detected",
            "Kubernetes kills a pod after 30 s (terminationGracePeriodSeconds).",
            container,
        )
    if container:
        return decide(
            context,
            "graceful_timeout",
            8,
            "detected",
            "Docker kills a container 10 s after asking it to stop (docker stop --timeout).",
            container,
        )
    return decide(
        context, "graceful_timeout", 30, "default", "Requests in flight get this long to end."
    )


def _max_requests(context: Context) -> Decision:
    return decide(
        context,
        "max_requests",
        0,
        "default",
        "Never: replacing workers hides a leak and cuts long connections.",
    )


def _jitter(max_requests: Decision) -> Decision:
    value = max_requests.value
    if not value:
        return Decision("max_requests_jitter", None, "default", "Nothing to spread.")
    return Decision(
        "max_requests_jitter",
        int(value) // 10,
        "default",
        "A tenth of max_requests, so that workers are not all replaced at once.",
    )


def _forwarded_allow_ips(context: Context) -> Decision:
    stated = context.project.conf.forwarded_allow_ips
    variable = context.environment("FORWARDED_ALLOW_IPS")
    if variable and stated is None and "forwarded_allow_ips" not in context.unsupported:
        return Decision("forwarded_allow_ips", variable, "environment", "$FORWARDED_ALLOW_IPS.")
    bind = str(_bind(context).value)
    if bind.startswith("unix:"):
        return decide(
            context,
            "forwarded_allow_ips",
            "*",
            "detected",
            "Only a proxy on this machine can reach a Unix socket.",
            bind,
        )
    return decide(
        context,
        "forwarded_allow_ips",
        "127.0.0.1",
        "default",
        "A proxy on this machine. Name the address of one elsewhere; '*' lets every client say "
        "who it is.",
    )


def _lifespan(context: Context) -> Decision:
    asgi = context.project.entrypoints.asgi
    if "lifespan" in asgi.protocols:
        return decide(
            context,
            "lifespan",
            "auto" if asgi.guessed else "on",
            "detected",
            f"{asgi.application} handles lifespan events.",
            str(asgi.location or asgi.source),
        )
    if asgi.handler or asgi.wrappers:
        return decide(
            context,
            "lifespan",
            "off",
            "detected",
            "Django answers lifespan events with an error, which would stand in the log.",
        )
    return decide(context, "lifespan", "auto", "default", "The application cannot be looked into.")


def _websocket(context: Context) -> Decision:
    value = context.server.websocket(context.project.machine)
    reason = "The installed library." if value else "No WebSocket library is installed."
    return decide(context, "websocket", value, "detected", reason)


def _worker_tmp_dir(context: Context) -> Decision:
    directory = context.project.machine.shared_memory
    reason = (
        "Heartbeat files in memory: on a slow disk workers would be taken for dead."
        if directory
        else "No directory in memory was found."
    )
    return decide(context, "worker_tmp_dir", directory, "detected", reason)


def _access_log(context: Context) -> Decision:
    reason = (
        "DEBUG is on: each request is shown." if context.development else "The proxy keeps one."
    )
    return decide(context, "access_log", context.development, "detected", reason)


def _reload(context: Context) -> Decision:
    if (asked := context.options.reload) is not None:
        return Decision("reload", asked, "option", "--reload." if asked else "--no-reload.")
    # More than one worker is only asked for to see several at work; they cannot reload.
    many = context.options.workers is not None and context.options.workers > 1
    if context.development and not many:
        return decide(context, "reload", True, "detected", "DEBUG is on.")
    reason = "Several workers are asked for." if context.development else "DEBUG is off."
    return decide(context, "reload", False, "detected", reason)


def _static(context: Context) -> Decision:
    static = context.project.services.static
    if not context.development:
        by = static.served_by
        reason = f"{static.evidence}." if by else "Nobody in the project: the proxy has to."
        return Decision("static", by, "detected", reason)
    if not static.app_installed:
        return Decision(
            "static", None, "detected", "django.contrib.staticfiles is not in INSTALLED_APPS."
        )
    return Decision("static", "django", "detected", "DEBUG is on: as runserver does.")
