"""The checks about judging: an unknown id that is silenced, settings without a plan, crashes.

And the page of every check, which is its docstring.
"""

from __future__ import annotations

import re

import pytest

from deploytool.checks.rule import HEADINGS, rules, unloaded
from tests.checks.project import deploycheck, found, make_project, ours


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_a_sound_project_has_no_finding(tmp_path, interface):
    project = make_project(tmp_path)
    report = deploycheck(project, "--interface", interface)
    assert report["findings"] == []
    assert report["failed"] is False


def test_an_unknown_id_that_is_silenced_is_found(tmp_path):
    project = make_project(tmp_path, settings='SILENCED_SYSTEM_CHECKS = ["deploytool.E003"]')
    [finding] = found(project, 3)
    assert finding["id"] == "deploytool.W003"
    assert "'deploytool.W003'" in finding["hint"]
    assert (finding["path"], finding["line"]) == ("site1/settings.py", 55)


def test_a_known_id_and_djangos_are_not(tmp_path):
    silenced = 'SILENCED_SYSTEM_CHECKS = ["deploytool.W003", "security.W004"]'
    assert ours(make_project(tmp_path, settings=silenced)) == []


# What a reader can look up: an address, a standard, a ticket, a quoted section or name, a file.
CHECKABLE = re.compile(r'https://|\b(?:PEP|RFC|ticket) \d|#\d|"[^"]+"|`[^`]+`|README|\(the page')


def test_every_subject_loads():
    assert unloaded() == {}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.id)
def test_every_check_has_its_page(rule):
    title, blank, _ = rule.page.split("\n", 2)
    assert title.endswith(".")
    assert not title.endswith("..")
    assert blank == ""
    assert tuple(rule.sections) == ("", *HEADINGS)
    assert all(rule.sections.values()), "a part is empty"
    assert rule.page.count("```") % 2 == 0
    assert CHECKABLE.search(rule.sections["Source"])
    assert len(set(rule.letters)) == len(rule.letters) > 0
    assert set(rule.letters) <= set("EWI")
