"""Whose handler answers ASGI requests: Django's, or the one of ``deploytool.asgi``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploytool.project.facts import Interface, Project

OURS = "deploytool.handlers.asgi.ASGIHandler"


def serves_ours(project: Project, interface: Interface = "asgi") -> bool:
    """Whether requests through ``interface`` reach deploytool's handler."""
    return interface == "asgi" and project.entrypoints.asgi.handler == OURS


def leases_threads(project: Project, interface: Interface) -> bool:
    """Whether requests share a pool of threads, whose size can be chosen."""
    off = project.conf.asgi_handler_off
    return serves_ours(project, interface) and "leased-threads" not in off
