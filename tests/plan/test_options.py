"""Processes, threads, times, addresses, trust: from what each is decided."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploytool.plan import Options, PlanError, make_plan
from deploytool.project.facts import Cache, ChannelLayer, Database, Services, StaticFiles
from tests.plan.build import ASGI, CHANNELS, CLOCK, OURS_ASGI, project


def value(made, name, **options):
    decision = make_plan(made, Options(**options)).decision(name)
    return decision.value, decision.source


@pytest.mark.parametrize(
    ("cpus", "memory", "workers"),
    [(4, 8 * 2**30, 4), (0.5, 8 * 2**30, 1), (2.5, 8 * 2**30, 2), (64, 2**30, 4), (8, 2**27, 1)],
)
def test_workers_never_take_more_than_the_machine_gives(cpus, memory, workers):
    assert value(project(machine={"cpus": cpus, "memory": memory}), "workers") == (
        workers,
        "detected",
    )


def test_the_order_of_precedence():
    made = project(conf={"workers": 3}, environment={"WEB_CONCURRENCY": "5"})
    assert value(made, "workers", workers=2) == (2, "option")
    assert value(made, "workers") == (3, "setting")
    assert value(project(environment={"WEB_CONCURRENCY": "5"}), "workers") == (5, "environment")
    assert value(project(), "workers") == (4, "detected")


@pytest.mark.parametrize("text", ["many", "0", "-1", "1.5", "²"])
def test_a_web_concurrency_that_is_no_number(text):
    with pytest.raises(PlanError, match="WEB_CONCURRENCY"):
        make_plan(project(environment={"WEB_CONCURRENCY": text}))


def test_state_that_lives_in_one_process_keeps_it_to_one_worker():
    layers = (ChannelLayer("default", "channels.layers.InMemoryChannelLayer", True),)
    chat = project(asgi=CHANNELS, services=Services(channel_layers=layers))
    decision = make_plan(chat).decision("workers")
    assert decision.value == 1
    assert decision.evidence == ("settings.CHANNEL_LAYERS['default']",)
    # The same layer without a WebSocket route in sight is used by nobody.
    assert value(project(services=Services(channel_layers=layers)), "workers")[0] == 4

    caches = (Cache("default", "django.core.cache.backends.locmem.LocMemCache", True),)
    engine = "django.contrib.sessions.backends.cache"
    sessions = Services(caches=caches, session_engine=engine, session_cache="default")
    assert value(project(services=sessions), "workers")[0] == 1
    assert value(project(services=Services(caches=caches)), "workers")[0] == 4


def test_threads_hold_what_the_project_does():
    assert value(project(), "threads") == (8, "default")
    stream = replace(CLOCK, mode="sync", streaming="sync")
    assert value(project(views=(stream,)), "threads") == (32, "detected")
    assert value(project(), "threads", threads=3) == (3, "option")


def test_threads_stay_within_the_connections_of_a_shared_database():
    postgres = Services(databases=(Database("default", "django.db.backends.postgresql"),))
    plan = make_plan(project(services=postgres, machine={"cpus": 32, "memory": 64 * 2**30}))
    assert plan.workers * plan.threads <= 80
    sqlite = Services(databases=(Database("default", "django.db.backends.sqlite3"),))
    assert value(project(services=sqlite, machine={"cpus": 32}), "threads")[0] == 8


def asgi_threads(made, **options):
    """What is decided for deploytool's handler, and what the server's process gets of it."""
    plan = make_plan(made, Options(interface="asgi", **options))
    decision = plan.decision("asgi_threads")
    env = {name: value for name, value in plan.env.items() if "THREADS" in name}
    return plan.asgi_threads, decision.source, env


def test_the_handler_is_given_its_threads():
    planned, asked = "DEPLOYTOOL_ASGI_THREADS", "DEPLOYTOOL_ASGI_THREADS_ASKED"
    made = project(asgi=OURS_ASGI)
    assert asgi_threads(made) == (8, "default", {planned: "8"})
    assert asgi_threads(made, threads=3) == (3, "option", {asked: "3"})
    assert asgi_threads(made, threads=3, server="daphne") == (3, "option", {asked: "3"})
    wrapped = replace(OURS_ASGI, wrappers=("channels.routing.ProtocolTypeRouter",))
    assert asgi_threads(project(asgi=wrapped)) == (8, "default", {planned: "8"})
    stated = project(asgi=OURS_ASGI, conf={"asgi_threads": 5}, environment={planned: "6"})
    assert asgi_threads(stated) == (5, "setting", {})
    assert asgi_threads(stated, threads=3) == (3, "option", {asked: "3"})
    found = project(asgi=OURS_ASGI, environment={planned: "6"})
    assert asgi_threads(found) == (6, "environment", {planned: "6"})
    with pytest.raises(PlanError, match=r"\$DEPLOYTOOL_ASGI_THREADS has to be"):
        asgi_threads(project(asgi=OURS_ASGI, environment={planned: "many"}))


def test_the_handlers_threads_stay_within_the_connections_of_a_shared_database():
    postgres = Services(databases=(Database("default", "django.db.backends.postgresql"),))
    for workers, threads in ((10, 8), (20, 4), (60, 1), (200, 1)):
        made = project(asgi=OURS_ASGI, services=postgres)
        source = "default" if threads == 8 else "detected"
        assert asgi_threads(made, workers=workers)[:2] == (threads, source)
    sqlite = Services(databases=(Database("default", "django.db.backends.sqlite3"),))
    assert asgi_threads(project(asgi=OURS_ASGI, services=sqlite), workers=60)[0] == 8


@pytest.mark.parametrize(
    ("asgi", "conf", "reason"),
    [
        (ASGI, {}, "Django's handler starts a thread"),
        (replace(ASGI, handler=None), {}, "cannot be looked into"),
        (replace(ASGI, handler="site1.asgi.Own"), {}, "site1.asgi.Own is not the handler"),
        (OURS_ASGI, {"asgi_handler_off": ("leased-threads",)}, "leased threads off"),
    ],
)
def test_without_a_pool_there_is_no_size(asgi, conf, reason):
    made = project(asgi=asgi, conf={**conf, "asgi_threads": 4})
    plan = make_plan(made, Options(interface="asgi"))
    assert plan.asgi_threads is None
    assert reason in plan.decision("asgi_threads").reason
    assert '["ASGI_THREADS"] has no effect' in plan.decision("asgi_threads").reason
    assert not any("THREADS" in name for name in plan.env)
    with pytest.raises(PlanError, match="--threads 4: Uvicorn"):
        make_plan(made, Options(interface="asgi", threads=4))


def test_wsgi_has_only_the_threads_of_its_server():
    plan = make_plan(project(asgi=OURS_ASGI), Options(threads=3))
    assert (plan.threads, plan.asgi_threads) == (3, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"server": "daphne", "workers": 2}, "--workers 2: Daphne runs one process"),
        ({"server": "uvicorn", "threads": 4}, "--threads 4: Uvicorn"),
        ({"workers": 2, "reload": True}, "--no-reload"),
        ({"bind": "nowhere"}, "'nowhere' is not an address"),
        ({"bind": "127.0.0.1:99999"}, "between 1 and 65535"),
    ],
)
def test_options_that_cannot_be_honoured(options, message):
    with pytest.raises(PlanError, match=message):
        make_plan(project(), Options(**options))


def test_a_setting_that_the_server_does_not_have_is_said_not_dropped():
    made = project(asgi=CHANNELS, conf={"server": "daphne", "workers": 4, "keepalive": 9})
    plan = make_plan(made)
    assert plan.workers == 1
    assert plan.keepalive is None
    assert 'settings.DEPLOYTOOL["KEEPALIVE"] has no effect' in plan.decision("keepalive").reason
    assert 'settings.DEPLOYTOOL["WORKERS"] has no effect' in plan.decision("workers").reason


@pytest.mark.parametrize(
    ("made", "bind", "source"),
    [
        (project(), "127.0.0.1:8000", "default"),
        (project(environment={"PORT": "5000"}), "0.0.0.0:5000", "environment"),
        (project(environment={"PORT": "5000"}, debug=True), "127.0.0.1:5000", "environment"),
        (project(machine={"container": "docker (/.dockerenv)"}), "0.0.0.0:8000", "detected"),
        (project(conf={"bind": "[::1]:9000"}), "[::1]:9000", "setting"),
        (project(conf={"bind": "0:9000"}), "0.0.0.0:9000", "setting"),
    ],
)
def test_where_it_listens(made, bind, source):
    assert value(made, "bind") == (bind, source)


def test_a_port_of_the_environment_that_is_none_is_named():
    with pytest.raises(PlanError, match="PORT is 'web'"):
        make_plan(project(environment={"PORT": "web"}))


def test_an_option_stands_above_the_port_of_the_environment():
    made = project(environment={"PORT": "5000"}, conf={"bind": "7000"})
    assert value(made, "bind", bind="[::1]:6000") == ("[::1]:6000", "option")


def test_a_unix_socket_trusts_its_only_client():
    made = project(conf={"bind": "unix:/run/site.sock"})
    assert value(made, "forwarded_allow_ips") == ("*", "detected")
    made = project(environment={"FORWARDED_ALLOW_IPS": "10.0.0.2"})
    assert value(made, "forwarded_allow_ips") == ("10.0.0.2", "environment")
    assert value(project(), "forwarded_allow_ips") == ("127.0.0.1", "default")


@pytest.mark.parametrize(
    ("container", "seconds"),
    [(None, 30), ("docker (/.dockerenv)", 8), ("kubernetes (KUBERNETES_SERVICE_HOST)", 25)],
)
def test_it_stops_before_the_orchestrator_loses_patience(container, seconds):
    assert value(project(machine={"container": container}), "graceful_timeout")[0] == seconds


def test_lifespan_is_sent_only_to_those_who_handle_it():
    assert value(project(asgi=CHANNELS), "lifespan")[0] == "off"
    handled = replace(CHANNELS, protocols=("http", "websocket", "lifespan"))
    assert value(project(asgi=handled), "lifespan")[0] == "on"
    opaque = replace(ASGI, handler=None, protocols=("http", "websocket"), guessed=True)
    assert value(project(asgi=opaque), "lifespan")[0] == "auto"


def test_development_is_one_process_that_reloads():
    plan = make_plan(project(debug=True, allowed_hosts=()))
    assert (plan.mode, plan.workers, plan.reload) == ("development", 1, True)
    assert (plan.static, plan.access_log) == ("django", True)
    assert plan.env["DEPLOYTOOL_APPLICATION"] == "site1.wsgi:application"
    assert plan.argv[-1] == "deploytool.development.wsgi:application"
    assert plan.problems == ()
    plan = make_plan(project(debug=True), Options(workers=2))
    assert (plan.workers, plan.reload) == (2, False)


def test_daphne_reloads_through_djangos_reloader():
    plan = make_plan(project(debug=True, asgi=CHANNELS), Options(server="daphne"))
    assert plan.argv[1:4] == ("-m", "deploytool.development.reloading", "daphne")
    plan = make_plan(project(debug=True, asgi=CHANNELS), Options(server="daphne", reload=False))
    assert plan.argv[1:3] == ("-m", "daphne")


def test_max_requests_comes_with_a_jitter():
    plan = make_plan(project(conf={"max_requests": 1000}))
    assert (plan.max_requests, plan.max_requests_jitter) == (1000, 100)
    assert "--max-requests-jitter" in plan.argv
    assert "--max-requests" not in make_plan(project()).argv


def test_production_without_allowed_hosts_is_a_problem():
    plan = make_plan(project(allowed_hosts=()))
    assert "ALLOWED_HOSTS is empty" in plan.problems[0].message


def test_who_serves_static_files_in_production():
    static = StaticFiles(
        True, "/static/", "/srv/static", None, "whitenoise", "settings.MIDDLEWARE[1]"
    )
    assert value(project(services=Services(static=static)), "static")[0] == "whitenoise"
    assert value(project(), "static")[0] is None


def test_what_follows_the_dashes_stands_last_before_the_application():
    plan = make_plan(project(), Options(extra=("--workers", "9")))
    assert plan.argv[-3:] == ("--workers", "9", "site1.wsgi:application")


def test_the_settings_class_of_django_configurations_travels_along():
    made = project(environment={"DJANGO_CONFIGURATION": "Production"})
    assert make_plan(made).env["DJANGO_CONFIGURATION"] == "Production"
    assert "DJANGO_CONFIGURATION" not in make_plan(project()).env
