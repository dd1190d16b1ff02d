"""What a rule looks at: the project, the plan, where it is deployed, and settings by type."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from django.conf import settings

from deploytool.project.settings_source import setting_location

if TYPE_CHECKING:
    from deploytool.checks.deployment import Deployment
    from deploytool.plan import Plan
    from deploytool.project import Project
    from deploytool.project.facts import EntryPoint, Location

T = TypeVar("T")


@dataclass(frozen=True)
class Case:
    """A project, how it is to be served, and the deployment that it is judged against.

    ``plan`` is the plan for production, whatever DEBUG is. ``databases`` are the aliases
    that may be asked something; empty unless the command line names some.
    """

    project: Project
    plan: Plan
    deployment: Deployment
    databases: tuple[str, ...] = ()

    @property
    def asgi(self) -> bool:
        """Whether the plan serves ASGI."""
        return self.plan.interface == "asgi"

    @cached_property
    def entry(self) -> EntryPoint:
        """The entry point that the plan serves."""
        entrypoints = self.project.entrypoints
        return entrypoints.asgi if self.asgi else entrypoints.wsgi

    @property
    def own_handler(self) -> bool:
        """Whether ``deploytool.asgi`` answers the requests."""
        return self.asgi and (self.entry.handler or "").startswith("deploytool.")

    @property
    def processes(self) -> int:
        """The processes that answer requests: workers by replicas."""
        return self.plan.workers * self.deployment.replicas.value

    def setting(self, name: str, kind: type[T], default: T) -> T:
        """The setting ``name`` if it is of ``kind``, else ``default``.

        What is of another type is a matter of Django's own checks, not of a rule that only
        wants to know what it says.
        """
        value: Any = getattr(settings, name, default)
        return value if isinstance(value, kind) else default

    def names(self, name: str) -> tuple[str, ...]:
        """The strings in the setting ``name``, which is to be a list of strings."""
        value: Any = getattr(settings, name, ())
        if not isinstance(value, (list, tuple, set, frozenset)):
            return ()
        return tuple(each for each in value if isinstance(each, str))

    def set_at(self, name: str) -> Location | str:
        """Where the setting ``name`` is assigned; its name where that cannot be found."""
        return setting_location(name, self.project.base_dir) or f"settings.{name}"
