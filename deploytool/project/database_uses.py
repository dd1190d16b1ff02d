"""What of the project uses its databases in a way that settings decide about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from asgiref.sync import iscoroutinefunction
from django.apps import apps
from django.db import connections

from deploytool.project.callbacks import unwrap
from deploytool.project.definitions import dotted, is_project_class, location_of
from deploytool.project.services import ancestors
from deploytool.project.views import walk_routes

if TYPE_CHECKING:
    from deploytool.project.facts import Location, Project

_DATABASE_SESSIONS = "django.contrib.sessions.backends.db.SessionStore"


@dataclass(frozen=True, slots=True)
class AtomicView:
    """An async view that Django would wrap in a transaction of the databases ``aliases``.

    ``route`` is the first of its ``routes``.
    """

    name: str
    route: str
    location: Location | None
    aliases: tuple[str, ...]
    routes: int = 1


def async_views_in_transactions(base_dir: str) -> tuple[AtomicView, ...]:
    """The views that ``BaseHandler.make_view_atomic()`` raises for, each once."""
    try:
        atomic = [alias for alias, each in connections.settings.items() if each["ATOMIC_REQUESTS"]]
    except Exception:  # DATABASES is not a dictionary of dictionaries: Django's to say
        return ()
    found: dict[tuple[str, Location | None, tuple[str, ...]], AtomicView] = {}
    for route, callback in walk_routes(base_dir):
        try:
            exempt: set[str] = getattr(callback, "_non_atomic_requests", set())
            aliases = tuple(alias for alias in atomic if alias not in exempt)
            if not aliases or not iscoroutinefunction(callback):
                continue
            subject = unwrap(callback).subject
        except Exception:  # noqa: S112 - an object that refuses to be looked at
            continue
        view = AtomicView(dotted(subject), route, location_of(subject, base_dir), aliases)
        key = (view.name, view.location, aliases)
        known = found.get(key)
        found[key] = replace(known, routes=known.routes + 1) if known else view
    return tuple(found.values())


def has_tables(project: Project) -> bool:
    """Whether a request can be expected to query: models of the project, or its sessions."""
    engine = project.services.session_engine
    if engine and _DATABASE_SESSIONS in ancestors(f"{engine}.SessionStore"):
        return True
    return any(is_project_class(m) and m._meta.managed for m in apps.get_models())
