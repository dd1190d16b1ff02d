"""Projects with middleware of the zoo: what is found there, and what Django does with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.checks.project import MIDDLEWARE, deploycheck, make_project
from tests.support import ROOT, run_python

if TYPE_CHECKING:
    from collections.abc import Iterable

SOURCE = (Path(__file__).parent / "middleware_zoo.py").read_text("utf-8")

PLAIN = """
from django.http import HttpResponse


def home(request):
    return HttpResponse("home")


async def ahome(request):
    return HttpResponse("home")
"""
STREAMS = """
from django.http import FileResponse, StreamingHttpResponse


async def events(request):
    async def body():
        yield b"data: 1\\n\\n"

    return StreamingHttpResponse(body(), content_type="text/event-stream")


def report(request):
    return StreamingHttpResponse(iter([b"a,", b"b"]), content_type="text/csv")
"""
URLS = """
from django.urls import path

from app import views

urlpatterns = [path(name, getattr(views, name)) for name in dir(views) if name in {names}]
"""


def zoo_project(
    directory: Path,
    middleware: Iterable[str],
    *,
    views: Iterable[str] = ("home", "ahome"),
    settings: str = "",
) -> Path:
    """A sound project but for ``middleware``: dotted paths, or names of the zoo's.

    ``views`` are those of ``PLAIN`` and ``STREAMS`` that it routes.
    """
    listed = tuple(path if "." in path else f"app.zoo.{path}" for path in middleware)
    files = {
        "app/zoo.py": SOURCE,
        "app/views.py": PLAIN + (STREAMS if {"events", "report"} & set(views) else ""),
        "site1/urls.py": URLS.format(names=sorted(views)),
    }
    return make_project(directory, files, middleware=listed, settings=settings)


def findings(project: Path, *args: str) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """What is found of middleware: by the zoo's name the levels with numbers, and the findings."""
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for each in deploycheck(project, *args)["findings"]:
        number = each["id"].removeprefix("deploytool.")
        if each["id"].startswith("deploytool.") and 100 <= int(number[1:]) < 150:
            name = each["message"].split()[0]
            if name.startswith("process_"):
                name = each["message"].split()[2]
            found.setdefault(name.removeprefix("app.zoo."), []).append((number, each))
    return found


def numbers(project: Path, *args: str) -> dict[str, list[str]]:
    """``findings``, the levels and numbers alone and without advice."""
    return {
        name: kept
        for name, each in findings(project, *args).items()
        if (kept := [number for number, _ in each if number[0] != "I"])
    }


def line_of(text: str) -> int:
    """The line of the zoo's source that is ``text``, which must be one alone."""
    lines = [line.strip() for line in SOURCE.splitlines()]
    assert lines.count(text) == 1, text
    return lines.index(text) + 1


def driven(interface: str, cases: list[dict[str, Any]]) -> list[Any]:
    """What Django's own handler answers: each case as ``tests.checks.driving`` takes it."""
    done = run_python(
        "-m", "tests.checks.driving", interface, cwd=ROOT, timeout=120, stdin=json.dumps(cases)
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def in_zoo(name: str) -> str:
    """The dotted path of a middleware where Django's handler is driven."""
    return name if "." in name else f"tests.checks.middleware_zoo.{name}"


__all__ = [
    "MIDDLEWARE",
    "driven",
    "findings",
    "in_zoo",
    "line_of",
    "numbers",
    "zoo_project",
]
