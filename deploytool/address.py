"""Where a server listens: one form for a TCP address or a Unix socket."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
import stat
from dataclasses import dataclass
from typing import Any

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000

_HOST_PORT = re.compile(r"(?:(?P<host>\[[0-9a-fA-F:.%\w]+\]|[^:\[\]\s]+):)?(?P<port>\d+)")

# Errors of an address that this machine, or its kernel, does not have.
_ABSENT = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


class AddressError(ValueError):
    """An address that cannot be understood, or cannot be listened on; says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP ``host`` and ``port``, or the ``path`` of a Unix socket.

    An IPv6 host is kept without its brackets.
    """

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it by TCP."""
        if self.path:
            return False
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def url(self, scheme: str = "http") -> str:
        """The address as a link that a browser on this machine can open."""
        if self.path:
            return str(self)
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"{scheme}://{Address(host, self.port)}/"


def parse_address(text: str) -> Address:
    """The Address that ``runserver`` would understand, and ``unix:/path``.

    ``8000``, ``0:8000`` (all IPv4 addresses), ``127.0.0.1:8000``, ``localhost:8000``,
    ``[::1]:8000``, ``unix:/run/site.sock``. Raises AddressError for anything else.
    """
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path.startswith("/"):
            raise AddressError(
                f"{text!r}: a Unix socket needs an absolute path, unix:/run/site.sock."
            )
        # Also from the form of a link, unix:///run/site.sock; Gunicorn takes two slashes off.
        return Address(path="/" + path.lstrip("/"))
    match = _HOST_PORT.fullmatch(text)
    if not match:
        raise AddressError(
            f"{text!r} is not an address. Use PORT, HOST:PORT, [IPV6]:PORT or unix:/path."
        )
    port = int(match["port"])
    if not 0 < port < 65536:
        raise AddressError(f"{text!r}: a port lies between 1 and 65535.")
    host = (match["host"] or DEFAULT_HOST).strip("[]")
    if match["host"] and match["host"].startswith("["):
        try:
            ipaddress.IPv6Address(host)
        except ValueError as error:
            raise AddressError(f"{text!r}: {host!r} is not an IPv6 address.") from error
    # runserver's short form: "0" is every IPv4 address.
    return Address("0.0.0.0" if host == "0" else host, port)  # noqa: S104


def require_free(address: Address) -> None:
    """Raise AddressError unless a server could listen on ``address`` now.

    A Unix socket that nobody listens on any more is removed, as most servers do
    themselves (Daphne does not, and would refuse to start).
    """
    if address.path:
        _require_free_path(address.path)
        return
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (socket.gaierror, UnicodeError) as error:
        raise AddressError(f"{address.host!r} is no name or address of this machine.") from error
    # A name may stand for several addresses, of which each server listens on others; a link
    # to it leads to whoever has one of them. One that the machine does not have is no harm
    # beside one that it has ("localhost" with IPv6 switched off).
    refusals = [refusal for each in found if (refusal := _bind(each[0], each[4]))]
    for refusal in refusals:
        if refusal.errno not in _ABSENT or len(refusals) == len(found):
            raise AddressError(_refusal(address, refusal)) from refusal


def _bind(family: int, sockaddr: tuple[Any, ...]) -> OSError | None:
    """The error of listening on ``sockaddr``, or None."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if os.name == "posix":
                # As the servers do: a port in TIME_WAIT after a restart counts as free.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(sockaddr)
            # Linux lets two sockets bind where the other does not listen yet.
            probe.listen(1)
    except OSError as error:
        return error
    return None


def _refusal(address: Address, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return _taken(address)
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"{address}: this user may not listen on port {address.port}. Use one above 1023."
    if error.errno in _ABSENT:
        return f"{address.host} is not an address of this machine."
    return f"{address} cannot be listened on: {error.strerror}."


def _require_free_path(path: str) -> None:
    # sockaddr_un.sun_path holds 108 bytes on Linux and 104 on macOS (unix(7)), one for the NUL.
    if len(os.fsencode(path)) > 103:
        raise AddressError(f"{path}: the path of a Unix socket has at most 103 bytes.")
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        raise AddressError(f"{path}: the directory {directory} does not exist.")
    if not os.access(directory, os.W_OK):
        raise AddressError(f"{path}: this user may not write into {directory}.")
    if os.path.lexists(path):
        _remove_stale(path)
    # Twisted, and so Daphne, locks the path with a symbolic link to a PID. After a crash a
    # container gives the same PID out again, and Twisted would take itself for the owner.
    lock = f"{path}.lock"
    if os.path.islink(lock) and os.readlink(lock).isdigit():
        os.unlink(lock)


def _remove_stale(path: str) -> None:
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise AddressError(f"{path} exists and is not a socket; it is left as it is.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(5)  # seconds; a full queue would keep this waiting
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            _remove(path)
            return
        except (TimeoutError, BlockingIOError):
            pass  # somebody listens and is too busy to answer
        except OSError as error:
            raise AddressError(f"{path} cannot be used: {error.strerror}.") from error
    raise AddressError(_taken(path))


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError as error:
        raise AddressError(
            f"{path} is a socket that nobody listens on, and cannot be removed: {error.strerror}."
        ) from error


def _taken(where: object) -> str:
    return f"{where} is taken: another process listens there. Stop it, or name another address."
