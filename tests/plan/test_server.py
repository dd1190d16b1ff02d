"""Which server, and why not the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploytool.plan import Options, make_plan
from tests.plan.build import ASGI, ASYNC_VIEW, CHANNELS, project


def without(*names):
    return {
        "installed": tuple(pair for pair in project().machine.installed if pair[0] not in names)
    }


def rejected(plan):
    return {rejection.server: rejection.reason for rejection in plan.rejected}


def test_wsgi_is_served_by_gunicorn():
    plan = make_plan(project())
    assert plan.server == "gunicorn"
    assert rejected(plan) == {"uvicorn": "serves ASGI only", "daphne": "serves ASGI only"}


def test_asgi_is_served_by_the_first_that_fits():
    assert make_plan(project(asgi=CHANNELS)).server == "uvicorn"
    plan = make_plan(project(asgi=CHANNELS, machine=without("uvicorn")))
    assert plan.server == "gunicorn"
    assert 'pip install "django-deploytool[uvicorn]"' in rejected(plan)["uvicorn"]
    assert (
        make_plan(project(asgi=CHANNELS, machine=without("uvicorn", "gunicorn"))).server == "daphne"
    )


def test_every_other_server_says_why():
    plan = make_plan(project(asgi=CHANNELS))
    assert set(rejected(plan)) == {"gunicorn", "daphne"}
    assert "stands after Uvicorn" in rejected(plan)["gunicorn"]


def test_uvicorn_needs_a_websocket_library_only_for_websockets():
    bare = without("websockets")
    plan = make_plan(project(asgi=CHANNELS, machine=bare))
    assert plan.server == "gunicorn"
    assert "pip install websockets" in rejected(plan)["uvicorn"]
    assert make_plan(project(views=(ASYNC_VIEW,), machine=bare)).server == "uvicorn"


def test_gunicorns_asgi_worker_is_passed_over_where_it_leaked_connections():
    old = {"installed": (("gunicorn", "25.3.0"), ("daphne", "4.2.3"))}
    plan = make_plan(project(asgi=CHANNELS, machine=old))
    assert plan.server == "daphne"
    assert "25.3.0" in rejected(plan)["gunicorn"]
    assert make_plan(project(machine=old)).server == "gunicorn"


def test_daphne_in_installed_apps_is_a_choice_where_asgi_is_needed():
    apps = ("daphne", "django.contrib.staticfiles")
    plan = make_plan(project(asgi=CHANNELS, installed_apps=apps))
    assert (plan.server, plan.decision("server").source) == ("daphne", "detected")
    assert make_plan(project(installed_apps=apps)).server == "gunicorn"


def test_an_asgi_2_application_goes_to_a_server_that_calls_it():
    asgi = replace(CHANNELS, callable_interface="asgi2")
    plan = make_plan(project(asgi=asgi, machine=without("uvicorn")))
    assert plan.server == "daphne"


@pytest.mark.parametrize(("made", "extra"), [(project, "gunicorn"), (None, "uvicorn")])
def test_without_a_server_the_exact_install_line(made, extra):
    machine = without("gunicorn", "uvicorn", "daphne")
    bare = project(machine=machine) if made else project(asgi=CHANNELS, machine=machine)
    plan = make_plan(bare)
    assert (plan.server, plan.argv) == (None, ())
    assert f'pip install "django-deploytool[{extra}]"' in str(plan.problems[0])


def test_a_server_that_is_asked_for_and_not_installed():
    plan = make_plan(project(machine=without("gunicorn")), Options(server="gunicorn"))
    assert 'is not installed: pip install "django-deploytool[gunicorn]"' in str(plan.problems[0])


def test_windows_has_no_gunicorn():
    plan = make_plan(project(machine={"system": "windows"}))
    assert (plan.interface, plan.server) == ("asgi", "uvicorn")
    assert rejected(plan)["gunicorn"] == "does not run on Windows"
    plan = make_plan(project(machine={"system": "windows"}), Options(interface="wsgi"))
    assert plan.server is None
    assert "Gunicorn does not run on Windows" in str(plan.problems[0])


def test_what_is_installed_serves_where_nothing_needs_the_other_interface():
    plan = make_plan(project(machine=without("gunicorn", "daphne")))
    assert (plan.interface, plan.server) == ("asgi", "uvicorn")
    assert plan.decision("interface").strength == "default"
    assert "no server for WSGI is installed, and Uvicorn serves ASGI" in (
        plan.decision("interface").reason
    )
    # Not without an entry point for it, nor against what is asked for or required.
    missing = replace(ASGI, application=None, status="missing")
    assert make_plan(project(asgi=missing, machine=without("gunicorn"))).server is None
    plan = make_plan(project(machine=without("gunicorn"), conf={"interface": "wsgi"}))
    assert plan.server is None
    old = {"installed": (("gunicorn", "25.3.0"),)}
    assert make_plan(project(views=(ASYNC_VIEW,), machine=old)).interface == "wsgi"
    assert make_plan(project(asgi=CHANNELS, machine=old)).server is None


def test_http2_goes_to_a_server_that_speaks_it():
    conf = {"http2": True, "certfile": "/tls/site.pem", "keyfile": "/tls/site.key"}
    installed = (*project().machine.installed, ("h2", "4.4.1"))
    made = project(asgi=CHANNELS, conf=conf, machine={"installed": installed})
    plan = make_plan(made)
    assert plan.server == "gunicorn"
    assert "--http-protocols" in plan.argv
    assert "zttp" in rejected(plan)["uvicorn"]
    plan = make_plan(project(asgi=ASGI, conf={"http2": True}, machine={"installed": installed}))
    assert "CERTFILE" in str(plan.problems[-1])
