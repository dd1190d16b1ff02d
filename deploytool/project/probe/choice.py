"""Which settings a module or a script chooses, seen where Django loads them.

The way to the choice has many spellings, and the choice may be made in another file than
the one that is looked at; that Django reads DJANGO_SETTINGS_MODULE when the first setting
is asked for is the same for all. Nothing of the module or script runs after that.
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys
from typing import IO, TYPE_CHECKING, Any, NoReturn

from .aftermath import settings_seen
from .run import described, end, write

if TYPE_CHECKING:
    from collections.abc import Callable

_VARIABLE = "DJANGO_SETTINGS_MODULE"
# Of django-configurations
_CONFIGURATION = "DJANGO_CONFIGURATION"


def run(request: dict[str, Any], trace: IO[str]) -> None:
    """Import or run what ``request`` names until the settings are loaded, and write them down.

    ``names`` in it are settings whose values are described.
    """
    del trace
    answer: dict[str, Any] = {"error": None, "values": {}}
    answer |= {"settings_module": None, "configuration": None}
    conf = importlib.import_module("django.conf")
    load: Callable[..., None] = conf.LazySettings._setup

    def setup(self: Any, name: str | None = None) -> NoReturn:
        conf.LazySettings._setup = load  # settings that ask for a setting themselves
        answer.update(_chosen())
        try:
            load(self, name)
            answer.update(settings_seen(request["salt"]))
            answer["values"] = {name: _value(self, name) for name in request["names"]}
        except BaseException as error:
            answer["error"] = described(error)
        write(request, answer)
        end()

    def configure(*_: Any, **__: Any) -> NoReturn:
        write(request, answer)  # settings without a module
        end()

    conf.LazySettings._setup = setup
    conf.LazySettings.configure = configure
    try:
        _load(request)
        # Without a reason to load them: a Celery application, a script that ends before
        if os.environ.get(_VARIABLE):
            conf.settings._setup()
    except BaseException as error:
        answer.update(_chosen())
        answer["error"] = described(error)
    write(request, answer)
    end()


def _chosen() -> dict[str, str | None]:
    return {
        "settings_module": os.environ.get(_VARIABLE),
        "configuration": os.environ.get(_CONFIGURATION),
    }


def _load(request: dict[str, Any]) -> None:
    if request["module"]:
        importlib.import_module(request["module"])
        return
    script = request["script"]
    sys.path.insert(0, os.path.dirname(script))
    # A command that looks at nothing but the settings, should anything let it run
    sys.argv[:] = [script, "version"]
    runpy.run_path(script, run_name="__main__")


def _value(settings: Any, name: str) -> dict[str, Any] | None:
    try:
        value = getattr(settings, name)
        return {"type": type(value).__name__, "on": bool(value)}
    except Exception:
        return None
