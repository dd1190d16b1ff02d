"""asgi.py: the entry point that an ASGI server is given, with the project's WebSocket routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.management.base import CommandError

from deploytool.artifacts.entrypoint import EntryPointArtifact, find_target, imports
from deploytool.plan.handler import serves_ours
from deploytool.plan.interface import websocket_routes

if TYPE_CHECKING:
    from deploytool.project.facts import Project

_AUTHENTICATION = ("django.contrib.auth", "django.contrib.sessions")


class Asgi(EntryPointArtifact):
    """Django's ASGI handler or ours, behind Channels' router where the project has routes."""

    name = "asgi"
    help = "asgi.py, the entry point for ASGI servers, with the apps' WebSocket routes"

    def satisfied(self, project: Project) -> bool:
        """Whether the project's own works, answers its routes and has the handler asked for."""
        answered = set(project.entrypoints.asgi.websocket_routes)
        return (
            super().satisfied(project)
            and answered.issuperset(websocket_routes(project))
            and (project.conf.asgi_handler != "deploytool" or _has_ours(project))
        )

    def context(self, project: Project) -> dict[str, object]:
        """Whose handler, the routing modules, whether a WebSocket can have session and user."""
        routing = project.entrypoints.routing
        return {
            "routing": routing,
            "routing_modules": sorted({module.module for module in routing}),
            "handler": _handler(project),
            "authentication": all(_installed(project, app) for app in _AUTHENTICATION),
        }


def _handler(project: Project) -> str:
    """Whose handler to write: as the settings state, else as the present file has it."""
    if project.conf.asgi_handler is not None:
        return project.conf.asgi_handler
    return "deploytool" if _has_ours(project) else "django"


def _has_ours(project: Project) -> bool:
    """Whether the present entry point has our handler.

    Where its handler is not seen, as its import fails, or is a class of the project's, by
    what it imports.
    """
    handler = project.entrypoints.asgi.handler
    if serves_ours(project) or (handler and handler.startswith("django.")):
        return serves_ours(project)
    try:
        target = find_target(project, "asgi")
    except CommandError:
        return False
    return imports(project, target, "deploytool.asgi", "deploytool.handlers.asgi")


def _installed(project: Project, app: str) -> bool:
    # By its name or by one of its AppConfigs.
    return any(entry == app or entry.startswith(f"{app}.apps.") for entry in project.installed_apps)
