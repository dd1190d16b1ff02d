"""Gunicorn: WSGI through threads, and ASGI through its own ``asgi`` worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploytool.servers.base import Needs, Server, at_least

if TYPE_CHECKING:
    from deploytool.plan.data import Plan
    from deploytool.project.facts import Interface, Machine


class Gunicorn(Server):
    """Gunicorn, run as ``python -m gunicorn``."""

    name = "gunicorn"
    title = "Gunicorn"
    module = "gunicorn"
    distribution = "gunicorn"
    extra = "gunicorn"
    companions = ("h2",)
    interfaces = ("wsgi", "asgi")
    windows = False
    preference = (
        "the most widely used WSGI server, with supervised workers; its ASGI worker is younger "
        "than Uvicorn"
    )

    def unsupported(self, interface: Interface) -> dict[str, str]:
        """See Server."""
        if interface == "wsgi":
            return {"lifespan": "WSGI has no lifespan.", "websocket": "WSGI has no WebSocket."}
        return {
            "threads": "Gunicorn's asgi worker runs one event loop and no threads of its own.",
            "websocket": "Gunicorn's asgi worker has its own and no other.",
        }

    def refusal(self, needs: Needs, machine: Machine) -> str | None:
        """See Server."""
        version = machine.version("gunicorn")
        if needs.interface == "asgi" and not at_least(version, 26, 1):
            # Gunicorn's release notes for 26.1.0: the worker leaked database connections.
            return f"its asgi worker is sound from 26.1 on; {version} is installed"
        if needs.double_callable:
            return "its asgi worker calls an application with scope, receive and send only (ASGI 3)"
        if needs.http2 and machine.version("h2") is None:
            return "speaks HTTP/2 with h2, which is not installed: pip install h2"
        return None

    def worker_class(self, interface: Interface) -> str:
        """See Server."""
        # gthread keeps connections alive and answers while a view waits; sync does neither.
        return "gthread" if interface == "wsgi" else "asgi"

    def options(self, plan: Plan) -> list[str]:
        """See Server."""
        options: list[str] = ["--bind", plan.bind, "--workers", str(plan.workers)]
        options += ["--worker-class", str(plan.worker_class)]
        if plan.interface == "wsgi":
            options += ["--threads", str(plan.threads)]
        else:
            options += ["--asgi-lifespan", str(plan.lifespan)]
        options += [
            *("--timeout", str(plan.timeout)),
            *("--graceful-timeout", str(plan.graceful_timeout)),
            *("--keep-alive", str(plan.keepalive)),
            *("--forwarded-allow-ips", str(plan.forwarded_allow_ips)),
        ]
        if plan.max_requests:
            options += ["--max-requests", str(plan.max_requests)]
            options += ["--max-requests-jitter", str(plan.max_requests_jitter)]
        if plan.worker_tmp_dir:
            options += ["--worker-tmp-dir", plan.worker_tmp_dir]
        if plan.control_socket:
            options += ["--control-socket", plan.control_socket]
        elif at_least(plan.server_version, 25):
            options.append("--no-control-socket")
        if plan.access_log:
            options += ["--access-logfile", "-"]
        if plan.certfile and plan.keyfile:
            options += ["--certfile", plan.certfile, "--keyfile", plan.keyfile]
        if plan.http2:
            options += ["--http-protocols", "h2,h1"]
        if plan.reload:
            options.append("--reload")
        return options


GUNICORN = Gunicorn()
