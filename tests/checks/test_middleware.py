"""The checks of middleware that cannot be made, called or awaited as Django does."""

from __future__ import annotations

import re

import pytest

from tests.checks.middleware_faults import ASYNCHRONOUS, EITHER, FAULTS, SYNCHRONOUS
from tests.checks.project import MIDDLEWARE, found
from tests.checks.zoo import findings, line_of, numbers, zoo_project
from tests.support import manage

INTERFACES = ("asgi", "wsgi")


@pytest.fixture(scope="module", params=INTERFACES)
def interface(request):
    return request.param


@pytest.fixture(scope="module")
def everything(interface, tmp_path_factory):
    """What is found where every middleware of the table is listed, the synchronous ones first.

    So each is called as it would be with Django's own alone.
    """
    # MiddlewareMixin between them asks each below it for its mark.
    mixins = ("django.middleware.locale.LocaleMiddleware", "django.middleware.gzip.GZipMiddleware")
    listed = (*MIDDLEWARE, *SYNCHRONOUS, mixins[0], *ASYNCHRONOUS, mixins[1], *EITHER)
    project = zoo_project(tmp_path_factory.mktemp(interface), listed)
    return findings(project, "--interface", interface)


@pytest.mark.parametrize("name", FAULTS)
def test_found_exactly_where_it_fails(interface, everything, name):
    wanted = getattr(FAULTS[name], interface)
    got = [number for number, _ in everything.get(name, ()) if number[0] != "I"]
    assert got == ([wanted] if wanted else [])


PLACES = {
    "Neither": "class Neither:",
    "Legacy": "class Legacy:",
    "NoSuperInit": "class NoSuperInit(MiddlewareMixin):",
    "OverridesCall": "class OverridesCall(MiddlewareMixin):",
    "AsyncRequestHook": "class AsyncRequestHook(MiddlewareMixin):",
    "synchronous_inside": "def synchronous_inside(get_response):",
}


def test_places_and_next_steps(interface, everything):
    for name, first in PLACES.items():
        if getattr(FAULTS[name], interface) is None:
            continue
        _, finding = everything[name][0]
        assert finding["path"] == "app/zoo.py"
        # In the definition, which is short.
        assert 0 <= finding["line"] - line_of(first) < 8
        assert finding["hint"]
    _, listed = everything["PureASGI"][0]
    assert listed["path"] == "site1/settings.py"
    assert ("wrap the application" in listed["hint"]) == (interface == "asgi")


def test_what_cannot_be_imported_and_what_takes_itself_out(tmp_path):
    paths = ("shop.middleware.Missing", "app.zoo.NoSuchThing", "app.views.home.name")
    listed = (*MIDDLEWARE, "NotUsed", "Unreachable", MIDDLEWARE[2], *paths)
    project = zoo_project(tmp_path, listed)
    got = findings(project, "--interface", "wsgi")
    assert {name: [number for number, _ in each] for name, each in got.items()} == {
        **{path.removeprefix("app.zoo."): ["E100"] for path in paths},
        "NotUsed": ["I128"],
        "Unreachable": ["W102"],
        MIDDLEWARE[2]: ["I132"],
    }
    assert "REPORT_URL is not set" in got["NotUsed"][0][1]["message"]
    assert got["Unreachable"][0][1]["path"] == "app/zoo.py"
    assert got["shop.middleware.Missing"][0][1]["path"] == "site1/settings.py"


def test_unmarked_by_luck(tmp_path):
    """Nothing that looks at it stands above: the outermost, or below one that awaits anything."""
    outermost = zoo_project(tmp_path / "1", ("UnmarkedAsync", *MIDDLEWARE))
    below = zoo_project(tmp_path / "2", ("asynchronous", "UnmarkedAsync", *MIDDLEWARE))
    mixin = zoo_project(tmp_path / "3", (MIDDLEWARE[0], "UnmarkedAsync", *MIDDLEWARE[1:]))
    for project in (outermost, below, mixin):
        (finding,) = found(project, 104, "--interface", "asgi")
        assert finding["level"] == ("ERROR" if project is mixin else "WARNING")


def test_of_other_packages_nothing_is_wrong(tmp_path):
    """Their middleware as their documentation lists it, on both interfaces."""
    listed = [*MIDDLEWARE]
    listed.insert(1, "whitenoise.middleware.WhiteNoiseMiddleware")
    listed.append("debug_toolbar.middleware.DebugToolbarMiddleware")
    settings = 'INSTALLED_APPS += ["debug_toolbar"]'
    project = zoo_project(tmp_path, listed, settings=settings, views=("home", "ahome", "events"))
    for interface in INTERFACES:
        assert numbers(project, "--interface", interface) == {}


def test_the_chain_is_drawn_under_asgi(tmp_path):
    project = zoo_project(tmp_path, (*MIDDLEWARE[:4], "synchronous", *MIDDLEWARE[4:]))
    shown = manage(project, "deploycheck", "--interface", "asgi").stdout
    chain = shown.partition("Middleware, in its order:")[2]
    modes = dict(re.findall(r"^ +([\w.]+\.\w+)  +((?:a?sync), [\w, ]+?)  +\d", chain, re.MULTILINE))
    # What stands above a synchronous one is synchronous too.
    assert modes == {
        **dict.fromkeys(MIDDLEWARE[:4], "sync, mixin"),
        MIDDLEWARE[0]: "sync, mixin, adapted",
        "app.zoo.synchronous": "sync, function, adapted",
        **dict.fromkeys(MIDDLEWARE[4:], "async, mixin"),
    }
    assert "in its order" not in manage(project, "deploycheck", "--interface", "wsgi").stdout
