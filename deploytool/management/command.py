"""What the management commands share: clean stdout, and messages instead of tracebacks."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, OutputWrapper

from deploytool.plan import Options, PlanError, make_plan
from deploytool.project import inspect_project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.plan import Plan
    from deploytool.project import Project


class ProjectCommand(BaseCommand):
    """A command that inspects the project and plans how to serve it."""

    # Each command says itself when Django's checks are to run: a plan for a project with
    # errors is worth more than no plan.
    requires_system_checks = ()

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


@contextmanager
def answer_only(stdout: OutputWrapper) -> Iterator[OutputWrapper]:
    """The stream for a command's answer, the only thing that reaches standard output.

    Settings, apps and views may print when they are imported, also before the command
    runs; what Python has not flushed by then goes to standard error, as does everything
    printed from then on, by C code and at exit too.
    """
    try:
        real = stdout.fileno() == 1
    except (AttributeError, OSError, ValueError):  # call_command(stdout=StringIO())
        real = False
    if not real:
        with redirect_stdout(sys.stderr):
            yield stdout
        return
    answer = os.dup(1)
    os.dup2(2, 1)
    if sys.stdout is not None:
        sys.stdout.flush()
    with open(answer, "w", encoding="utf-8") as stream:
        yield OutputWrapper(stream)
