"""asgi.py: the entry point that an ASGI server is given, with the project's WebSocket routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploytool.artifacts.entrypoint import EntryPointArtifact
from deploytool.plan.interface import websocket_routes

if TYPE_CHECKING:
    from deploytool.project.facts import Project

_AUTHENTICATION = ("django.contrib.auth", "django.contrib.sessions")


class Asgi(EntryPointArtifact):
    """Django's ASGI handler, behind Channels' router where the project has routes for it."""

    name = "asgi"
    help = "asgi.py, the entry point for ASGI servers, with the apps' WebSocket routes"

    def satisfied(self, project: Project) -> bool:
        """Whether the project's own entry point works and answers its WebSocket routes."""
        answered = set(project.entrypoints.asgi.websocket_routes)
        return super().satisfied(project) and answered.issuperset(websocket_routes(project))

    def context(self, project: Project) -> dict[str, object]:
        """The routing modules, and whether a WebSocket can have a session and a user."""
        routing = project.entrypoints.routing
        return {
            "routing": routing,
            "routing_modules": sorted({module.module for module in routing}),
            "authentication": all(_installed(project, app) for app in _AUTHENTICATION),
        }


def _installed(project: Project, app: str) -> bool:
    # By its name or by one of its AppConfigs.
    return any(entry == app or entry.startswith(f"{app}.apps.") for entry in project.installed_apps)
