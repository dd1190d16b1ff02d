"""What the management commands share: the plan, and messages instead of tracebacks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.core.management.color import color_style, no_style

from deploytool.plan import Options, PlanError, make_plan
from deploytool.project import inspect_project
from deploytool.servers import SERVERS

if TYPE_CHECKING:
    from django.core.management.base import CommandParser, OutputWrapper
    from django.core.management.color import Style

    from deploytool.plan import Plan
    from deploytool.project import Project


class ProjectCommand(BaseCommand):
    """A command that inspects the project and plans how to serve it."""

    # Each command says itself when Django's checks are to run: a plan for a project with
    # errors is worth more than no plan.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options that ask for another interface or server than the planned."""
        parser.add_argument(
            "--interface", choices=["wsgi", "asgi"], help="Instead of the planned one."
        )
        parser.add_argument(
            "--server",
            choices=[server.name for server in SERVERS],
            help="Instead of the planned one.",
        )

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Obey ``NO_COLOR`` (https://no-color.org), which Django does not."""
        if os.environ.get("NO_COLOR") and not options.get("force_color"):
            options["no_color"] = True
        return super().execute(*args, **options)

    @staticmethod
    def style_of(answer: OutputWrapper, options: dict[str, Any]) -> Style:
        """Colours for ``answer`` where it goes to a terminal, and none elsewhere.

        ``self.style`` goes by standard output as it was when the command was made, which is
        standard error here (standard_output.py).
        """
        if options["no_color"] or not (options["force_color"] or answer.isatty()):
            return no_style()
        return color_style(force_color=True)

    def plan(self, options: Options) -> tuple[Project, Plan]:
        """The project and its plan; CommandError for settings or options that are wrong."""
        try:
            project = inspect_project()
            return project, make_plan(project, options)
        except (ImproperlyConfigured, PlanError) as error:
            raise CommandError(str(error)) from error
