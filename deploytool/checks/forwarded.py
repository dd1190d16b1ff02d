"""What the planned server does with a proxy's headers, and whether Django learns the scheme.

How each server treats ``X-Forwarded-Proto`` and ``X-Forwarded-For``, from whom, is
reproduced in tests/checks/test_proxy_claims.py against the servers themselves.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from django.conf import settings

if TYPE_CHECKING:
    from deploytool.checks.case import Case
    from deploytool.plan import Plan

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SECURITY = "django.middleware.security.SecurityMiddleware"
CSRF = "django.middleware.csrf.CsrfViewMiddleware"
COMMON = "django.middleware.common.CommonMiddleware"
SESSION = "django.contrib.sessions.middleware.SessionMiddleware"


def has_middleware(case: Case, path: str) -> bool:
    """Whether the class ``path``, or one that derives from it, is in MIDDLEWARE."""
    return any(path in middleware.bases for middleware in case.project.middleware)


def redirects(case: Case) -> bool:
    """Whether Django redirects what it takes for plain HTTP."""
    return bool(getattr(settings, "SECURE_SSL_REDIRECT", False)) and has_middleware(case, SECURITY)


def trusts_everybody(plan: Plan) -> bool:
    """Whether the server believes the forwarded headers of every client."""
    if plan.server == "daphne":
        return "--proxy-headers" in plan.argv
    entries = _entries(plan)
    if plan.server == "uvicorn" and "*" in entries:
        # uvicorn/middleware/proxy_headers.py: the asterisk counts where it stands alone.
        return entries == ["*"]
    networks = [network for entry in entries if (network := as_network(entry))]
    return "*" in entries or any(network.prefixlen == 0 for network in networks)


def trusts_proxy(case: Case) -> bool | None:
    """Whether the server believes the headers of the proxy; None where that is not known.

    ``False`` too for a server that heeds no forwarded header at all.
    """
    plan = case.plan
    if plan.server is None:
        return None
    if plan.server == "daphne" or trusts_everybody(plan):
        return trusts_everybody(plan)
    if plan.address.path:
        # Gunicorn's documentation of forwarded_allow_ips: a Unix socket is always trusted.
        return plan.server == "gunicorn"
    return _trusts(plan, case.deployment.proxy_address.value)


def _trusts(plan: Plan, address: str | None) -> bool | None:
    if not address:
        return None
    trusted = [network for entry in _entries(plan) if (network := as_network(entry))]
    proxy = as_network("127.0.0.1" if address == "localhost" else address)
    if proxy is None:  # a name: none of this machine's, at least
        return False if all(network.is_loopback for network in trusted) else None
    return any(
        proxy.version == network.version and proxy.subnet_of(network)  # type: ignore[arg-type]
        for network in trusted
    )


def as_network(text: str) -> Network | None:
    """``text`` as a network (an address is one of a single host); None for anything else."""
    try:
        return ipaddress.ip_network(text.strip().strip("[]"), strict=False)
    except ValueError:
        return None


def _entries(plan: Plan) -> list[str]:
    return [entry.strip() for entry in (plan.forwarded_allow_ips or "").split(",")]


def scheme_header(value: object) -> tuple[object, object] | None:
    """SECURE_PROXY_SSL_HEADER as ``HttpRequest.scheme`` unpacks it; None where it cannot."""
    pair: Any = value
    try:
        header, secure = pair
    except Exception:  # whatever the object raises, Django would get as well
        return None
    return header, secure
