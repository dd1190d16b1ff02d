"""Random projects and requests: our handler does what Django's does (see differential.py).

``DEPLOYTOOL_EXAMPLES=20000 pytest tests/handlers/test_differential.py`` looks for longer; the
normal run is the same each time, so that a change that fails it failed by its own doing.
"""

from __future__ import annotations

import os
import threading

import pytest
from django.core.handlers.asgi import ASGIHandler as DjangoHandler
from django.core.management import call_command
from django.db import connections
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploytool.handlers.asgi import ASGIHandler
from deploytool.handlers.options import Options
from tests.handlers.differential import ENDS, QUIET, Middleware, Scenario, observe

EXAMPLES = int(os.environ.get("DEPLOYTOOL_EXAMPLES", "300"))

DJANGOS = (
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.middleware.locale.LocaleMiddleware",
)
HOOKS = (
    "process_request",
    "process_view",
    "process_exception",
    "process_template_response",
    "process_response",
)
KINDS = (
    *("mixin",) * 6,
    "sync_class",
    "async_class",
    "sync_function",
    "async_function",
    "dual_function",
    "not_used",
)
VIEWS = ("sync", "async", "atomic", "none", "template", "stream", "async_template", "async_stream")

# Most hooks let the request pass, or nothing inside of them would ever be reached.
actions = st.sampled_from((*QUIET * 4, *ENDS, "block"))
own = st.builds(
    Middleware,
    kind=st.sampled_from(KINDS),
    hooks=st.dictionaries(st.sampled_from(HOOKS), actions, max_size=4).map(
        lambda hooks: tuple(sorted(hooks.items()))
    ),
)


@st.composite
def chains(draw):
    """Django's own in an order in which they work, with the project's anywhere between."""
    kept = draw(st.one_of(st.just(DJANGOS[:7]), st.sets(st.sampled_from(DJANGOS))))
    chain = [Middleware(name) for name in DJANGOS if name in kept]
    for middleware in draw(st.lists(own, max_size=4)):
        chain.insert(draw(st.integers(0, len(chain))), middleware)
    return tuple(chain)


scenarios = st.builds(
    Scenario,
    middleware=chains(),
    view=st.sampled_from(VIEWS),
    does=st.sampled_from((*QUIET, *ENDS, "block")),
    method=st.sampled_from(("GET", "GET", "POST", "HEAD")),
    path=st.sampled_from(("/page/", "/page/", "/page/", "/page", "/missing/")),
    host=st.sampled_from(("testserver",) * 5 + ("elsewhere",)),
    cookie=st.booleans(),
    token=st.booleans(),
    receivers=st.booleans(),
    atomic=st.booleans(),
    public=st.booleans(),
    leaves=st.booleans(),
)
options = st.builds(
    Options,
    threads=st.integers(1, 3),
    off=st.sampled_from(
        (
            *(frozenset(),) * 4,
            frozenset({"coalescing"}),
            frozenset({"event-loop-hooks"}),
            frozenset({"leased-threads"}),
            frozenset({"lazy-listener"}),
        )
    ),
)


@pytest.fixture(scope="module")
def database(tmp_path_factory, django_db_blocker):
    """A database file, which every thread of both handlers opens for itself."""
    stated = connections.settings["default"]
    before = dict(stated)
    stated.update(NAME=str(tmp_path_factory.mktemp("differential") / "db.sqlite3"))
    with django_db_blocker.unblock():
        creating = threading.Thread(target=_migrate)
        creating.start()
        creating.join()
        yield
    stated.update(before)


def _migrate() -> None:
    call_command("migrate", verbosity=0)
    connections.close_all()


# What Django's handler leaves to the garbage collector (connections of a client that left
# before a synchronous stream was read, in 5.2 also bodies) fails whatever runs just then.
@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
@settings(
    max_examples=EXAMPLES,
    derandomize="DEPLOYTOOL_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(scenario=scenarios, ours=options)
def test_same_as_djangos(database, scenario, ours):
    expected = observe(scenario, DjangoHandler)
    assert observe(scenario, lambda: ASGIHandler(ours)) == expected
