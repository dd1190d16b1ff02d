"""What a process is like after the import of an entry point: settings, threads, connections."""

from __future__ import annotations

import contextlib
import hmac
import sys
import time
from typing import TYPE_CHECKING, Any

from .background import background

if TYPE_CHECKING:
    from .witness import Connected, Witness

_SETTLES = 0.3  # seconds in which what only warms something up is likely to be over


def aftermath(witness: Witness, salt: str) -> dict[str, Any]:
    """Plain data for :class:`deploytool.project.facts.Started`."""
    return {
        **settings_seen(salt),
        "background": _background(witness),
        "connections": [_connection(each) for each in witness.connections],
    }


def settings_seen(salt: str) -> dict[str, Any]:
    """DEBUG and a digest of SECRET_KEY, as far as the settings are loaded."""
    found: dict[str, Any] = {"debug": None, "secret": None}
    settings = getattr(sys.modules.get("django.conf"), "settings", None)
    if getattr(settings, "configured", False) is True:
        for name, read in (("debug", _debug), ("secret", _secret)):
            with contextlib.suppress(Exception):  # an empty key; a lazy value of the project's
                found[name] = read(settings, salt)
    return found


def _debug(settings: Any, salt: str) -> bool:
    del salt
    return bool(settings.DEBUG)


def _secret(settings: Any, salt: str) -> str:
    return digest(settings.SECRET_KEY, salt)


def digest(secret: Any, salt: str) -> str:
    """What tells whether two keys are the same, and nothing of them.

    ``salt`` (hexadecimal) is as long as the digest, made anew for each inspection and kept
    nowhere, so that no guess at the key can be tried afterwards.
    """
    text = secret if isinstance(secret, bytes) else str(secret).encode("utf-8", "surrogatepass")
    return hmac.new(bytes.fromhex(salt), text, "sha256").hexdigest()


def _background(witness: Witness) -> list[dict[str, Any]]:
    found = background(witness.threads, witness.processes)
    if found:
        time.sleep(_SETTLES)
        before = {number for number, _ in found}
        now = background(witness.threads, witness.processes)
        found = [(number, running) for number, running in now if number in before]
    return [running._asdict() for _, running in found]


def _connection(noted: Connected) -> dict[str, Any]:
    return {
        "alias": str(getattr(noted.connection, "alias", "")),
        "frames": noted.frames,
        "module": noted.module,
        "answered": noted.answered,
        "kept": _is_open(noted.connection),
    }


def _is_open(connection: Any) -> bool:
    if getattr(connection, "connection", None) is not None:
        return True
    # Pools of psycopg, one an alias (django/db/backends/postgresql/base.py)
    pools = getattr(type(connection), "_connection_pools", None)
    return isinstance(pools, dict) and connection.alias in pools
