"""Static files and uploads: whether there are any, where they lie, and who serves them.

Asked of the live objects: finders, storage classes, models and the resolved URLconf. No
storage is made for it, as one may connect when it is.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import json
from dataclasses import dataclass, replace
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles import views as staticfiles_views
from django.contrib.staticfiles.storage import ManifestFilesMixin
from django.core.files.storage import FileSystemStorage, default_storage
from django.db.models import FileField
from django.utils.module_loading import import_string
from django.views import static as static_views

from deploytool.project.callbacks import unwrap
from deploytool.project.definitions import class_attribute, is_own, location_of
from deploytool.project.forwarding import sources_around
from deploytool.project.services import entries, static_servers, url_setting
from deploytool.project.sources import own_sources
from deploytool.project.views import walk_routes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.project.facts import Interface, Location, Project

_SERVE = (static_views.serve, staticfiles_views.serve)
_IGNORED = ("CVS", ".*", "*~")  # django/contrib/staticfiles/apps.py


@dataclass(frozen=True, slots=True)
class Storage:
    """A storage in the local file system.

    ``root`` is where it keeps its files, None where that is not set; ``own_url`` where it has
    a URL of its own instead of the setting's. ``manifest`` is the file that a strict storage
    with hashed names reads, as far as it is known, ``manifest_state`` what is there:
    ``absent`` where not even the directory has files, ``missing`` where it has, ``broken``
    where Django could not read it.
    """

    root: str | None
    own_url: bool = False
    manifest: str | None = None
    manifest_state: Literal["ok", "absent", "missing", "broken"] = "ok"
    hashes: bool = False


@dataclass(frozen=True, slots=True)
class FileView:
    """A route behind which Django's view for development serves files.

    ``direct`` where the route has that view itself, False where a view of the project's calls
    it. ``finders``: it is the view of staticfiles, which serves nothing unless DEBUG is on.
    """

    route: str
    direct: bool
    finders: bool
    location: Location | None


@dataclass(frozen=True, slots=True)
class Upload:
    """The first field that keeps uploads in the default storage: ``shop.Product.image``."""

    field: str
    location: Location | None


@dataclass(frozen=True, slots=True)
class FileServing:
    """``static_file`` is one that a finder finds, ``static_storage`` None for one that is not
    local. ``static_servers`` are those that serve the interface asked about. ``media_path``
    is the path of MEDIA_URL, None where it is not set or another host's."""

    static_file: str | None
    static_storage: Storage | None
    static_servers: tuple[tuple[str, str], ...]
    views: tuple[FileView, ...]
    upload: Upload | None
    media_storage: Storage | None
    media_path: str | None
    media_served: bool


def inspect_file_serving(project: Project, interface: Interface) -> FileServing:
    """Who serves static files and uploads on ``interface``.

    A project's faults raise nothing: what cannot be loaded is not there.
    """
    media_path = local_path(url_setting("MEDIA_URL"))
    return FileServing(
        static_file=_static_file(),
        static_storage=_storage("staticfiles", getattr(settings, "STATIC_ROOT", None)),
        static_servers=tuple(static_servers(_only(project, interface))),
        views=tuple(_file_views(project.base_dir)),
        upload=_upload(project.base_dir),
        media_storage=_storage("default", getattr(settings, "MEDIA_ROOT", None)),
        media_path=media_path,
        media_served=bool(media_path) and _media_served(str(media_path), project, interface),
    )


def local_path(url: object) -> str | None:
    """The path of a URL setting of this host, without slashes around it; None for another's."""
    if not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return None if parts.netloc else parts.path.strip("/") or None


def _only(project: Project, interface: Interface) -> Any:
    """The entry points, as if there were only the one of ``interface``."""
    both = project.entrypoints
    if interface == "wsgi":
        return replace(both, asgi=replace(both.asgi, wrappers=(), mounts=()))
    return replace(both, wsgi=replace(both.wsgi, wrappers=()))


def _static_file() -> str | None:
    """A static file that collectstatic would collect; None where there is none."""
    if not apps.is_installed("django.contrib.staticfiles"):
        return None
    try:
        for finder in finders.get_finders():
            for path, storage in finder.list(_IGNORED):
                return str(getattr(storage, "path", lambda name: name)(path))
    except Exception:  # Django's checks tell what is wrong with a finder
        return None
    return None


