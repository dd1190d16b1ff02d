"""What an artifact is, what it returns, and how its template is rendered.

An artifact decides what a file holds; it never looks at what is there already and never
writes. That is the writer's part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from django.conf import settings
from django.core.management.base import CommandError
from django.template import Context, Engine, TemplateDoesNotExist, TemplateSyntaxError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploytool.plan import Plan
    from deploytool.project.facts import Project


@dataclass(frozen=True, slots=True)
class File:
    """A whole file, as it should be.

    ``path`` is relative to the project's base directory, with ``/``; ``comment`` starts a
    comment line in this kind of file; ``mode`` is the permission of a new file before the
    umask.
    """

    path: str
    content: str
    comment: str = "#"
    mode: int = 0o644


class Artifact(Protocol):
    """Something that ``manage.py deployfiles NAME`` generates."""

    @property
    def name(self) -> str:
        """What it is called on the command line."""

    @property
    def help(self) -> str:
        """One line for the list of artifacts."""

    def applies(self, project: Project, plan: Plan) -> bool:
        """Whether a project that is served by ``plan`` needs it."""

    def satisfied(self, project: Project) -> bool:
        """Whether the project's own does what this one is for, so that none is missing."""

    def files(self, project: Project, plan: Plan) -> tuple[File, ...]:
        """The files, whole. Raises CommandError where the project's state allows none."""


def render(template: str, context: Mapping[str, Any]) -> str:
    """The file that ``deploytool/TEMPLATE`` gives with ``context``.

    Looked up as Django does, in the DIRS of every TEMPLATES backend and then in the apps in
    their order, so that a project overrides it with its own ``templates/deploytool/TEMPLATE``;
    but by an engine of its own, because the project may have configured none for Django's
    templates, and because its own escapes HTML. Raises CommandError for a template with an
    error in it.
    """
    engine = Engine(
        dirs=[
            directory
            for backend in settings.TEMPLATES
            if isinstance(backend, dict)
            for directory in backend.get("DIRS") or ()
        ],
        app_dirs=True,
        autoescape=False,
    )
    name = f"deploytool/{template}"
    try:
        return engine.get_template(name).render(Context(context, autoescape=False, use_l10n=False))
    except (TemplateDoesNotExist, TemplateSyntaxError) as error:
        raise CommandError(f"The template {name} cannot be rendered: {error}") from error
