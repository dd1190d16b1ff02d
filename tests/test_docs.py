"""The pages: what they show is what the commands print, and nothing is left out of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from django.core.management import load_command_class
from django.core.management.base import BaseCommand

from deploytool.artifacts import ARTIFACTS
from deploytool.checks.rule import rules
from deploytool.conf import Conf
from docs import shown
from tests.support import ROOT

PAGES = shown.pages()
SHOWN = [block for page in PAGES for block in shown.blocks(page) if block.kind == "shown"]
SCHEMA = json.loads((ROOT / "deploytool" / "reports" / "deployplan.schema.json").read_text())
COMMANDS = ("deployplan", "deploycheck", "deployfiles", "runserver_gateway")


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text("utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="the pages show Linux")
@pytest.mark.parametrize("block", SHOWN, ids=lambda block: f"{block.page.stem}-{block.name}")
def test_what_is_shown_is_what_is_printed(block, tmp_path):
    project = shown.make_project(block.name, tmp_path)
    printed = shown.run_block(block.text, project)
    assert shown.comparable(block.text) == shown.comparable(printed), (
        "run python docs/shown.py, and read what has changed"
    )


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_no_output_is_written_by_hand(path):
    text = path.read_text("utf-8")
    marked = [block.text for block in shown.blocks(path)]
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        assert block in marked or all(line.startswith("$ ") for line in block.splitlines())


def test_the_table_of_settings_is_that_of_the_code():
    assert shown.settings_table() in page("settings")
    row = r"^\| `([A-Z0-9_]+)` \| \S.* \| \S.* \|$"
    said = re.findall(row, shown.settings_table(), re.MULTILINE)
    assert said == [name.upper() for name in Conf.__dataclass_fields__]


def test_the_page_of_all_checks_is_that_of_the_rules():
    assert page("checks") == shown.checks_page(), "run python docs/shown.py"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_explained(name):
    parser = load_command_class("deploytool", name).create_parser("manage.py", name)
    django = BaseCommand().create_parser("manage.py", name)
    own = set(parser._option_string_actions) - set(django._option_string_actions)
    positional = {action.dest for action in parser._get_positional_actions()} - {"names"}
    explained = set(re.findall(r"`([\w-]+)`", "".join(re.findall(r"(?m)^\|.*$", page(name)))))
    assert own | positional <= explained


def test_every_generated_file_is_named():
    synopsis = page("deployfiles").partition("```console")[2].partition("```")[0]
    for artifact in ARTIFACTS:
        assert f"[{artifact.name}]" in synopsis


@pytest.mark.parametrize("name", ["plan", "project", *SCHEMA["$defs"]])
def test_every_key_of_the_json_is_explained(name):
    if name == "Conf":  # the settings, which have a page of their own
        return
    sections = re.split(r"^### (\w+)$", page("deployplan"), flags=re.MULTILINE)
    section = dict(zip(sections[1::2], sections[2::2], strict=True))[name]
    described = SCHEMA["$defs"].get(name) or SCHEMA["properties"][name]
    explained = {
        key
        for line in section.splitlines()
        if line.startswith("| `")
        for key in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    assert explained == set(described["properties"])


def test_every_key_of_the_findings_json_is_explained():
    schema = json.loads((ROOT / "deploytool" / "reports" / "deploycheck.schema.json").read_text())
    section = page("deploycheck").partition("\n### JSON\n")[2].partition("\n## ")[0]
    explained = [
        key
        for line in section.splitlines()
        if line.startswith("| `")
        for key in re.findall(r"`(\w+)`", line.split("|")[1])
    ]
    assert explained == [*schema["properties"], *schema["$defs"]["Finding"]["properties"]]


def test_a_link_to_a_check_ends_in_its_id():
    anchors = re.findall(r'<a id="([\w-]+)"></a>', page("checks"))
    ids = [each for rule in rules() for each in rule.ids]
    assert sorted(anchors) == sorted(each.lower().replace(".", "-") for each in ids)


def test_the_pages_build_without_a_warning(tmp_path):
    argv = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*argv, "-d", tmp_path / "doctrees", ROOT / "docs", tmp_path / "html"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_link_between_files_leads_somewhere(path):
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", path.read_text("utf-8"))
    for link in links:
        assert (path.parent / link).exists(), f"{path.name} links to {link}"
