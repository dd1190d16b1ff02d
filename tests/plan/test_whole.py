"""Whole plans against stored ones. Write them anew with UPDATE_EXPECTED=1 and read the diff."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest

from deploytool.plan import Options, make_plan
from deploytool.reports.json import document
from tests.plan.build import CHANNELS, CLOCK, OURS_ASGI, project
from tests.support import ROOT

EXPECTED = Path(__file__).parent / "expected"
SCHEMA = json.loads((ROOT / "deploytool/reports/deployplan.schema.json").read_text())

PLANS = {
    "wsgi_gunicorn": (project(), Options()),
    "wsgi_development": (project(debug=True), Options()),
    "asgi_uvicorn": (project(asgi=CHANNELS, views=(CLOCK,)), Options()),
    "asgi_gunicorn": (project(asgi=CHANNELS), Options(server="gunicorn", workers=3)),
    "asgi_deploytool": (project(asgi=OURS_ASGI), Options(interface="asgi", threads=4)),
    "asgi_daphne_development": (
        project(asgi=CHANNELS, debug=True),
        Options(server="daphne", bind="[::1]:9000"),
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_whole_plan(name):
    plan = document(PLANS[name][0], make_plan(*PLANS[name]))
    del plan["project"]
    stored = EXPECTED / f"{name}.json"
    if os.environ.get("UPDATE_EXPECTED"):
        stored.write_text(json.dumps(plan, indent=2, ensure_ascii=False) + "\n")
    assert json.loads(json.dumps(plan)) == json.loads(stored.read_text())


@pytest.mark.parametrize("name", PLANS)
def test_the_document_is_what_its_schema_says(name):
    made = json.loads(json.dumps(document(PLANS[name][0], make_plan(*PLANS[name]))))
    jsonschema.Draft202012Validator(SCHEMA).validate(made)
