"""What makes ASGI required, recommended, or not needed at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploytool.plan import Options, PlanError, make_plan
from deploytool.project.facts import Failure, Location, Mount, RoutingModule
from tests.plan.build import ASGI, ASYNC_VIEW, CHANNELS, CLOCK, ROUTE, WSGI, project

BROKEN = replace(
    ASGI,
    status="error",
    handler=None,
    protocols=(),
    error=Failure("AppRegistryNotReady", "Apps aren't loaded yet.", Location("site1/asgi.py", 3)),
)
MISSING = replace(ASGI, application=None, status="missing", handler=None, protocols=())
ROUTING = (RoutingModule("chat.routing", "websocket_urlpatterns", (ROUTE,)),)


def decided(made, **options):
    plan = make_plan(made, Options(**options))
    decision = plan.decision("interface")
    return decision.value, decision.strength


def test_a_fresh_project_is_wsgi_by_default():
    plan = make_plan(project())
    assert (plan.interface, plan.decision("interface").strength) == ("wsgi", "default")
    assert plan.problems == ()


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (project(asgi=CHANNELS), "1 WebSocket route"),
        (
            project(asgi=replace(ASGI, protocols=("http", "websocket"), guessed=True)),
            "read from its source",
        ),
        (project(asgi=replace(ASGI, protocols=("http", "mqtt"))), "'mqtt'"),
        (
            project(asgi=replace(ASGI, mounts=(Mount("/api", "fastapi.FastAPI", "asgi"),))),
            "fastapi.FastAPI, answers at /api",
        ),
        (project(asgi=replace(ASGI, http_consumers=("live.Slow",))), "Channels HTTP consumer"),
    ],
)
def test_what_requires_asgi(made, says):
    decision = make_plan(made).decision("interface")
    assert (decision.value, decision.strength) == ("asgi", "required")
    assert says in decision.reason
    assert decision.evidence


def test_a_websocket_route_is_named_with_file_and_line():
    evidence = make_plan(project(asgi=CHANNELS)).decision("interface").evidence
    assert evidence == ("chat/routing.py:8 ws/chat/ → chat.consumers.Chat",)


@pytest.mark.parametrize("view", [ASYNC_VIEW, CLOCK])
def test_async_views_recommend_asgi(view):
    assert decided(project(views=(view,))) == ("asgi", "recommended")


@pytest.mark.parametrize(
    "made",
    [
        project(installed_apps=("channels", "daphne")),
        project(asgi=replace(ASGI, wrappers=("channels.routing.ProtocolTypeRouter",))),
        project(asgi=replace(ASGI, protocols=("http", "channel"))),
        project(asgi=replace(ASGI, mounts=(Mount("/old", "legacy.app", "wsgi"),))),
        project(asgi=replace(CHANNELS, status="wrong-interface")),
    ],
)
def test_what_is_no_need(made):
    assert decided(made) == ("wsgi", "default")


def test_socketio_on_wsgi_needs_wsgi_with_threads_and_one_worker():
    made = project(wsgi=replace(WSGI, socketio=True, protocols=("http", "websocket")))
    plan = make_plan(made)
    assert (plan.interface, plan.workers, plan.threads) == ("wsgi", 1, 100)
    assert plan.decision("interface").strength == "required"


@pytest.mark.parametrize("asgi", [MISSING, BROKEN, ASGI])
def test_routes_that_lie_ready_require_asgi_where_nothing_serves_them(asgi):
    made = project(asgi=asgi, routing=ROUTING)
    assert decided(made) == ("asgi", "required")


def test_routes_that_a_router_leaves_out_are_a_note_not_a_need():
    asgi = replace(ASGI, wrappers=("channels.routing.ProtocolTypeRouter",))
    plan = make_plan(project(asgi=asgi, routing=ROUTING, views=(ASYNC_VIEW,)))
    assert plan.decision("interface").strength == "recommended"
    assert "chat/routing.py:8" in plan.notes[0]
    plain = make_plan(project(asgi=asgi, routing=ROUTING))
    assert plain.interface == "wsgi"
    assert "chat/routing.py:8" in plain.notes[0]


def test_what_fails_in_a_sound_entry_point_is_a_note():
    routes = (replace(ROUTE, instantiated=False),)
    plan = make_plan(project(asgi=replace(CHANNELS, websocket_routes=routes)))
    assert "chat/routing.py:8" in plan.notes[0]
    assert ".as_asgi()" in plan.notes[0]
    plan = make_plan(project(asgi=replace(CHANNELS, protocols=("websocket",))))
    assert plan.problems == ()
    assert "no HTTP request" in plan.notes[0]
    assert make_plan(project(asgi=CHANNELS)).notes == ()


def test_an_entry_point_that_assigns_its_settings_is_a_note():
    made = project(wsgi=replace(WSGI, settings_module="site1.production"))
    assert "site1.production" in make_plan(made).notes[0]
    made = project(wsgi=replace(WSGI, settings_module=made.settings_module))
    assert make_plan(made).notes == ()


def test_the_wrong_callable_in_the_entry_point_that_is_not_used_is_a_note():
    wrong = replace(
        ASGI,
        status="wrong-interface",
        callable_interface="wsgi",
        error=Failure("TypeError", "site1.asgi:application is a WSGI application"),
    )
    plan = make_plan(project(asgi=wrong))
    assert (plan.interface, plan.problems) == ("wsgi", ())
    assert plan.notes == (
        "site1.asgi:application is a WSGI application. This plan does not use it.",
    )


def test_a_missing_entry_point_is_a_problem_with_the_command_that_writes_it():
    plan = make_plan(project(asgi=MISSING, routing=ROUTING))
    assert plan.argv == ()
    assert "manage.py deployfiles asgi" in plan.problems[0].hint


def test_a_broken_entry_point_is_a_problem_with_file_and_line():
    plan = make_plan(project(asgi=replace(BROKEN, protocols=("websocket",), guessed=True)))
    assert plan.interface == "asgi"
    assert "AppRegistryNotReady" in plan.problems[0].message
    assert "site1/asgi.py:3" in plan.problems[0].message


@pytest.mark.parametrize("asgi", [MISSING, BROKEN])
def test_what_is_only_recommended_stays_on_wsgi_while_asgi_does_not_work(asgi):
    plan = make_plan(project(asgi=asgi, views=(ASYNC_VIEW,)))
    assert plan.interface == "wsgi"
    assert plan.problems == ()
    written = "deployfiles asgi" in plan.decision("interface").reason
    assert written == (asgi is MISSING)


def test_the_only_entry_point_is_used_where_nothing_needs_either():
    wsgi = replace(WSGI, application=None, status="missing")
    assert decided(project(wsgi=wsgi)) == ("asgi", "default")


def test_a_broken_wsgi_is_not_hidden_by_a_sound_asgi():
    wsgi = replace(WSGI, status="error", error=Failure("ImportError", "no module"))
    plan = make_plan(project(wsgi=wsgi))
    assert plan.interface == "wsgi"
    assert plan.problems


def test_the_option_stands_above_the_setting_and_that_above_what_is_found():
    made = project(asgi=CHANNELS, conf={"interface": "asgi"})
    plan = make_plan(made, Options(interface="wsgi"))
    assert (plan.interface, plan.decision("interface").source) == ("wsgi", "option")
    assert "does not serve the WebSocket routes" in plan.notes[0]
    plan = make_plan(project(conf={"interface": "asgi"}))
    assert (plan.interface, plan.decision("interface").source) == ("asgi", "setting")


def test_a_server_of_one_interface_decides_it():
    plan = make_plan(project(), Options(server="uvicorn"))
    assert (plan.interface, plan.decision("interface").source) == ("asgi", "option")
    plan = make_plan(project(conf={"server": "daphne"}))
    assert (plan.interface, plan.decision("interface").source) == ("asgi", "setting")


def test_a_server_and_an_interface_that_contradict_each_other():
    with pytest.raises(PlanError, match="Daphne serves ASGI only, and --interface asks for WSGI"):
        make_plan(project(), Options(server="daphne", interface="wsgi"))
