"""The servers that a project can be served by, in the order of preference.

The first one that is installed and serves what the project needs is chosen; each says in
``preference`` why it stands where it stands. To add a server, write its module and name
it here.
"""

from deploytool.servers.base import Needs, Server
from deploytool.servers.daphne import DAPHNE
from deploytool.servers.gunicorn import GUNICORN
from deploytool.servers.uvicorn import UVICORN

SERVERS: tuple[Server, ...] = (UVICORN, GUNICORN, DAPHNE)

__all__ = ["SERVERS", "Needs", "Server", "distributions", "server_named"]


def server_named(name: str) -> Server:
    """The server called ``name``; KeyError for any other name."""
    return {server.name: server for server in SERVERS}[name]


def distributions() -> tuple[str, ...]:
    """Names of all distributions whose version some server wants to know."""
    return tuple(
        dict.fromkeys(
            name for server in SERVERS for name in (server.distribution, *server.companions)
        )
    )
