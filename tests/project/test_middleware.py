"""Middleware, as the loaded settings have it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.support import copy_project, environment, facts

if TYPE_CHECKING:
    from pathlib import Path

IMPORT = "from deploytool.project.middleware import inspect_middleware"


def inspect(project: Path) -> dict[str, dict[str, Any]]:
    """The middleware of a project by the last part of their paths, in order."""
    found = facts(project, IMPORT, "inspect_middleware(os.getcwd())")
    assert [each["setting"] for each in found] == [
        f"settings.MIDDLEWARE[{index}]" for index in range(len(found))
    ]
    return {each["path"].rpartition(".")[2]: each for each in found}


def place(location: dict[str, Any] | None) -> str | None:
    return location and f"{location['path']}:{location['line']}"


def line_of(path: Path, text: str) -> int:
    """The number of the only line of a file that has ``text`` in it."""
    (found,) = [
        number for number, line in enumerate(path.read_text().splitlines(), 1) if text in line
    ]
    return found


def test_default_middleware_of_a_new_project(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "django", "startproject", "fresh", str(tmp_path)]
    subprocess.run(command, check=True, env=environment(), timeout=60)
    found = inspect(tmp_path)

    assert list(found) == [
        "SecurityMiddleware",
        "SessionMiddleware",
        "CommonMiddleware",
        "CsrfViewMiddleware",
        "AuthenticationMiddleware",
        "MessageMiddleware",
        "XFrameOptionsMiddleware",
    ]
    for name, each in found.items():
        assert (each["style"], each["sync_capable"], each["async_capable"]) == ("mixin", True, True)
        assert each["known"] == each["path"] == each["bases"][0]
        line = line_of(tmp_path / "fresh" / "settings.py", f".{name}'")
        assert place(each["set_at"]) == f"fresh/settings.py:{line}"
        assert each["location"]["path"].endswith(".py")
        assert each["error"] is None
    assert found["CsrfViewMiddleware"]["hooks"] == [
        "process_request",
        "process_view",
        "process_response",
    ]


def test_styles_and_capabilities(tmp_path: Path) -> None:
    found = inspect(copy_project("middleware_zoo", tmp_path))
    shown = {
        name: (each["style"], each["sync_capable"], each["async_capable"], each["hooks"])
        for name, each in found.items()
        if each["style"]
    }
    assert shown == {
        "simple": ("function", True, False, []),
        "hybrid": ("function", True, True, []),
        "Hooks": ("mixin", True, True, ["process_view", "process_exception"]),
        "OwnCall": ("class", True, True, ["__call__"]),
        "Sessions": ("mixin", True, True, ["process_request", "process_response"]),
        "AsyncOnly": ("class", False, True, ["__call__"]),
        "configured": ("function", True, False, []),
        "Renamed": ("mixin", True, True, ["process_response"]),
    }


def test_known_ancestors(tmp_path: Path) -> None:
    found = inspect(copy_project("middleware_zoo", tmp_path))
    sessions = "django.contrib.sessions.middleware.SessionMiddleware"
    assert found["Sessions"]["known"] == sessions
    assert found["Sessions"]["bases"] == [
        "zoo.middleware.Sessions",
        sessions,
        "django.utils.deprecation.MiddlewareMixin",
    ]
    assert found["Renamed"]["known"] == "django.middleware.gzip.GZipMiddleware"
    for own in ("simple", "hybrid", "Hooks", "OwnCall", "AsyncOnly", "configured"):
        assert found[own]["known"] is None, own


def test_location_is_where_it_is_defined(tmp_path: Path) -> None:
    project = copy_project("middleware_zoo", tmp_path)
    found = inspect(project)
    source = project / "zoo" / "middleware.py"
    for name, text in {
        "simple": "def simple(",
        "hybrid": "@sync_and_async_middleware",
        "OwnCall": "class OwnCall(",
        "configured": "def _factory(",
    }.items():
        assert place(found[name]["location"]) == f"zoo/middleware.py:{line_of(source, text)}"
    assert found["Renamed"]["location"]["path"].endswith("django/middleware/gzip.py")


def test_what_cannot_be_imported_is_an_error_with_its_place(tmp_path: Path) -> None:
    project = copy_project("middleware_zoo", tmp_path)
    found = inspect(project)
    settings = project / "zoo" / "settings.py"
    errors = {
        each["path"]: (each["error"]["type"], place(each["error"]["location"]))
        for each in found.values()
        if each["error"]
    }
    assert errors == {
        "zoo.missing_package.Missing": ("ModuleNotFoundError", "zoo/missing_package.py:1"),
        "zoo.exits.Exits": ("SystemExit", "zoo/exits.py:3"),
        "zoo.middleware.Mispelt": (
            "ImportError",
            f"zoo/settings.py:{line_of(settings, 'Mispelt')}",
        ),
        "zoo.middleware.NAME": ("TypeError", f"zoo/settings.py:{line_of(settings, '.NAME')}"),
    }


def test_spliced_settings_name_the_line_that_has_the_last_word(tmp_path: Path) -> None:
    project = copy_project("spliced_settings", tmp_path)
    found = inspect(project)
    base, production = "config/settings/base.py", "config/settings/production.py"

    def at(path: str, text: str) -> str:
        return f"{path}:{line_of(project / path, text)}"

    assert {name: place(each["set_at"]) for name, each in found.items()} == {
        "SecurityMiddleware": at(base, "SecurityMiddleware"),
        "WhiteNoiseMiddleware": at(production, "WhiteNoiseMiddleware"),
        # production.py names it too, but only to find its position
        "SessionMiddleware": at(base, "SessionMiddleware"),
        "AuthenticationMiddleware": at(production, "AuthenticationMiddleware"),
        "CommonMiddleware": at(base, "CommonMiddleware"),
        "Tenant": "config/settings/tenants.py:1",
        "Audit": at(production, "Audit"),
        "Local": "config/settings/local_part.py:1",
        "Computed": None,
    }
    assert found["Audit"]["known"] is None
    assert found["WhiteNoiseMiddleware"]["known"] == "whitenoise.middleware.WhiteNoiseMiddleware"


def test_file_that_a_computed_name_executes_is_found_beside_the_settings(tmp_path: Path) -> None:
    project = copy_project("spliced_settings", tmp_path)
    production = project / "config" / "settings" / "production.py"
    text = production.read_text()
    assert '"local_part.py"' in text
    production.write_text(text.replace('"local_part.py"', '"_".join(["local", "part.py"])'))
    assert place(inspect(project)["Local"]["set_at"]) == "config/settings/local_part.py:1"


def test_settings_executed_by_pattern(tmp_path: Path) -> None:
    project = copy_project("spliced_settings", tmp_path)
    parts = project / "config" / "settings" / "parts"
    parts.mkdir()
    (parts / "live.py").write_text('\nMIDDLEWARE += ["config.middleware.Local"]\n')
    production = project / "config" / "settings" / "production.py"
    production.write_text(
        production.read_text().replace('/ "local_part.py"', "/ f\"parts/{Path('live').name}.py\"")
    )
    (project / "config" / "settings" / "local_part.py").unlink()
    assert place(inspect(project)["Local"]["set_at"]) == "config/settings/parts/live.py:2"


def test_wrong_kind_of_setting_is_an_error(tmp_path: Path) -> None:
    project = copy_project("middleware_zoo", tmp_path)
    settings = project / "zoo" / "settings.py"
    text = settings.read_text()
    settings.write_text(text + '\nMIDDLEWARE = "zoo.middleware.simple"\n')
    (found,) = facts(project, IMPORT, "inspect_middleware(os.getcwd())")
    assert found["error"]["type"] == "TypeError"
    assert "not a list" in found["error"]["message"]

    settings.write_text(text + "\nMIDDLEWARE = None\n")
    (found,) = facts(project, IMPORT, "inspect_middleware(os.getcwd())")
    assert "None" in found["error"]["message"]

    settings.write_text(text + "\nimport zoo.middleware\nMIDDLEWARE = [zoo.middleware.simple]\n")
    (found,) = facts(project, IMPORT, "inspect_middleware(os.getcwd())")
    assert found["path"] == "zoo.middleware.simple"
    assert "not the dotted path" in found["error"]["message"]
