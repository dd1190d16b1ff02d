"""What ``manage.py deploycheck`` costs on a large project, beside ``manage.py check --deploy``.

A project of 10,000 routes, 300 apps and 50 middlewares is generated. In turns are measured
``manage.py check --deploy`` with settings that do not know deploytool, and ``manage.py
deploycheck``, which makes Django's deployment checks and its own.

Run from the checkout: ``python benchmarks/checks.py``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from operator import truediv
from pathlib import Path

from generated import PACKAGE, generate
from measuring import Readings, environment, run, table, versions

ROUTES, APPS, MIDDLEWARE = 10_000, 300, 50
AIM = 1.5, 2.0
"""What deploycheck may take: so many times the other command, and seconds beside."""

_SETTINGS = """
from {0}.startproject import *

DEBUG = False
ALLOWED_HOSTS = ["example.org"]
ROOT_URLCONF = "{0}.urls"
INSTALLED_APPS += [f"apps.app{{number}}" for number in range({1})]
MIDDLEWARE += [f"apps.middleware.Middleware{{number}}" for number in range({2})]
"""
_MODELS = """
from django.db import models


class Thing{0}(models.Model):
    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=50)
"""
# One after the other: hooks of MiddlewareMixin, a call of its own, and one of either mode.
_MIDDLEWARE = (
    """
class Middleware{0}(MiddlewareMixin):
    def process_request(self, request):
        request.seen{0} = request.headers.get("X-Seen")

    def process_response(self, request, response):
        if not response.streaming and len(response.content) > 9:
            response["X-Seen-{0}"] = "1"
        return response
""",
    """
class Middleware{0}:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        response["X-Seen-{0}"] = "1"
        return response
""",
    """
class Middleware{0}:
    async_capable = True

    def __init__(self, get_response):
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request):
        if iscoroutinefunction(self):
            return self.acall(request)
        return self.get_response(request)

    async def acall(self, request):
        return await self.get_response(request)
""",
)
_IMPORTS = """
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.utils.deprecation import MiddlewareMixin
"""


def generate_large(folder: Path) -> Path:
    """The project, in ``folder``; returns the directory of its manage.py."""
    root = generate(folder, ROUTES)
    package = root / PACKAGE
    settings = _SETTINGS.format(PACKAGE, APPS, MIDDLEWARE)
    (package / "plain.py").write_text(settings)
    (package / "settings.py").write_text(f'{settings}\nINSTALLED_APPS += ["deploytool"]\n')
    apps = root / "apps"
    apps.mkdir()
    (apps / "__init__.py").touch()
    kinds = (_MIDDLEWARE[number % 3].format(number) for number in range(MIDDLEWARE))
    (apps / "middleware.py").write_text(_IMPORTS + "\n".join(kinds))
    for number in range(APPS):
        app = apps / f"app{number}"
        app.mkdir()
        (app / "__init__.py").touch()
        (app / "models.py").write_text(_MODELS.format(number))
    return root


def seconds_of(command: str, root: Path) -> float:
    """Seconds of one of the two commands."""
    more = {
        "check": ["check", "--deploy", "--settings", f"{PACKAGE}.plain"],
        "deploycheck": ["deploycheck", "--format", "json"],
    }[command]
    # What they find is no failure of the measurement.
    argv = [sys.executable, "manage.py", *more, "--fail-level", "CRITICAL"]
    seconds, answer = run(argv, root, environment())
    if command == "deploycheck" and not json.loads(answer)["plan"]["interface"]:
        sys.exit("deploycheck made no plan")
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="Readings of each. Default: 5.")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds takes at least 1.")
    commands = ("check", "deploycheck")
    readings: dict[str, list[float]] = {command: [] for command in commands}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        root = generate_large(Path(directory))
        for command in commands:
            seconds_of(command, root)  # compiles everything before the first reading
        for number in range(options.rounds):
            print(f"round {number + 1}", file=sys.stderr)
            for command in commands if number % 2 else reversed(commands):
                readings[command].append(seconds_of(command, root))
    check, ours = (Readings(tuple(readings[command])) for command in commands)
    allowed = Readings(tuple(AIM[0] * each + AIM[1] for each in check.values))
    print(", ".join(f"{name} {number}" for name, number in versions("Django").items()))
    print(f"seconds; medians of {options.rounds} rounds, in brackets the lowest and the highest\n")
    rows = [
        ("", "check --deploy", "deploycheck", "ratio", "of 1.5 times and 2 s"),
        (
            f"{ROUTES:,} routes, {APPS} apps, {MIDDLEWARE} middlewares",
            check.shown(2),
            ours.shown(2),
            f"{ours.against(check, truediv).median:.2f}",
            f"{ours.against(allowed, truediv).median:.2f}",
        ),
    ]
    print(table(rows))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
