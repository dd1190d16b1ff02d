"""``manage.py deployplan``: what the project is, what should serve it, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deploytool.management.command import ProjectCommand
from deploytool.plan import Options
from deploytool.reports import FORMATS, hops
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
        parser.add_argument(
            "--hops",
            action="store_true",
            help="List the middleware with the thread hops that each costs, instead of the plan.",
        )
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the plan, or the hops; JSON holds both."""
        del args
        with answer_only(self.stdout) as answer:
            project, plan = self.plan(
                Options(interface=options["interface"], server=options["server"])
            )
            if options["hops"] and options["format"] == "text":
                answer.write(hops.report(project, plan))
                return
            report = FORMATS[options["format"]]
            answer.write(report(project, plan, options["verbosity"]))
