"""``manage.py deployfiles``: write the files that the project needs to be served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError

from deploytool.artifacts import ARTIFACTS, changes, is_due
from deploytool.management.command import ProjectCommand
from deploytool.plan import Options
from deploytool.standard_output import answer_only
from deploytool.writer import shown, write

if TYPE_CHECKING:
    from django.core.management.base import CommandParser, OutputWrapper

    from deploytool.writer import Change


class Command(ProjectCommand):
    """Compare, ask, write, and say what became of each file."""

    help = "Writes the files that this project needs to be served, such as its entry points."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        known = "; ".join(f"{artifact.name}: {artifact.help}" for artifact in ARTIFACTS)
        text = f"What to write ({known}). Default: what is missing or out of date."
        parser.add_argument("names", nargs="*", metavar="NAME", help=text)
        for option, text in {
            "--dry-run": "Say what would be written, with -v 2 the whole files; write nothing.",
            "--diff": "Print what would change as a unified diff; write nothing.",
            "--check": "Exit with status 1 if a file is missing or differs; write nothing.",
            "--noinput --no-input": "Never ask: keep what deploytool did not write.",
        }.items():
            parser.add_argument(*option.split(), action="store_true", help=text)

    def handle(self, *args: Any, **options: Any) -> None:
        """Go through the files, one after the other."""
        with answer_only(self.stdout) as answer:
            project, plan = self.plan(Options())
            found = changes(project, plan, options["names"])
            if not found and options["verbosity"] and not options["diff"]:
                answer.write(f"Nothing to write: {plan.application} works.")
            for _, change in found:
                self.settle(change, answer, options)
        due = [artifact.name for artifact, change in found if is_due(artifact, change, project)]
        if options["check"] and due:
            names = " ".join(dict.fromkeys(due))
            raise CommandError(f"Missing or out of date. Next: manage.py deployfiles {names}")

    def settle(self, change: Change, answer: OutputWrapper, options: dict[str, Any]) -> None:
        """Do with one file what ``options`` ask for, and say what was done."""
        name, passive = shown(change.path), options["dry_run"] or options["check"]
        if options["diff"]:
            answer.write(change.diff(name), ending="")
            return
        verb = {"missing": "created", "unchanged": "unchanged"}.get(change.state, "updated")
        if change.reason and (passive or options["noinput"] or not self.confirm(name, change)):
            unless = " unless confirmed" if passive and not options["noinput"] else ""
            verb = f"kept{unless} ({change.reason})"
        elif passive:
            verb = verb if change.state == "unchanged" else f"would be {verb}"
        else:
            write(change)
        if options["verbosity"]:
            answer.write(f"{name}: {verb}")
        if options["dry_run"] and options["verbosity"] > 1:
            answer.write(change.after)

    def confirm(self, name: str, change: Change) -> bool:
        """Ask whether to overwrite a file that is not ours; no answer is no."""
        try:
            said = input(f"{name} was {change.reason}. Overwrite it? [y/N] ")
        except EOFError:  # nobody is there to answer
            return False
        return said.strip().lower() in {"y", "yes"}
