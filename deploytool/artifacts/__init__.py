"""The files that deploytool generates: one module and one template for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.management.base import CommandError

from deploytool.artifacts.asgi import Asgi
from deploytool.artifacts.wsgi import Wsgi
from deploytool.writer import compare

if TYPE_CHECKING:
    from collections.abc import Collection

    from deploytool.artifacts.rendering import Artifact
    from deploytool.plan import Plan
    from deploytool.project.facts import Project
    from deploytool.writer import Change

# In the order in which `deployfiles` goes through them.
ARTIFACTS: tuple[Artifact, ...] = (
    Wsgi(),
    Asgi(),
)


def changes(
    project: Project, plan: Plan, names: Collection[str] = ()
) -> list[tuple[Artifact, Change]]:
    """Each file of the artifacts called ``names``, against what the project has.

    Without names: of those that the plan needs and the project lacks, and of those that
    were written before. Raises CommandError for a name that there is not, and where one of
    them cannot be generated or compared.
    """
    known = [artifact.name for artifact in ARTIFACTS]
    for name in names:
        if name not in known:
            raise CommandError(f"There is no {name!r} to write. There are: {', '.join(known)}.")
    found: list[tuple[Artifact, Change]] = []
    for artifact in ARTIFACTS:
        if names and artifact.name not in names:
            continue
        wanted = bool(names) or (
            artifact.applies(project, plan) and not artifact.satisfied(project)
        )
        try:
            compared = [
                compare(project.base_dir, file, artifact.name)
                for file in artifact.files(project, plan)
            ]
        except CommandError:
            if wanted:
                raise
            continue
        if wanted or any(change.state in {"unchanged", "outdated"} for change in compared):
            found += [(artifact, change) for change in compared]
    return found


def is_due(artifact: Artifact, change: Change, project: Project) -> bool:
    """Whether a file is missing or has drifted from the project.

    A working one of the user's own is neither: it does what ours is for.
    """
    if change.state in {"unchanged", "outdated"}:
        return change.state == "outdated"
    return not artifact.satisfied(project)
