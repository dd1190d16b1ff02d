"""The reports for programs: JSON by its schema, SARIF by the standard's, annotations escaped."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Sarif

import deploytool
from deploytool.checks.rule import rule_of
from deploytool.reports.findings import FORMATS
from tests.checks.project import make_project
from tests.support import PROJECTS, ROOT, copy_project, environment, manage

REPORTS = ROOT / "deploytool" / "reports"
SCHEMA = json.loads((REPORTS / "deploycheck.schema.json").read_text())
PLAN_SCHEMA = json.loads((REPORTS / "deployplan.schema.json").read_text())
EVERY = sorted(path.parent.name for path in PROJECTS.glob("*/manage.py"))

# What a report has to cope with: every level and none of them, characters that formats
# give a meaning, objects of all kinds, no id, a file outside of the project.
AWKWARD = """
from pathlib import Path

from django.core import checks
from django.db import models
from django.utils.translation import gettext_lazy


class Thing(models.Model):
    name = models.CharField(max_length=3, default="")

    class Meta:
        app_label = "app"


class Unspeakable:
    def __str__(self):
        raise RuntimeError("says nothing")


@checks.register(deploy=True)
def awkward(app_configs, **kwargs):
    here = Path(__file__)
    return [
        checks.Critical("100% wrong,\\nsecond: \\u2192\\r\\nthird", hint="a:b,c", id="app.C001"),
        checks.CheckMessage(35, "Between two levels.", obj=Unspeakable(), id="app.X001"),
        checks.CheckMessage(5, "Below all levels.", obj="a\\0b", id="app.X002"),
        checks.Error(gettext_lazy("Lazy."), obj=Thing, id="app.E001"),
        checks.Error("A field.", obj=Thing._meta.get_field("name"), id="app.E002"),
        checks.Error("A file of the project.", obj=str(here), id="app.E003"),
        checks.Error("A file with a difficult name.", obj=here.with_name("a b,c%:é.py")),
        checks.Error("A file outside.", obj=Path("/etc/passwd"), id="app.E005"),
        checks.Warning("Not in Unicode: " + b"\\xe9.py".decode(errors="surrogateescape")),
        checks.Debug("Hm.", id="app.D001"),
        checks.Info("Silenced.", id="app.I001"),
    ]
