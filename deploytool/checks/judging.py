"""About judging itself: settings that no plan can be made with, unknown ids, crashed rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploytool.checks.rule import PREFIX, Finding, rule, rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case


@rule(1, "W")
def crashed(case: Case) -> Iterator[Finding]:
    """A check could not be made.

    One of deploytool's rules raised an exception. The others were made all the same; the
    message names the rule, the exception and the line.

    ## Why is this bad?
    What the rule would have found is not known.

    ## Example
    A setting of a type that nobody thought of.

    ## Use instead
    Report it, with the message. Until it is mended, `SILENCED_SYSTEM_CHECKS` can name
    `deploytool.W001`.

    ## Source
    deploytool's own (`deploytool/checks/running.py`).
    """
    del case
    yield from ()  # made in running.py, where the rules are called


@rule(2, "E")
def unreadable(case: Case) -> Iterator[Finding]:
    """The project cannot be judged.

    `settings.DEPLOYTOOL` has an unknown key or a value of the wrong type, or it asks for
    what contradicts itself, such as the interface `"wsgi"` and the server `"daphne"`.

    ## Why is this bad?
    No plan can be made, so that nothing can be held against it.

    ## Example
    ```python
    DEPLOYTOOL = {"SERVRE": "gunicorn"}
    ```

    ## Use instead
    ```python
    DEPLOYTOOL = {"SERVER": "gunicorn"}
    ```

    ## Source
    deploytool's own (the page Settings).
    """
    del case
    yield from ()  # made in registered.py, where the plan is


@rule(3, "W")
def unknown_silenced(case: Case) -> Iterator[Finding]:
    """`SILENCED_SYSTEM_CHECKS` names a check that does not exist.

    An entry begins with `deploytool.` and is the id of no rule.

    ## Why is this bad?
    It silences nothing: it is misspelt, or of another level than the finding it was meant for.

    ## Example
    ```python
    SILENCED_SYSTEM_CHECKS = ["deploytool.E003"]
    ```

    ## Use instead
    The id as `manage.py deploycheck` shows it; `manage.py deploycheck --list` lists them all.

    ## Source
    Django's documentation, `SILENCED_SYSTEM_CHECKS`.
    """
    known = {identifier for each in rules() for identifier in each.ids}
    for entry in case.names("SILENCED_SYSTEM_CHECKS"):
        if entry.startswith(PREFIX) and entry not in known:
            number = entry.removeprefix(PREFIX).lstrip("EWI")
            near = [each for each in sorted(known) if each.endswith(number)] if number else []
            meant = f"Did you mean {near[0]!r}? " if near else ""
            yield Finding(
                f"SILENCED_SYSTEM_CHECKS names {entry!r}, and there is no such check: it "
                "silences nothing.",
                f"{meant}manage.py deploycheck --list lists all checks.",
                case.set_at("SILENCED_SYSTEM_CHECKS"),
            )


@rule(4, "E")
def check_crashed(case: Case) -> Iterator[Finding]:
    """One of Django's checks, or of an app's, could not be made.

    A check that is registered with Django's check framework raised an exception. The others
    were made all the same.

    ## Why is this bad?
    `manage.py check` ends with a traceback there, and what the check would have found is not
    known. Most often the URLconf, or something that it imports, cannot be imported: then
    every request fails as well.

    ## Example
    A name in `urls.py` that its module no longer has.

    ## Use instead
    Mend what raised it; the message names the exception and the line.

    ## Source
    Django's documentation, "System check framework".
    """
    del case
    yield from ()  # made in registered.py, where the checks are called