def _storage(alias: str, root: object) -> Storage | None:
    """The storage ``alias`` where it is a local one."""
    entry = entries("STORAGES").get(alias, {})
    try:
        backend = entry["BACKEND"]
        cls: object = import_string(backend) if isinstance(backend, str) else backend
    except (Exception, SystemExit):
        return None
    if not (inspect.isclass(cls) and issubclass(cls, FileSystemStorage)):
        return None
    options = entry.get("OPTIONS")
    options = options if isinstance(options, dict) else {}
    where = options.get("location") or root
    directory = str(where) if isinstance(where, (str, Path)) and str(where) else None
    made = Storage(directory, own_url=bool(options.get("base_url")))
    if not (issubclass(cls, ManifestFilesMixin) and cls.manifest_strict):
        return made
    made = replace(made, hashes=True)
    read = ("read_manifest", "load_manifest", "manifest_storage")
    if "manifest_storage" in options or directory is None:
        return made
    if any(
        class_attribute(cls, name) is not class_attribute(ManifestFilesMixin, name) for name in read
    ):
        return made
    manifest = Path(directory) / str(cls.manifest_name)
    return replace(made, manifest=str(manifest), manifest_state=_manifest_state(manifest))


def _manifest_state(manifest: Path) -> Literal["ok", "absent", "missing", "broken"]:
    try:
        text = manifest.read_text("utf-8")
    except FileNotFoundError:
        return "missing" if _has_files(manifest.parent) else "absent"
    except (OSError, ValueError):
        return "broken"
    try:
        # The versions that ManifestFilesMixin.load_manifest() knows.
        return "ok" if json.loads(text).get("version") in {"1.0", "1.1"} else "broken"
    except (ValueError, AttributeError):
        return "broken"


def _has_files(directory: Path) -> bool:
    try:
        return any(not path.name.startswith(".") for path in directory.iterdir())
    except OSError:
        return False


def _file_views(base_dir: str) -> Iterator[FileView]:
    for route, callback in walk_routes(base_dir):
        try:
            subject = unwrap(callback).subject
            called = _serves(subject)
        except Exception:  # noqa: S112 - an object that refuses to be looked at
            continue
        if called is None:
            continue
        direct = subject is called
        place = _routed_at(route, called, base_dir) if direct else location_of(subject, base_dir)
        yield FileView(route, direct, called is staticfiles_views.serve, place)


def _serves(subject: object) -> object | None:
    """Which of Django's views for files ``subject`` is, or calls."""
    if any(subject is view for view in _SERVE):
        return subject
    functions: list[object] = [subject]
    if isinstance(subject, type):
        functions = [each for base in subject.__mro__ for each in vars(base).values()]
    for each in functions:
        function = inspect.unwrap(each) if callable(each) else each
        if isinstance(function, FunctionType) and is_own(function.__code__.co_filename):
            names = function.__code__.co_names
            for name in names:
                found: object = function.__globals__.get(name)
                if isinstance(found, ModuleType) and "serve" in names:
                    found = getattr(found, "serve", None)
                if any(found is view for view in _SERVE):
                    return found
    return None


def _routed_at(route: str, view: object, base_dir: str) -> Location | None:
    """Where the project's code gives ``view`` a route: the one of this ``route`` if it is told."""
    found: list[tuple[bool, Location]] = []
    for source in own_sources(base_dir):
        if source.module is None or not source.mentions("serve", "static"):
            continue
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and any(
                _is_view(each, view, source.module)
                for each in itertools.chain.from_iterable(map(ast.walk, node.args[1:2]))
            ):
                first = node.args[0]
                text = first.value if isinstance(first, ast.Constant) else None
                told = isinstance(text, str) and route.endswith(text.removeprefix("^"))
                found.append((told, source.at(node)))
    return next((place for told, place in found if told), found[0][1] if found else None)


def _is_view(node: ast.AST, view: object, module: ModuleType) -> bool:
    if isinstance(node, ast.Name):
        return getattr(module, node.id, None) is view
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return getattr(getattr(module, node.value.id, None), node.attr, None) is view
    return False


def _upload(base_dir: str) -> Upload | None:
    for model in apps.get_models():
        for field in model._meta.get_fields():
            if isinstance(field, FileField) and _in_default(field.storage):
                return Upload(f"{model._meta.label}.{field.name}", location_of(model, base_dir))
    return None


def _in_default(storage: object) -> bool:
    # Only asked which it is: a lazy storage is made when anything of it is wanted.
    return storage is default_storage


def _media_served(path: str, project: Project, interface: Interface) -> bool:
    routes = (view.route.removeprefix("^") for view in project.views.views)
    if any(route.startswith(path) for route in routes) or project.views.error:
        return True
    mounts = project.entrypoints.asgi.mounts if interface == "asgi" else ()
    if any(mount.path.strip("/") == path for mount in mounts):
        return True
    own = {middleware.path.rpartition(".")[0] for middleware in project.middleware}
    around = [
        *sources_around(project),
        *(
            source
            for source in own_sources(project.base_dir)
            if getattr(source.module, "__name__", None) in own
        ),
    ]
    return any(source.mentions("MEDIA_URL", "MEDIA_ROOT") for source in around)