"""


@pytest.fixture(scope="module")
def awkward(tmp_path_factory) -> Path:
    """A project in a subdirectory of a repository, with findings that are hard to report."""
    repository = tmp_path_factory.mktemp("re po")
    git = shutil.which("git")
    if git is None:
        (repository / ".git").mkdir()
    else:
        subprocess.run([git, "init", "-q", repository], check=True, env=environment())
    project = make_project(
        repository / "back end",
        {"app/models.py": AWKWARD, "app/a b,c%:é.py": ""},
        settings='SILENCED_SYSTEM_CHECKS = ["app.I001", "deploytool.E999"]',
    )
    assert project == repository / "back end" / "site"
    return project


@pytest.fixture(scope="module")
def reports(awkward) -> dict[str, str]:
    """The report of the awkward project in each format."""
    made = {}
    for name in FORMATS:
        done = manage(awkward, "deploycheck", "--format", name)
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
        made[name] = done.stdout
    return made


def located(results: list[dict[str, Any]], text: str) -> dict[str, Any]:
    """The one result with ``text`` in its message."""
    [result] = [result for result in results if text in result["message"]["text"]]
    return result


# JSON


@pytest.mark.parametrize("name", EVERY)
def test_every_project_gets_a_report_that_its_schema_describes(name, tmp_path):
    done = manage(copy_project(name, tmp_path), "deploycheck", "--format", "json")
    assert done.returncode in {0, 1}, done.stderr
    report = json.loads(done.stdout)
    jsonschema.Draft202012Validator(SCHEMA).validate(report)
    assert report["failed"] is (done.returncode == 1)
    ids = {finding["id"] for finding in report["findings"]}
    assert "deploytool.W001" not in ids, report


def test_awkward_findings_are_described_too(reports):
    report = json.loads(reports["json"])
    jsonschema.Draft202012Validator(SCHEMA).validate(report)
    assert report["version"] == 1
    by_id = {finding["id"]: finding for finding in report["findings"]}
    assert by_id["app.C001"]["message"] == "100% wrong,\nsecond: →\r\nthird"
    assert by_id["app.C001"]["hint"] == "a:b,c"
    assert (by_id["app.X001"]["level"], by_id["app.X002"]["level"]) == ("WARNING", "DEBUG")
    assert "Unspeakable object at" in by_id["app.X001"]["object"]
    assert by_id["app.E001"]["object"] == "app.Thing"
    assert (by_id["app.E001"]["path"], by_id["app.E001"]["line"]) == ("app/models.py", 8)
    assert by_id["app.E002"]["path"] == "app/models.py"
    assert by_id["app.E003"]["path"] == "app/models.py"
    assert by_id["app.E005"]["path"] == "/etc/passwd"
    assert [finding["id"] for finding in report["silenced"]] == ["app.I001"]
    assert by_id["deploytool.W003"]["line"] > 1


def test_the_schema_is_one_and_speaks_of_the_same_plan():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["plan"] == PLAN_SCHEMA["properties"]["plan"]
    shared = SCHEMA["$defs"].keys() & PLAN_SCHEMA["$defs"].keys()
    assert shared == {"Decision", "Problem"}
    assert {name: SCHEMA["$defs"][name] for name in shared} == {
        name: PLAN_SCHEMA["$defs"][name] for name in shared
    }


# SARIF


def require_sarif(log: dict[str, Any]) -> None:
    """Fail unless ``log`` is valid SARIF 2.1.0.

    The models of pydantic-sarif are made from the standard's own schema
    (sarif-schema-2.1.0.json): every object is closed, every property has its type. What such
    models cannot hold, and what the standard asks for beyond its schema, is below.
    """
    Sarif.model_validate(log)
    assert set(log) == {"$schema", "version", "runs"}
    for run in log["runs"]:
        rules = run["tool"]["driver"]["rules"]
        identifiers = [rule["id"] for rule in rules]
        assert len(identifiers) == len(set(identifiers))  # 3.19.23: uniqueItems
        assert len({json.dumps(each) for each in run["results"]}) == len(run["results"])
        for result in run["results"]:
            # 3.27.6: the rule's place in the array of rules.
            assert identifiers[result["ruleIndex"]] == result["ruleId"]
            assert result["message"]["text"].strip()
            for location in result.get("locations", ()):
                artifact = location["physicalLocation"]["artifactLocation"]
                # 3.4.3 and RFC 3986: a relative reference, its characters escaped.
                assert artifact["uri"].isascii()
                assert not set(artifact["uri"]) & set(" %:") - {"%"}
                assert not artifact["uri"].startswith("/")
                region = location["physicalLocation"].get("region")
                assert region is None or region["startLine"] >= 1  # 3.30.5


def test_the_standards_models_refuse_what_is_wrong(reports):
    log = json.loads(reports["sarif"])
    require_sarif(log)
    for break_it in (
        lambda run: run.update(unknown=1),
        lambda run: run.pop("tool"),
        lambda run: run["results"][0].update(level="grave"),
        lambda run: run["results"][0].pop("message"),
        lambda run: run["tool"]["driver"]["rules"][0].pop("id"),
        lambda run: run["results"][0].update(ruleIndex="first"),
    ):
        broken = json.loads(reports["sarif"])
        break_it(broken["runs"][0])
        with pytest.raises(ValueError, match="validation error"):
            require_sarif(broken)


def test_sarif_holds_every_finding(reports):
    log, report = json.loads(reports["sarif"]), json.loads(reports["json"])
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("deploytool", deploytool.__version__)
    present = [result for result in run["results"] if "suppressions" not in result]
    assert len(present) == len(report["findings"])
    [silenced] = [result for result in run["results"] if "suppressions" in result]
    assert silenced["ruleId"] == "app.I001"
    levels = {result["ruleId"]: result["level"] for result in present}
    assert levels["app.C001"] == levels["app.E001"] == "error"
    assert levels["app.X001"] == levels["deploytool.W003"] == "warning"
    assert levels["app.D001"] == levels["app.X002"] == "note"


def test_a_rule_of_ours_brings_its_page(reports):
    [run] = json.loads(reports["sarif"])["runs"]
    [made] = [rule for rule in run["tool"]["driver"]["rules"] if rule["id"] == "deploytool.W003"]
    rule = rule_of("deploytool.W003")
    assert made["name"] == "UnknownSilenced"
    assert made["shortDescription"]["text"] == rule.title
    assert made["help"]["markdown"] == rule.page
    assert made["defaultConfiguration"] == {"level": "warning"}


def test_paths_of_sarif_are_the_repositorys(reports):
    [run] = json.loads(reports["sarif"])["runs"]

    def place(text: str) -> str | None:
        locations = located(run["results"], text).get("locations")
        if locations is None:
            return None
        artifact = locations[0]["physicalLocation"]["artifactLocation"]
        assert artifact["uriBaseId"] == "%SRCROOT%"
        return unquote(artifact["uri"])

    assert place("A field.") == "back end/site/app/models.py"
    assert place("difficult name") == "back end/site/app/a b,c%:é.py"
    assert place("silences nothing") == "back end/site/site1/settings.py"
    # About nothing in particular: the settings.
    assert place("Between two levels.") == "back end/site/site1/settings.py"
    assert place("A file outside.") is None


# GitHub


def read_command(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as GitHub's runner reads it: its name, properties and message.

    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
    """
    _, head, data = line.split("::", 2)
    name, _, rest = head.partition(" ")

    def plain(text: str, *escapes: tuple[str, str]) -> str:
        for escaped, character in (*escapes, ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
            text = text.replace(escaped, character)
        return text

    properties = dict(each.split("=", 1) for each in rest.split(","))
    return (
        name,
        {key: plain(text, ("%3A", ":"), ("%2C", ",")) for key, text in properties.items()},
        plain(data),
    )


def test_annotations_are_one_line_each_and_can_be_read_back(reports):
    report = json.loads(reports["json"])
    *lines, last = reports["github"].splitlines()
    assert len(lines) == len(report["findings"])
    assert last.endswith("1 silenced.")
    commands = [read_command(line) for line in lines]
    for finding, (name, properties, text) in zip(report["findings"], commands, strict=True):
        grave = {"CRITICAL": "error", "ERROR": "error", "WARNING": "warning"}
        assert name == grave.get(finding["level"], "notice")
        assert properties["title"] == f"{finding['id']} {finding['level']}".strip()
        said = "\n".join(filter(None, [finding["message"], finding["hint"]]))
        assert text == said.encode(errors="backslashreplace").decode()
    places = {text.partition("\n")[0]: properties for _, properties, text in commands}
    assert places["A field."]["file"] == "back end/site/app/models.py"
    assert places["A file with a difficult name."]["file"] == "back end/site/app/a b,c%:é.py"
    assert places["Between two levels."]["file"] == "back end/site/site1/settings.py"
    assert "file" not in places["A file outside."]
    [silences] = [each for text, each in places.items() if "E999" in text]
    [ours] = [each for each in report["findings"] if each["id"] == "deploytool.W003"]
    assert silences["line"] == str(ours["line"])


def test_without_a_repository_paths_are_the_projects(tmp_path):
    project = make_project(tmp_path, settings='SILENCED_SYSTEM_CHECKS = ["deploytool.E999"]')
    done = manage(project, "deploycheck", "--format", "github")
    assert "::warning file=site1/settings.py,line=" in done.stdout


# Text


def test_text_says_all_of_them(reports):
    report = json.loads(reports["json"])
    lines = reports["text"].splitlines()
    for finding in report["findings"]:
        heading = f"{finding['level']} {finding['id']}".rstrip()
        assert any(line == heading or line.startswith(f"{heading}  ") for line in lines)
    assert "    100% wrong," in lines
