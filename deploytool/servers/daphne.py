"""Daphne: ASGI over HTTP/1.1, HTTP/2 and WebSocket, one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploytool.servers.base import Needs, Server

if TYPE_CHECKING:
    from deploytool.plan.data import Plan
    from deploytool.project.facts import Interface, Machine


class Daphne(Server):
    """Daphne, run as ``python -m daphne``."""

    name = "daphne"
    title = "Daphne"
    module = "daphne"
    distribution = "daphne"
    extra = "daphne"
    companions = ("h2", "priority")
    interfaces = ("asgi",)
    preference = "one process only, and it drops the requests in flight when it stops"
    reloads = False

    def unsupported(self, interface: Interface) -> dict[str, str]:
        """See Server."""
        del interface
        return {
            "workers": "Daphne runs one process; start several behind a proxy instead.",
            "threads": "Daphne runs one event loop and has no threads to set.",
            "keepalive": "Daphne has no such option.",
            "timeout": "Daphne has one process and nothing that would replace it.",
            "graceful_timeout": "Daphne drops requests in flight when it stops.",
            "max_requests": "Daphne has one process and nothing that would replace it.",
            "forwarded_allow_ips": (
                "Daphne's --proxy-headers trusts everybody, so forwarded headers are left alone."
            ),
            "lifespan": "Daphne sends no lifespan events.",
            "websocket": "Daphne has its own and no other.",
            "worker_tmp_dir": "Daphne writes no heartbeat file.",
            "control_socket": "Daphne has none.",
        }

    def refusal(self, needs: Needs, machine: Machine) -> str | None:
        """See Server."""
        if needs.http2 and not (machine.version("h2") and machine.version("priority")):
            return "speaks HTTP/2 with Twisted's extra: pip install 'twisted[http2,tls]'"
        return None

    def options(self, plan: Plan) -> list[str]:
        """See Server."""
        address = plan.address
        if plan.certfile and plan.keyfile:
            keys = f"privateKey={_quoted(plan.keyfile)}:certKey={_quoted(plan.certfile)}"
            where = f"interface={_quoted(address.host)}"
            options = ["--endpoint", f"ssl:{address.port}:{where}:{keys}"]
        elif address.path:
            # Daphne puts the path into such a description as it is.
            options = ["--unix-socket", _quoted(address.path)]
        else:
            options = ["--bind", address.host, "--port", str(address.port)]
        # Verbosity 1, the default, logs every request; 0 leaves warnings and errors.
        options += ["--verbosity", "1" if plan.access_log else "0"]
        return options


def _quoted(text: str) -> str:
    """``text`` as a value of a Twisted endpoint description, where ``:`` and ``\\`` mean more."""
    return text.replace("\\", "\\\\").replace(":", "\\:")


DAPHNE = Daphne()
