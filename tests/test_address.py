"""Addresses: what is understood, and what cannot be listened on."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from deploytool.address import Address, AddressError, parse_address, require_free
from tests.support import environment, free_port

UNPRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


@pytest.mark.parametrize(
    ("text", "address", "shown", "link"),
    [
        ("8000", Address("127.0.0.1", 8000), "127.0.0.1:8000", "http://127.0.0.1:8000/"),
        ("0:8000", Address("0.0.0.0", 8000), "0.0.0.0:8000", "http://127.0.0.1:8000/"),
        ("1.2.3.4:80", Address("1.2.3.4", 80), "1.2.3.4:80", "http://1.2.3.4:80/"),
        ("localhost:1", Address("localhost", 1), "localhost:1", "http://localhost:1/"),
        ("a-b.example:65535", Address("a-b.example", 65535), "a-b.example:65535", None),
        ("[::1]:8000", Address("::1", 8000), "[::1]:8000", "http://[::1]:8000/"),
        ("[::]:8000", Address("::", 8000), "[::]:8000", "http://[::1]:8000/"),
        ("[fe80::1%eth0]:8000", Address("fe80::1%eth0", 8000), "[fe80::1%eth0]:8000", None),
        ("unix:/run/a.sock", Address(path="/run/a.sock"), "unix:/run/a.sock", "unix:/run/a.sock"),
        ("unix:///run/a.sock", Address(path="/run/a.sock"), "unix:/run/a.sock", None),
    ],
)
def test_addresses_that_are_understood(text, address, shown, link):
    assert parse_address(text) == address
    assert str(address) == shown
    assert parse_address(shown) == address
    if link:
        assert address.url() == link


def test_the_link_says_https():
    assert Address("::1", 443).url("https") == "https://[::1]:443/"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not an address"),
        ("localhost", "not an address"),
        ("::1:8000", "not an address"),
        ("[::1]", "not an address"),
        ("http://localhost:8000", "not an address"),
        ("8000x", "not an address"),
        ("-1", "not an address"),
        ("two words:8000", "not an address"),
        ("0", "between 1 and 65535"),
        ("127.0.0.1:0", "between 1 and 65535"),
        ("99999", "between 1 and 65535"),
        ("[::g]:8000", "not an IPv6 address"),
        ("[1:2:3]:8000", "not an IPv6 address"),
        ("unix:site.sock", "absolute path"),
        ("unix:", "absolute path"),
    ],
)
def test_addresses_that_are_not_understood(text, says):
    with pytest.raises(AddressError, match=says):
        parse_address(text)


def test_a_free_port_stays_free():
    address = Address("127.0.0.1", free_port())
    require_free(address)
    require_free(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])
def test_a_taken_port_is_refused(host):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(AddressError, match=f"{host}:{port} is taken"):
            require_free(Address(host, port))


def test_a_taken_ipv6_port_is_refused():
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        with pytest.raises(AddressError, match=rf"\[::1\]:{port} is taken"):
            require_free(Address("::1", port))
        require_free(Address("127.0.0.1", port))


def test_an_address_of_another_machine_is_refused():
    # RFC 5737: documentation only, no machine has it.
    with pytest.raises(AddressError, match=r"192\.0\.2\.1 is not an address of this machine"):
        require_free(Address("192.0.2.1", 8000))


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 70 + ".example"])
def test_a_name_that_stands_for_nothing_is_refused(host):
    with pytest.raises(AddressError, match="no name or address of this machine"):
        require_free(Address(host, 8000))


@pytest.mark.skipif(
    not UNPRIVILEGED.exists() or int(UNPRIVILEGED.read_text()) < 2,
    reason="every user may listen on every port here",
)
def test_a_privileged_port_is_refused():
    script = (
        "import os\n"
        "from deploytool.address import Address, AddressError, require_free\n"
        "import encodings.idna\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "try: require_free(Address('127.0.0.1', 1))\n"
        "except AddressError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "this user may not listen on port 1. Use one above 1023." in done.stdout


@pytest.fixture
def path():
    """A path for a socket, short enough wherever the tests' own directory is."""
    with tempfile.TemporaryDirectory(prefix="address-", dir="/tmp") as directory:
        yield Path(directory) / "site.sock"


def test_a_new_socket_is_fine_and_not_created(path):
    require_free(Address(path=str(path)))
    assert not path.exists()


def test_a_stale_socket_is_removed_with_the_lock_of_its_owner(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
    lock = Path(f"{path}.lock")
    lock.symlink_to(str(os.getpid()))  # what Twisted leaves, naming a PID that is in use again
    require_free(Address(path=str(path)))
    assert not os.path.lexists(path)
    assert not os.path.lexists(lock)


def test_what_only_looks_like_a_lock_is_left_alone(path):
    lock = Path(f"{path}.lock")
    lock.symlink_to("elsewhere")
    require_free(Address(path=str(path)))
    assert lock.is_symlink()


def test_a_socket_that_somebody_listens_on_is_left_alone(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(0)
        with pytest.raises(AddressError, match="is taken"):
            require_free(Address(path=str(path)))
        # Nobody accepts: the queue is full, and whoever connects would have to wait.
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(BlockingIOError):
                for _ in range(10):
                    client = stack.enter_context(socket.socket(socket.AF_UNIX))
                    client.setblocking(False)
                    client.connect(str(path))
            with pytest.raises(AddressError, match="is taken"):
                require_free(Address(path=str(path)))
        assert path.is_socket()


def test_a_file_is_left_alone(path):
    path.write_text("mine")
    with pytest.raises(AddressError, match="is not a socket"):
        require_free(Address(path=str(path)))
    assert path.read_text() == "mine"


def test_a_socket_without_a_directory_is_refused(path):
    with pytest.raises(AddressError, match="does not exist"):
        require_free(Address(path=str(path.parent / "missing" / "site.sock")))


def test_a_socket_with_too_long_a_path_is_refused():
    with pytest.raises(AddressError, match="at most 103 bytes"):
        require_free(Address(path="/tmp/" + "x" * 100))
