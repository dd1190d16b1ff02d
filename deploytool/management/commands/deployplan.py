"""``manage.py deployplan``: what the project is, what should serve it, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deploytool.management.command import ProjectCommand
from deploytool.plan import Options
from deploytool.reports import FORMATS
from deploytool.standard_output import answer_only

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(ProjectCommand):
    """Show the plan."""

    help = "Shows what this project is, which interface and server should serve it, and why."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--format", choices=sorted(FORMATS), default="text", help="Default: text."
        )
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the plan."""
        del args
        with answer_only(self.stdout) as answer:
            project, plan = self.plan(
                Options(interface=options["interface"], server=options["server"])
            )
            report = FORMATS[options["format"]]
            answer.write(report(project, plan, options["verbosity"]))
