"""The one function that looks at the live project: ``inspect_project()``."""

from __future__ import annotations

import os
import sys
import sysconfig
from typing import TYPE_CHECKING

from django.conf import settings

from deploytool.conf import read_conf
from deploytool.handlers.options import PLANNED_THREADS
from deploytool.handlers.source import is_read_version
from deploytool.project.entrypoints import start_entrypoints
from deploytool.project.facts import Project
from deploytool.project.machine import inspect_machine
from deploytool.project.middleware import inspect_middleware
from deploytool.project.receivers import inspect_receivers
from deploytool.project.services import inspect_services
from deploytool.project.views import inspect_views
from deploytool.servers import distributions

if TYPE_CHECKING:
    from collections.abc import Sequence

# What platforms and servers read to learn how to serve; a plan heeds the same.
# DJANGO_CONFIGURATION names the settings class of a django-configurations project.
_ENVIRONMENT = (
    "PORT",
    "WEB_CONCURRENCY",
    "FORWARDED_ALLOW_IPS",
    "DJANGO_CONFIGURATION",
    PLANNED_THREADS,
)


def inspect_project() -> Project:
    """Look at the loaded project and return its facts.

    Settings are loaded and apps are set up, as in a management command. Raises
    ImproperlyConfigured where ``settings.DEPLOYTOOL`` is not valid; every other wrong
    state of the project is a fact.
    """
    conf = read_conf()
    paths = import_path(sys.path)
    base_dir = _base_dir(paths)
    # The entry points are imported in processes of their own; the rest goes on meanwhile.
    pending = start_entrypoints(
        settings_module=os.environ.get("DJANGO_SETTINGS_MODULE"),
        base_dir=base_dir,
        import_path=paths,
        timeout=conf.entrypoint_timeout,
    )
    machine = inspect_machine(distributions())
    # Before the middleware: what the URLconf registers (path converters) matters to them.
    views = inspect_views(base_dir)
    middleware = inspect_middleware(base_dir)
    entrypoints = pending.result()
    return Project(
        settings_module=os.environ.get("DJANGO_SETTINGS_MODULE"),
        base_dir=base_dir,
        import_path=paths,
        debug=bool(settings.DEBUG),
        allowed_hosts=tuple(str(host) for host in settings.ALLOWED_HOSTS),
        installed_apps=tuple(settings.INSTALLED_APPS),
        entrypoints=entrypoints,
        middleware=middleware,
        views=views,
        services=inspect_services(entrypoints),
        machine=machine,
        conf=conf,
        environment=tuple((name, os.environ[name]) for name in _ENVIRONMENT if name in os.environ),
        receivers=inspect_receivers(),
        django_read=is_read_version(),
    )


def import_path(path: Sequence[str]) -> tuple[str, ...]:
    """Those entries of ``path`` that a server's own interpreter would not have by itself.

    The directory of manage.py, ``--pythonpath``, ``PYTHONPATH`` and what manage.py adds;
    without Python's own directories, those of installed distributions and what does not
    exist. Absolute.
    """
    kinds = ("stdlib", "platstdlib", "purelib", "platlib")
    own = {os.path.realpath(sysconfig.get_path(kind)) for kind in kinds}
    prefixes = tuple({os.path.realpath(prefix) for prefix in (sys.prefix, sys.base_prefix)})
    kept = []
    for entry in path:
        absolute = os.path.abspath(entry)
        real = os.path.realpath(absolute)
        inside = real.startswith(tuple(directory + os.sep for directory in own))
        archive = real.endswith(".zip") and real.startswith(prefixes)
        packages = os.path.basename(real) in {"site-packages", "dist-packages"}
        # Uvicorn refuses to watch a directory that does not exist.
        if os.path.exists(real) and not (real in own or inside or archive or packages):
            kept.append(absolute)
    return tuple(dict.fromkeys(kept))


def _base_dir(paths: Sequence[str]) -> str:
    """The directory that the settings module was imported from, else the first of ``paths``."""
    name = os.environ.get("DJANGO_SETTINGS_MODULE", "")
    module = sys.modules.get(name)
    file: str | None = getattr(module, "__file__", None)
    if file:
        directory = os.path.dirname(os.path.abspath(file))
        if os.path.basename(file).startswith("__init__."):
            directory = os.path.dirname(directory)
        for _ in range(name.count(".")):
            directory = os.path.dirname(directory)
        return directory
    return paths[0] if paths else os.getcwd()
