"""What a rule looks at: the project, the plan, where it is deployed, and settings by type."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from django.conf import settings

from deploytool.checks.inference import infer
from deploytool.project.cache_uses import CacheUse, cache_uses
from deploytool.project.chain import Chain, PendingChain
from deploytool.project.coroutines import AsyncCode, inspect_async_code
from deploytool.project.coroutines.sockets import inspect_consumer, inspect_wrapper, is_channels
from deploytool.project.database_answers import DatabaseAnswer, ask_databases
from deploytool.project.databases import DatabaseSettings, inspect_databases
from deploytool.project.file_serving import inspect_file_serving
from deploytool.project.forwarding import inspect_forwarding
from deploytool.project.layer_uses import LayerUse, layer_uses
from deploytool.project.settings_choice import Choices, inspect_choices
from deploytool.project.settings_source import setting_location
from deploytool.project.throttles import Throttle, inspect_throttles

if TYPE_CHECKING:
    from deploytool.checks.deployment import Deployment
    from deploytool.checks.inference import Inference
    from deploytool.plan import Plan
    from deploytool.project import Project
    from deploytool.project.coroutines.facts import Consumer, Wrapper
    from deploytool.project.facts import EntryPoint, Location
    from deploytool.project.file_serving import FileServing
    from deploytool.project.forwarding import Forwarding

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
    def files(self) -> Inference:
        """The project's own deployment files, and what they start."""
        return infer(self.project)

    @cached_property
    def entry(self) -> EntryPoint:
        """The entry point that the plan serves."""
        entrypoints = self.project.entrypoints
        return entrypoints.asgi if self.asgi else entrypoints.wsgi

    @cached_property
    def async_code(self) -> AsyncCode:
        """What the project's coroutines and streams do."""
        return inspect_async_code(self.project)

    def consumer(self, name: str) -> Consumer:
        """What the consumer of this dotted path takes from its scope."""
        return inspect_consumer(name, self.project.entrypoints.asgi, self.project.base_dir)

    def wrapper(self, name: str) -> Wrapper:
        """What a wrapper around WebSocket routes, by its dotted path, does."""
        return inspect_wrapper(name, self.project.entrypoints.asgi)

    def is_channels(self, name: str) -> bool:
        """Whether the consumer of this dotted path is one of Channels'."""
        return is_channels(name, self.project.entrypoints.asgi)

    @property
    def own_handler(self) -> bool:
        """Whether ``deploytool.asgi`` answers the requests."""
        return self.asgi and (self.entry.handler or "").startswith("deploytool.")

    @property
    def reuses_threads(self) -> bool:
        """Whether threads, and the database connections that are theirs, outlive requests.

        Django's ASGI handler has a new one for each request: asgiref's
        ``ThreadSensitiveContext`` around ``ASGIHandler.handle()``.
        """
        if not self.asgi or (self.entry.handler or "").endswith("WSGIHandler"):
            return True
        return self.own_handler and "leased-threads" not in self.project.conf.asgi_handler_off

    @property
    def processes(self) -> int:
        """The processes that answer requests: workers by replicas."""
        return self.plan.workers * self.deployment.replicas.value

    @cached_property
    def pending_chain(self) -> PendingChain:
        """The inspection of the middleware, under way in a process of its own."""
        return PendingChain(self.project, self.plan.interface)

    @cached_property
    def chain(self) -> Chain:
        """The middleware as a server of the planned interface would have it."""
        return self.pending_chain.result()

    @cached_property
    def database_settings(self) -> tuple[DatabaseSettings, ...]:
        """How the settings connect to each database."""
        return inspect_databases()

    @cached_property
    def database_answers(self) -> tuple[DatabaseAnswer, ...]:
        """What the databases answered that may be asked."""
        return ask_databases(self.databases)

    @cached_property
    def cache_uses(self) -> tuple[CacheUse, ...]:
        """What the project's code keeps in caches for all processes to see."""
        return cache_uses(self.project.base_dir)

    @cached_property
    def layer_uses(self) -> tuple[LayerUse, ...]:
        """Where the project's code uses a channel layer."""
        return layer_uses(self.project.base_dir)

    @cached_property
    def forwarding(self) -> Forwarding:
        """What the project's own code does with the headers of a proxy."""
        return inspect_forwarding(self.project)

    @cached_property
    def file_serving(self) -> FileServing:
        """Static files and uploads, and who serves them on the planned interface."""
        return inspect_file_serving(self.project, self.plan.interface)

    @cached_property
    def throttles(self) -> tuple[Throttle, ...]:
        """The throttles of the views, with their caches."""
        return inspect_throttles(self.project.base_dir)

    @cached_property
    def settings_choices(self) -> Choices:
        """The settings that manage.py, the entry points and Celery choose by themselves."""
        return inspect_choices(self.project)

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
