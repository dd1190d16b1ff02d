"""Which background workers the project needs beside its web server.

Each is known by its installed app, its setting, or the application object that it is
configured with. A queue whose setting makes tasks run at once, in the process that sends
them, needs no worker and is left out.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.utils.module_loading import import_string

from deploytool.project.facts import TaskQueue
from deploytool.project.source import is_installed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploytool.project.facts import EntryPoints

_CELERY = "celery.app.base.Celery"


@dataclass(frozen=True, slots=True)
class _Queue:
    """How a task queue is recognised.

    ``at_once`` says of the value of its ``setting`` whether tasks run without a worker.
    """

    name: str
    apps: tuple[str, ...]
    setting: str | None = None
    at_once: Callable[[Any], bool] = lambda value: False


_QUEUES = (
    _Queue(
        "django-q",
        ("django_q",),
        "Q_CLUSTER",
        lambda value: isinstance(value, dict) and value.get("sync") is True,
    ),
    _Queue(
        "huey",
        ("huey.contrib.djhuey",),
        "HUEY",
        lambda value: (
            value.get("immediate") is True
            if isinstance(value, dict)
            else getattr(value, "immediate", None) is True
        ),
    ),
    _Queue("dramatiq", ("django_dramatiq",), "DRAMATIQ_BROKER"),
    _Queue(
        "rq",
        ("django_rq",),
        "RQ_QUEUES",
        lambda value: (
            isinstance(value, dict)
            and bool(value)
            and all(isinstance(q, dict) and q.get("ASYNC") is False for q in value.values())
        ),
    ),
    _Queue("procrastinate", ("procrastinate.contrib.django",)),
    _Queue("django-background-tasks", ("background_task",)),
)
_CELERY_APPS = ("django_celery_beat", "django_celery_results", "djcelery")


def inspect_tasks(entrypoints: EntryPoints) -> tuple[TaskQueue, ...]:
    """The task queues whose worker the project needs, each once, with its evidence.

    ``entrypoints`` tells whether the ASGI application answers Channels' ``channel`` scope,
    which only ``manage.py runworker`` produces.
    """
    found = [*_celery(), *_django_tasks(), *_known_queues()]
    if "channel" in entrypoints.asgi.protocols:
        found.append(TaskQueue("channels", f"{entrypoints.asgi.application} answers 'channel'"))
    first = {queue.name: queue for queue in reversed(found)}
    return tuple(queue for queue in found if first[queue.name] is queue)


def _known_queues() -> Iterator[TaskQueue]:
    for queue in _QUEUES:
        value = getattr(settings, queue.setting, None) if queue.setting else None
        if queue.at_once(value):
            continue
        if value is not None:
            yield TaskQueue(queue.name, f"settings.{queue.setting}")
        for app in queue.apps:
            if evidence := _installed_app(app):
                yield TaskQueue(queue.name, evidence)


def _installed_app(name: str) -> str | None:
    """``settings.INSTALLED_APPS[3]``, the entry that installs the app ``name``, or None."""
    if not apps.is_installed(name):
        return None
    for index, entry in enumerate(settings.INSTALLED_APPS):
        if entry == name or entry.startswith(f"{name}."):
            return f"settings.INSTALLED_APPS[{index}]"
    return "settings.INSTALLED_APPS"  # by an AppConfig of another package


def _django_tasks() -> Iterator[TaskQueue]:
    """Django's own tasks: any backend but those that run a task at once or drop it."""
    value = getattr(settings, "TASKS", None)
    for alias, entry in value.items() if isinstance(value, dict) else ():
        backend = entry.get("BACKEND") if isinstance(entry, dict) else None
        if isinstance(backend, str) and not _ancestor_names(backend) & {
            "ImmediateBackend",
            "DummyBackend",
        }:
            yield TaskQueue("django-tasks", f"settings.TASKS[{str(alias)!r}]: {backend}")


def _ancestor_names(path: str) -> set[str]:
    # By bare names: Django's tasks and their backport for older versions share them.
    try:
        found = import_string(path)
    except (Exception, SystemExit):  # whatever the user's module raises, its name is still known
        return {path.rpartition(".")[2]}
    return {cls.__name__ for cls in found.__mro__} if inspect.isclass(found) else set()


def _celery() -> Iterator[TaskQueue]:
    names = [name for name in dir(settings) if name.startswith("CELERY_")]
    eager = {"CELERY_TASK_ALWAYS_EAGER", "CELERY_ALWAYS_EAGER"}.intersection(names)
    if any(getattr(settings, name) is True for name in eager):
        return
    if evidence := _written_celery() or _loaded_celery():
        yield TaskQueue("celery", evidence)
    if names:
        preferred = "CELERY_BROKER_URL" if "CELERY_BROKER_URL" in names else names[0]
        yield TaskQueue("celery", f"settings.{preferred}")
    for app in _CELERY_APPS:
        if evidence := _installed_app(app):
            yield TaskQueue("celery", evidence)


def _loaded_celery() -> str | None:
    """``config.celery:app``, the Celery application of an imported module of the project."""
    if "celery" not in sys.modules:
        return None
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not file or is_installed(file):
            continue
        for attribute, value in list(vars(module).items()):
            mro = type(value).__mro__
            if any(f"{cls.__module__}.{cls.__qualname__}" == _CELERY for cls in mro):
                return f"{name}:{attribute}"
    return None


def _written_celery() -> str | None:
    """``config/celery.py:8``, where a module beside the settings makes a Celery application.

    Read from the source text: without an import of it in the package's ``__init__``, only
    the worker ever loads that module.
    """
    module = settings.SETTINGS_MODULE  # None where settings.configure() was called
    while module:
        module = module.rpartition(".")[0]
        try:
            spec = importlib.util.find_spec(module) if module else None
        except (ImportError, ValueError):
            continue
        for directory in (spec.submodule_search_locations or ()) if spec else ():
            for path in sorted(Path(directory).glob("*.py")):
                if line := _celery_line(path):
                    return f"{module.replace('.', '/')}/{path.name}:{line}"
    return None


def _celery_line(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if "Celery(" not in text:
            return None
        tree = ast.parse(text, os.fspath(path))
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name == "Celery":
                return node.lineno
    return None
