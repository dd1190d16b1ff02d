"""``manage.py deploycheck``: is anything about the project at odds with how it will be served?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploytool.management.checking import could_not_run, explained, judge, listed
from deploytool.management.command import ProjectCommand
from deploytool.management.running import positive
from deploytool.reports.findings import FORMATS
from deploytool.standard_output import answer_only

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

_LEVELS = ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG")


class Command(ProjectCommand):
    """Run Django's deployment checks and ours, and report in one list."""

    help = (
        "Checks whether anything about this project is at odds with how it will be served. "
        "Exit status: 0 nothing at or above the fail level, 1 something, 2 not checked."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        super().add_arguments(parser)
        add = parser.add_argument
        add("--workers", type=positive, metavar="N", help="Server processes to judge for.")
        add("--replicas", type=positive, metavar="N", help="Copies of the server to judge for.")
        add("--what-if", choices=["wsgi", "asgi"], help="Judge as if served so, and compare.")
        add(
            "--fail-level",
            type=str.upper,
            choices=_LEVELS,
            default="WARNING",
            help="Lowest level that makes the exit status 1. Default: WARNING.",
        )
        add("--format", choices=sorted(FORMATS), default="text", help="Default: text.")
        add("--output", metavar="FILE", help="Write the report there instead.")
        add("--tag", "-t", dest="tags", action="append", help="Only checks with this tag.")
        add(
            "--database",
            dest="databases",
            action="append",
            metavar="ALIAS",
            help="A database that may be asked, for its migrations and limits.",
        )
        add("--explain", metavar="ID", help="Explain one check, and check nothing.")
        add("--list", action="store_true", help="List all checks, and check nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Explain, list, or judge and report."""
        del args
        with answer_only(self.stdout) as answer:
            if options["explain"] or options["list"]:
                answer.write(explained(options["explain"]) if options["explain"] else listed())
                return
            result = judge(options)
            text = FORMATS[options["format"]](result, options["verbosity"])
            if options["output"]:
                try:
                    Path(options["output"]).write_text(text + "\n", "utf-8")
                except OSError as error:
                    reason = f"{options['output']} cannot be written: {error.strerror}."
                    raise could_not_run(reason) from error
            else:
                answer.write(text)
        if result.failing:
            sys.exit(1)
