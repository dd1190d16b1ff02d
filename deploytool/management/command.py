"""What the management commands share: the plan, and messages instead of tracebacks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from deploytool.plan import Options, PlanError, make_plan
from deploytool.project import inspect_project
from deploytool.servers import SERVERS

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

    from deploytool.plan import Plan
    from deploytool.project import Project


class ProjectCommand(BaseCommand):
    """A command that inspects the project and plans how to serve it."""

    # Each command says itself when Django's checks are to run: a plan for a project with
    # errors is worth more than no plan.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options that ask for another interface or server than the planned."""
        parser.add_argument("--interface", choices=["wsgi", "asgi"], help="Instead of the planned.")
        parser.add_argument(
            "--server", choices=[server.name for server in SERVERS], help="Instead of the planned."
        )

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Obey ``NO_COLOR`` (https://no-color.org), which Django does not."""
        if os.environ.get("NO_COLOR") and not options.get("force_color"):
            options["no_color"] = True
        return super().execute(*args, **options)

    def plan(self, options: Options) -> tuple[Project, Plan]:
        """The project and its plan; CommandError for settings or options that are wrong."""
        try:
            project = inspect_project()
            return project, make_plan(project, options)
        except (ImproperlyConfigured, PlanError) as error:
            raise CommandError(str(error)) from error
