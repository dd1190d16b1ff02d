"""``manage.py deploycheck``: is anything about the project at odds with how it will be served?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError

from deploytool.management.check_options import add_options
from deploytool.management.checking import could_not_run, explained, judge, listed
from deploytool.management.command import ProjectCommand
from deploytool.management.ending import end_with, status_of
from deploytool.reports.findings import FORMATS
from deploytool.reports.findings.text import summary
from deploytool.standard_output import answer_only
from deploytool.writer import write_report

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(ProjectCommand):
    """Run Django's deployment checks and ours, and report in one list."""

    help = (
        "Checks whether anything about this project is at odds with how it will be served. "
        "Exit status: 0 nothing at or above the fail level, 1 something, 2 not checked."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        super().add_arguments(parser)
        add_options(parser)

    def run_from_argv(self, argv: list[str]) -> None:
        """Run as a process of its own, which ends although the project's threads do not."""
        try:
            super().run_from_argv(argv)
        except BaseException as error:
            end_with(status_of(error))
            raise
        end_with(0)

    def handle(self, *args: Any, **options: Any) -> None:
        """Explain, list, or judge and report."""
        del args
        with answer_only(self.stdout) as answer:
            if options["explain"] or options["list"]:
                answer.write(explained(options["explain"]) if options["explain"] else listed())
                return
            result = judge(options)
            report = FORMATS[options["format"]]
            if options["output"] is None:
                answer.write(report(result, options["verbosity"], self.style_of(answer, options)))
            else:
                self.keep(options["output"], report(result, options["verbosity"], None))
                if options["verbosity"]:
                    self.stderr.write(f"{options['output']}: {summary(result)}", lambda x: x)
        if result.failing:
            sys.exit(1)

    @staticmethod
    def keep(output: str, text: str) -> None:
        """Write the report to the file ``output``, whole or not at all."""
        try:
            write_report(Path(output), f"{text}\n")
        except CommandError as error:
            raise could_not_run(str(error)) from error
