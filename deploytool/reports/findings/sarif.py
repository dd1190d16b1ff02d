"""Findings for code scanning: SARIF 2.1.0.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import deploytool
from deploytool.checks.rule import PREFIX, rule_of
from deploytool.reports.findings.places import in_repository

if TYPE_CHECKING:
    from django.core.management.color import Style

    from deploytool.checks.result import Entry, Result

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_LEVELS = {"CRITICAL": "error", "ERROR": "error", "WARNING": "warning"}
_LETTERS = {"E": "error", "W": "warning"}


def report(result: Result, verbosity: int = 1, style: Style | None = None) -> str:
    """``result`` as one SARIF log."""
    del verbosity, style
    return json.dumps(document(result), indent=2, ensure_ascii=False)


def document(result: Result) -> dict[str, Any]:
    """What ``report()`` writes, as plain data."""
    entries = [
        *((entry, False) for entry in result.present),
        *((entry, True) for entry in result.silenced),
    ]
    identifiers = sorted({_identifier(entry) for entry, _ in entries})
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "deploytool",
                        "version": deploytool.__version__,
                        "semanticVersion": deploytool.__version__,
                        "rules": [_rule(identifier) for identifier in identifiers],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "invocations": [{"executionSuccessful": True}],
                "results": [
                    _result(entry, silenced, identifiers, result) for entry, silenced in entries
                ],
            }
        ],
    }


def _identifier(entry: Entry) -> str:
    """Its id; an app's check may give none, and SARIF wants one of every result (3.27.5)."""
    return entry.id or "unnamed"


def _rule(identifier: str) -> dict[str, Any]:
    rule = rule_of(identifier) if identifier.startswith(PREFIX) else None
    if rule is None:
        # One of Django's, or of another app's: all that is known of it is its id.
        return {"id": identifier}
    return {
        "id": identifier,
        "name": "".join(word.capitalize() for word in rule.name.split("_")),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.sections[""] or rule.title},
        "help": {"text": rule.page, "markdown": rule.page},
        "defaultConfiguration": {"level": _LETTERS.get(identifier[len(PREFIX)], "note")},
        "properties": {"tags": ["deployment", rule.subject]},
    }


def _result(entry: Entry, silenced: bool, identifiers: list[str], result: Result) -> dict[str, Any]:
    text = "\n\n".join(filter(None, [entry.message, entry.hint]))
    made: dict[str, Any] = {
        "ruleId": _identifier(entry),
        "ruleIndex": identifiers.index(_identifier(entry)),
        "level": _LEVELS.get(entry.level, "note"),
        "message": {"text": text},
    }
    place = in_repository(entry, result.case.project)
    if place:
        physical: dict[str, Any] = {
            "artifactLocation": {"uri": quote(place.path), "uriBaseId": "%SRCROOT%"},
        }
        if place.line:
            physical["region"] = {"startLine": place.line}
        made["locations"] = [{"physicalLocation": physical}]
    if entry.change:
        made["properties"] = {"change": entry.change}
    if silenced:
        made["suppressions"] = [{"kind": "external"}]
    return made
