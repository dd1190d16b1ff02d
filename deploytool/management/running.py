"""What ``runserver_gateway`` says and makes sure of before the server takes over."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, NoReturn

from django.core import checks
from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.migrations.exceptions import BadMigrationError, NodeNotFoundError
from django.db.migrations.executor import MigrationExecutor

from deploytool.address import AddressError, require_free
from deploytool.checks.given import judging
from deploytool.launch import replace_process
from deploytool.reports.text import server_title
from deploytool.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.plan import Plan


def positive(text: str) -> int:
    """A whole number of at least 1, as an argparse type."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def summary(plan: Plan) -> str:
    """Interface, server, workers and bind, and why: the block shown before the server starts."""
    interface = plan.decision("interface")
    why = f"{plan.interface.upper()}: {interface.reason}"
    if interface.evidence:
        why += f" ({interface.evidence[0]})"
    workers = counted(plan.workers, "worker")
    if threads := plan.threads or plan.asgi_threads:
        workers += f" of {counted(threads, 'thread')}"
    parts = [server_title(plan), workers]
    if plan.reload:
        parts.append("reloading")
    state = "on" if plan.mode == "development" else "off"
    parts.append(f"{plan.mode} (DEBUG is {state})")
    lines = [why, ", ".join(parts), plan.address.url("https" if plan.certfile else "http")]
    lines += [f"Note: {note}" for note in plan.notes]
    return "\n".join(lines)


def require_runnable(plan: Plan) -> None:
    """Raise CommandError with every problem that would make all requests fail."""
    if plan.problems:
        raise CommandError("\n".join(str(problem) for problem in plan.problems))


def require_own_modules(plan: Plan) -> None:
    """Raise CommandError where the server would import another module for one of the project's.

    Every server looks into the working directory first, which manage.py does not.
    """
    here = os.path.realpath(os.getcwd())
    if here in map(os.path.realpath, plan.watch):
        return
    inside = tuple(os.path.join(directory, "") for directory in plan.watch)
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if "." in name or name == "__main__" or not file.startswith(inside):
            continue
        found = PathFinder.find_spec(name, [here])
        if found and found.origin and os.path.realpath(found.origin) != os.path.realpath(file):
            raise CommandError(
                f"The working directory has a {name!r} of its own ({found.origin}), which the "
                f"server would import instead of {file}. Start from another directory."
            )


def require_checked(plan: Plan) -> str:
    """Run Django's checks; what else they found, in production as one line.

    Raises CommandError for findings of level ERROR and above, and for a check that crashes.
    """
    production = plan.mode == "production"
    try:
        # Ours inspect the project, which has been done, and gather facts for seconds: whoever
        # wants to be told so much before each start runs deploycheck.
        with judging("nothing"):
            found = checks.run_checks(include_deployment_checks=production)
    except (Exception, SystemExit) as error:
        raise CommandError(
            f"Django's checks could not run: {type(error).__name__}: {error}\n"
            "manage.py check shows where; --skip-checks starts without them."
        ) from error
    found = [message for message in found if not message.is_silenced()]
    errors = [message for message in found if message.is_serious()]
    if errors and production:
        # An error that only the deployment checks find (Django 6.1 has one for the e-mail
        # backend) leaves the site working: it is counted with the rest below.
        ordinary = checks.run_checks()  # ours are none of them
        errors = [message for message in errors if message in ordinary]
    if errors:
        listed = "\n".join(str(message) for message in errors)
        raise CommandError(f"Django's checks found errors:\n{listed}\n--skip-checks ignores them.")
    rest = [message for message in found if message.level >= checks.WARNING]
    if not production:
        return "\n".join(str(message) for message in rest)
    if not rest:
        return ""
    findings = counted(len(rest), "finding")
    return (
        f"{findings} about production settings: manage.py deploycheck shows them, and judges "
        "the project by its plan."
    )


def unapplied_migrations() -> str:
    """A line that names the apps whose migrations are not applied, empty where all are."""
    try:
        executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        return f"The database does not answer: {str(error).strip()}"
    except (BadMigrationError, NodeNotFoundError) as error:
        return f"The migrations cannot be read: {error}"
    except Exception:  # no default database, or one that has no migrations
        return ""
    apps = sorted({migration.app_label for migration, _ in plan})
    return f"Migrations are not applied ({', '.join(apps)}): manage.py migrate" if apps else ""


def before_start(plan: Plan, *, skip_checks: bool) -> Iterator[str]:
    """Make sure that ``plan`` can be run; yields what is worth a line on the way."""
    require_runnable(plan)
    require_own_modules(plan)
    if not skip_checks:
        yield require_checked(plan)
    if plan.mode == "development":
        yield unapplied_migrations()


def take_over(plan: Plan) -> NoReturn:
    """Become the server of ``plan``; CommandError where that cannot be."""
    try:
        require_free(plan.address)
    except AddressError as error:
        raise CommandError(str(error)) from error
    # The server opens its own; closing says goodbye to the database.
    connections.close_all()
    try:
        replace_process(plan)
    except OSError as error:
        raise CommandError(f"{plan.argv[0]} cannot be run: {error.strerror}.") from error
