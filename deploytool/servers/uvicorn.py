"""Uvicorn: ASGI over HTTP/1.1 and WebSocket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploytool.servers.base import Needs, Server, at_least

if TYPE_CHECKING:
    from deploytool.plan.data import Plan
    from deploytool.project.facts import Interface, Machine


class Uvicorn(Server):
    """Uvicorn, run as ``python -m uvicorn``."""

    name = "uvicorn"
    title = "Uvicorn"
    module = "uvicorn"
    distribution = "uvicorn"
    extra = "uvicorn"
    companions = ("websockets", "wsproto", "zttp", "watchfiles", "uvloop", "httptools")
    interfaces = ("asgi",)
    preference = "the most widely used ASGI server, and it finishes requests when it stops"

    def unsupported(self, interface: Interface) -> dict[str, str]:
        """See Server."""
        del interface
        return {
            "threads": "Uvicorn runs one event loop a worker and has no threads to set.",
            "timeout": "Uvicorn does not end a request that takes long.",
            "worker_tmp_dir": "Uvicorn's workers write no heartbeat file.",
            "control_socket": "Uvicorn has none.",
        }

    def refusal(self, needs: Needs, machine: Machine) -> str | None:
        """See Server."""
        if needs.websocket and self.websocket(machine) is None:
            return (
                "has no WebSocket library and would answer 404 to every handshake: "
                "pip install websockets"
            )
        if needs.http2 and machine.version("zttp") is None:
            return "speaks HTTP/2 with zttp, which is not installed: pip install zttp"
        return None

    def websocket(self, machine: Machine) -> str | None:
        """See Server."""
        if machine.version("websockets"):
            # Uvicorn's "websockets" uses that library's legacy interface, which warns; the
            # sans-I/O one is there from 0.35 on (Uvicorn's release notes).
            sansio = at_least(machine.version("uvicorn"), 0, 35)
            return "websockets-sansio" if sansio else "websockets"
        return "wsproto" if machine.version("wsproto") else None

    def options(self, plan: Plan) -> list[str]:
        """See Server."""
        address = plan.address
        if address.path:
            options = ["--uds", address.path]
        else:
            options = ["--host", address.host, "--port", str(address.port)]
        # Reloading runs one process of its own and excludes --workers.
        if not plan.reload:
            options += ["--workers", str(plan.workers)]
        options += ["--timeout-keep-alive", str(plan.keepalive)]
        options += ["--timeout-graceful-shutdown", str(plan.graceful_timeout)]
        options += ["--forwarded-allow-ips", str(plan.forwarded_allow_ips)]
        options += ["--lifespan", str(plan.lifespan)]
        if plan.websocket:
            options += ["--ws", plan.websocket]
        if plan.max_requests:
            options += ["--limit-max-requests", str(plan.max_requests)]
            options += ["--limit-max-requests-jitter", str(plan.max_requests_jitter)]
        if plan.certfile and plan.keyfile:
            options += ["--ssl-certfile", plan.certfile, "--ssl-keyfile", plan.keyfile]
        if plan.http2:
            options += ["--http", "zttp", "--http2"]
        options.append("--access-log" if plan.access_log else "--no-access-log")
        if plan.reload:
            options.append("--reload")
            for directory in plan.watch:
                options += ["--reload-dir", directory]
        return options


UVICORN = Uvicorn()
