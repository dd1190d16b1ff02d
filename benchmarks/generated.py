"""Generated projects: as ``startproject`` makes them, with as many routes as asked for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from measuring import environment, run

if TYPE_CHECKING:
    from pathlib import Path

MODULES = 100
PACKAGE = "generated"

# One after the other: of ten views six are functions, two classes, one is decorated and
# one async; and one in fifty streams.
_FUNCTION = """
def view_{0}(request, number):
    return HttpResponse(f"view {0} of {{number}}")
"""
_CLASS = """
class View{0}(View):
    def get(self, request, number):
        return HttpResponse(f"view {0} of {{number}}")

    def post(self, request, number):
        return HttpResponse(status=201)
"""
_DECORATED = """
@never_cache
@require_http_methods(["GET", "POST"])
def view_{0}(request, number):
    return HttpResponse(f"view {0} of {{number}}")
"""
_ASYNC = """
async def view_{0}(request, number):
    return HttpResponse(f"view {0} of {{number}}")
"""
_STREAMING = """
def view_{0}(request, number):
    def rows():
        yield from (f"{{line}}\\n" for line in range(number))

    return StreamingHttpResponse(rows())
"""
_KINDS = (
    *(_FUNCTION, _CLASS, _FUNCTION, _DECORATED, _FUNCTION),
    *(_FUNCTION, _CLASS, _FUNCTION, _ASYNC, _FUNCTION),
)

_VIEWS = """
from django.http import HttpResponse, StreamingHttpResponse
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
"""
_URLS = "from django.urls import path\n\nfrom {0} import views_{1} as views\n\nurlpatterns = [\n"
_SETTINGS = """
from {0}.startproject import *

INSTALLED_APPS += ["deploytool"]
ROOT_URLCONF = "{0}.urls"
"""


def generate(folder: Path, routes: int) -> Path:
    """A project with ``routes`` routes in ``folder``: as ``startproject`` makes it, with views.

    Returns the directory of its manage.py.
    """
    package = start_project(folder / f"project{routes}", _SETTINGS.format(PACKAGE))
    modules = min(MODULES, routes)
    for module in range(modules):
        _write_module(package, module, range(module, routes, modules))
    includes = (
        f'    path("part-{module}/", include("{PACKAGE}.urls_{module}")),\n'
        for module in range(modules)
    )
    (package / "urls.py").write_text(
        "from django.urls import include, path\n\nurlpatterns = [\n" + "".join(includes) + "]\n"
    )
    return package.parent


def start_project(root: Path, settings: str) -> Path:
    """What ``startproject`` makes, in the new directory ``root``; returns its package.

    ``settings`` are the project's instead of its own, which become ``startproject.py``.
    """
    root.mkdir()
    run([sys.executable, "-m", "django", "startproject", PACKAGE, "."], root, environment())
    package = root / PACKAGE
    (package / "settings.py").rename(package / "startproject.py")
    (package / "settings.py").write_text(settings)
    return package


def _write_module(package: Path, module: int, numbers: range) -> None:
    views, urls = [_VIEWS], [_URLS.format(PACKAGE, module)]
    # Each module begins with another kind, so that a small project has several too.
    for place, number in enumerate(numbers, module):
        kind = _KINDS[place % len(_KINDS)] if place % 50 else _STREAMING
        views.append(kind.format(number))
        name = f"View{number}.as_view()" if kind is _CLASS else f"view_{number}"
        urls.append(f'    path("{number}/<int:number>/", views.{name}, name="view-{number}"),\n')
    (package / f"views_{module}.py").write_text("\n".join(views))
    (package / f"urls_{module}.py").write_text("".join([*urls, "]\n"]))
