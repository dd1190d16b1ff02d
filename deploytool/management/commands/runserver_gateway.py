"""``manage.py runserver_gateway``: serve the project as planned, by becoming the server."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from deploytool.launch import shell_line
from deploytool.management.command import ProjectCommand
from deploytool.management.running import before_start, positive, summary, take_over
from deploytool.plan import Options
from deploytool.standard_output import answer_only

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(ProjectCommand):
    """Plan, check, and replace this process by the server."""

    help = (
        "Serves this project with the interface and server that it needs. Everything after -- "
        "goes to the server untouched."
    )

    # What stands after --, which the parser must not see.
    stealth_options = ("extra",)
    extra: tuple[str, ...] = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Set aside what stands after ``--``."""
        if "--" in argv:
            end = argv.index("--")
            argv, self.extra = argv[:end], tuple(argv[end + 1 :])
        super().run_from_argv(argv)

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument(
            "addrport", nargs="?", help="PORT, HOST:PORT, [IPV6]:PORT or unix:/path."
        )
        super().add_arguments(parser)
        parser.add_argument("--workers", type=positive, help="Number of server processes.")
        parser.add_argument("--threads", type=positive, help="Threads of each process.")
        parser.add_argument(
            "--reload", action="store_true", default=None, help="Restart when the code changes."
        )
        parser.add_argument("--no-reload", action="store_false", dest="reload", default=None)
        parser.add_argument(
            "--dry-run", action="store_true", help="Print the command line and run nothing."
        )
        parser.add_argument("--skip-checks", action="store_true", help="Skip Django's checks.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Become the server, or say in one message why not."""
        del args
        dry_run = options["dry_run"]
        # The server inherits standard output: it stays as it is unless only a line is printed.
        with answer_only(self.stdout) if dry_run else nullcontext(self.stdout) as answer:
            _, plan = self.plan(
                Options(
                    interface=options["interface"],
                    server=options["server"],
                    bind=options["addrport"],
                    workers=options["workers"],
                    threads=options["threads"],
                    reload=options["reload"],
                    extra=tuple(options.get("extra") or self.extra),
                )
            )
            self.stderr.write(summary(plan), self.style.NOTICE)
            for line in before_start(plan, skip_checks=options["skip_checks"]):
                if line:
                    self.stderr.write(line, self.style.WARNING)
            if dry_run:
                answer.write(shell_line(plan))
                return
        take_over(plan)
