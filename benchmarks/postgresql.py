"""A PostgreSQL cluster of its own, for as long as it is used; for benchmarks and tests.

It lies in a temporary directory, speaks through a Unix socket in there only, so that
nobody else gets at it, and forgets its data. PostgreSQL's programs have to be installed
(on Debian the package ``postgresql``).
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

START_LIMIT = 30.0  # seconds until it takes connections
STOP_LIMIT = 15.0  # seconds from the request to shut down to SIGKILL
SUPERUSER = "postgres"
USER = "site"
"""The sites' role. No superuser: for those PostgreSQL reserves some connections."""

# What is lost in a crash of the machine is not missed here.
_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def find_programs() -> Path | None:
    """The directory of ``initdb`` and ``postgres``, None where they are not installed."""
    on_path = [shutil.which(name) for name in ("initdb", "pg_ctl", "postgres")]
    directories = [Path(found).resolve().parent for found in on_path if found]
    # Debian keeps them there by version, and only psql and the like on the PATH.
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    directories += sorted(debian, key=lambda path: float(path.parent.name), reverse=True)
    for directory in directories:
        if all((directory / name).exists() for name in ("initdb", "postgres")):
            return directory
    return None


@dataclass(frozen=True)
class Cluster:
    """A running one."""

    folder: Path

    def connect(self, database: str = "postgres", user: str = SUPERUSER) -> psycopg.Connection[Any]:
        """A connection that commits each statement."""
        return psycopg.connect(self.address(database, user), autocommit=True)

    def address(self, database: str = "postgres", user: str = SUPERUSER) -> str:
        """What libpq connects to."""
        return f"host={self.folder} dbname={database} user={user} connect_timeout=10"

    def create_database(self, name: str) -> dict[str, str]:
        """Make an empty one; the environment that tells tests/projects/handler_postgres of it."""
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}" OWNER {USER}')
        return {"DATABASE_HOST": str(self.folder), "DATABASE_NAME": name, "DATABASE_USER": USER}


@contextlib.contextmanager
def running_cluster(max_connections: int = 100) -> Iterator[Cluster]:
    """A new cluster, stopped and removed at the end. The default is PostgreSQL's own."""
    programs = find_programs()
    if programs is None:
        raise FileNotFoundError("initdb and postgres were not found: PostgreSQL is not installed")
    # Not pytest's: that is closed to the user who has to run the server in place of root.
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    try:
        identity = _give_to_another(folder) if os.geteuid() == 0 else {}
        log = folder / "log"
        _initialise(programs, folder, log, identity)
        options = {
            **_SETTINGS,
            "max_connections": str(max_connections),
            "listen_addresses": "",
            "unix_socket_directories": str(folder),
        }
        argv = [str(programs / "postgres"), "-D", str(folder / "data")]
        for name, value in options.items():
            argv += ["-c", f"{name}={value}"]
        with log.open("ab") as output:
            process = subprocess.Popen(
                argv,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is not for it: it is stopped last
                **identity,
            )
        try:
            cluster = Cluster(folder)
            _wait_until_ready(cluster, process, log)
            yield cluster
        finally:
            _stop(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _give_to_another(folder: Path) -> dict[str, Any]:
    """Who runs the programs in root's place, which they refuse: the owner of ``folder`` now."""
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            account = pwd.getpwnam(name)
            os.chown(folder, account.pw_uid, account.pw_gid)
            return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    raise LookupError("neither a user postgres nor nobody, and PostgreSQL does not run as root")


def _initialise(programs: Path, folder: Path, log: Path, identity: dict[str, Any]) -> None:
    argv = [str(programs / "initdb"), "-D", str(folder / "data"), "-U", SUPERUSER]
    argv += ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    with log.open("wb") as output:
        done = subprocess.run(
            argv,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
            **identity,
        )
    if done.returncode:
        raise RuntimeError(f"initdb ended with {done.returncode}:\n{log.read_text()}")


def _wait_until_ready(cluster: Cluster, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with cluster.connect() as connection:
                connection.execute(f"CREATE ROLE {USER} LOGIN")
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """At once, whoever is still connected; then, if it must be, without its consent."""
    for how in (signal.SIGINT, signal.SIGQUIT):  # "fast" and "immediate", postgres(1)
        process.send_signal(how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_LIMIT / 2)
            return
    process.kill()
    process.wait()
