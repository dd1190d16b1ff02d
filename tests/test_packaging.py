"""What is distributed: the right files, the right version, and the extras that are spoken of."""

from __future__ import annotations

import email
import os
import re
import tarfile
import tomllib
import zipfile
from typing import TYPE_CHECKING

import pytest

import deploytool
from deploytool.servers import SERVERS
from tests.distribution import LEFTOVERS, built
from tests.support import ROOT

if TYPE_CHECKING:
    from email.message import Message
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="builds under a POSIX file lock")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="session")
def dist(tmp_path_factory) -> Path:
    return built(tmp_path_factory)


@pytest.fixture(scope="session")
def in_wheel(dist) -> dict[str, str]:
    """The text of each file of the wheel."""
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.fixture(scope="session")
def in_sdist(dist) -> dict[str, int]:
    """The size in bytes of each file of the source distribution."""
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    assert {member.name.partition("/")[0] for member in members} == {sdist.name[: -len(".tar.gz")]}
    return {member.name.partition("/")[2]: member.size for member in members if member.isfile()}


@pytest.fixture(scope="session")
def metadata(in_wheel) -> Message:
    (name,) = (name for name in in_wheel if name.endswith(".dist-info/METADATA"))
    return email.message_from_string(in_wheel[name])


def required(metadata: Message, extra: str | None) -> set[str]:
    """Names of the distributions that are installed with ``extra``, None for without any."""
    lines = metadata.get_all("Requires-Dist")
    found = set()
    for line in lines:
        marker = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        if (marker and marker[1]) == extra:
            found.add(re.match(r"[\w.-]+", line)[0].lower())
    return found


def test_the_version_is_the_packages_own(metadata, dist):
    assert metadata["Name"] == "django-deploytool"
    assert metadata["Version"] == deploytool.__version__
    names = {path.name for path in dist.iterdir() if path.suffix in {".whl", ".gz"}}
    assert names == {
        f"django_deploytool-{deploytool.__version__}-py3-none-any.whl",
        f"django_deploytool-{deploytool.__version__}.tar.gz",
    }


def test_django_is_all_that_it_needs(metadata):
    assert required(metadata, None) == {"django"}


def test_the_first_page_is_the_readme(metadata):
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload().strip() == (ROOT / "README.md").read_text().strip()


def test_each_server_is_installed_by_its_extra(metadata):
    for server in SERVERS:
        assert server.distribution in required(metadata, server.extra), server.name
        assert server.install == f'pip install "django-deploytool[{server.extra}]"'


def test_extras_that_texts_speak_of_exist():
    extras = set(PYPROJECT["project"]["optional-dependencies"])
    texts = [ROOT / "README.md", *(ROOT / "docs").glob("**/*.md"), ROOT / "Makefile"]
    spoken = {}
    for path in texts:
        for names in re.findall(r"(?:django-deploytool|'\.|\"\.)\[([\w, -]+)\]", path.read_text()):
            spoken |= {name.strip(): path.name for name in names.split(",")}
    assert {"demo", "dev"} <= set(spoken)  # the Makefile's own
    assert {name: place for name, place in spoken.items() if name not in extras} == {}


def test_the_wheel_carries_the_package_and_nothing_else(in_wheel, in_sdist):
    info = f"django_deploytool-{deploytool.__version__}.dist-info"
    package = {name for name in in_wheel if not name.startswith(info)}
    assert package == {name for name in in_sdist if name.startswith("deploytool/")}
    assert {name.removeprefix(f"{info}/") for name in in_wheel if name.startswith(info)} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "licenses/LICENSE",
    }


def test_the_wheel_carries_what_is_not_python(in_wheel):
    assert {
        "deploytool/py.typed",
        "deploytool/reports/deploycheck.schema.json",
        "deploytool/reports/deployplan.schema.json",
        "deploytool/templates/deploytool/asgi.py.tpl",
        "deploytool/templates/deploytool/wsgi.py.tpl",
    } <= set(in_wheel)
    templates = ROOT / "deploytool" / "templates"
    for template in templates.rglob("*"):
        if template.is_file():
            name = template.relative_to(ROOT).as_posix()
            assert in_wheel[name] == template.read_text(), name


def test_the_source_distribution_is_enough_to_run_and_test(in_sdist):
    assert {
        "CHANGELOG.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "manage.py",
        "myproject/settings.py",
        "pyproject.toml",
        "templates/base.html",
        "tests/support.py",
        "tox.ini",
    } <= set(in_sdist)


def test_the_source_distribution_has_no_stray_files(in_sdist):
    assert set(LEFTOVERS) & set(in_sdist) == set()
    stray = re.compile(
        r"(^|/)(__pycache__|\.venv|\.tox|\.git|\.ci|\.github|\.[a-z]+_cache|_build)/"
        r"|\.(pyc|pyo|log|orig|rej|swp|sqlite3|sock|whl|gz)$|~$"
    )
    assert [name for name in in_sdist if stray.search(name)] == []
    assert {name: size for name, size in in_sdist.items() if size > 500_000} == {}
