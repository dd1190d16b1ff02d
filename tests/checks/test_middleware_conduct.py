"""The checks of what middleware does to responses, and of what it keeps of requests."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tests.checks.project import MIDDLEWARE
from tests.checks.zoo import findings, line_of, numbers, zoo_project

VIEWS = ("home", "ahome", "events", "report")
CACHE = "django.middleware.cache."
UPDATE, FETCH = CACHE + "UpdateCacheMiddleware", CACHE + "FetchFromCacheMiddleware"
LOCALE = "django.middleware.locale.LocaleMiddleware"
GZIP = "django.middleware.gzip.GZipMiddleware"
CONDITIONAL = "django.middleware.http.ConditionalGetMiddleware"
SESSION = "django.contrib.sessions.middleware.SessionMiddleware"


@dataclass(frozen=True)
class Streams:
    """What is found of a middleware on each interface, and the responses it breaks."""

    asgi: str | None = None
    wsgi: str | None = None
    breaks: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)


EVERY = ("/events/", "/report/", "/file/")
SOUND = Streams()
# One table for the rules and for Django, as in middleware_faults.py. A request for /events/,
# which is streamed from an async iterator, is made through ASGI alone.
STREAMS = {
    "TouchesContent": Streams("E112", "E112", EVERY),
    "TouchesText": Streams("E112", "E112", EVERY),
    "TouchesForStaff": Streams("W112", "W112", EVERY, {"X-Staff": "1"}),
    "LooksFirst": SOUND,
    "LooksWithGetattr": SOUND,
    "LooksWithHasattr": SOUND,
    "LooksAtType": SOUND,
    "LooksAtContentType": SOUND,
    "Tries": SOUND,
    "Measures": SOUND,
    "WrapsWithMap": Streams("E113", None, ("/events/",)),
    "WrapsWithGenerator": Streams("E113", None, ("/events/",)),
    "WrapsWithAsyncGenerator": Streams("E113", "E113", ("/report/", "/file/")),
    "WrapsEither": SOUND,
}
STATE = {
    # Called synchronously, it does nothing of the kind.
    "InThreadLocalOnLoop": ("E116", None),
    "InThreadLocal": ("W116", None),
    "ByThread": ("W116", None),
    "in_global": ("W117", "W117"),
    "OnSelf": ("W117", "W117"),
    "OnRequest": (None, None),
    "Counts": (None, None),
}


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """What is found on each interface where all of them are listed, below Django's own."""
    # Those that are synchronous only above the others, which would be called so above them.
    first = ("TouchesText", "LooksWithHasattr", "in_global")
    others = (name for name in (*STREAMS, *STATE) if name not in first)
    listed = (*MIDDLEWARE, *first, *others)
    project = zoo_project(tmp_path_factory.mktemp("all"), listed, views=VIEWS)
    wsgi = zoo_project(tmp_path_factory.mktemp("wsgi"), listed, views=("home", "report"))
    return {
        "asgi": findings(project, "--interface", "asgi"),
        "wsgi": findings(wsgi, "--interface", "wsgi"),
    }


def serious(found):
    return [number for number, _ in found if number[0] != "I"]


@pytest.mark.parametrize("interface", ["asgi", "wsgi"])
def test_found_exactly_where_it_is_wrong(interface, together):
    got = {name: serious(together[interface].get(name, ())) for name in (*STREAMS, *STATE)}
    wanted = {name: getattr(each, interface) for name, each in STREAMS.items()}
    wanted |= {name: each[interface == "wsgi"] for name, each in STATE.items()}
    assert got == {name: [number] if number else [] for name, number in wanted.items()}


PLACES = {
    "TouchesText": ('response["X-Length"] = str(len(response.content.decode()))', "`response."),
    "TouchesForStaff": ('if request.headers.get("X-Staff"):', "request.headers.get('X-Staff')"),
    "InThreadLocalOnLoop": ('setattr(_local, "agent", agent)  # noqa: B010', "setattr(_local"),
    "InThreadLocal": ('_local.agent = request.headers.get("User-Agent")', "_local.agent"),
    "ByThread": ("_requests[threading.get_ident()] = request", "_requests["),
    "in_global": ("_current = request", "global variable _current"),
    "OnSelf": ("self.request = request", "the attribute request of the middleware"),
}


def test_places_and_next_steps(together):
    for name, (text, shown) in PLACES.items():
        _, finding = together["asgi"][name][0]
        assert finding["path"] == "app/zoo.py"
        assert 0 <= finding["line"] - line_of(text) <= 1, name
        assert shown in finding["message"]
        assert "." in finding["hint"]
    _, content = together["asgi"]["TouchesContent"][0]
    assert "app.views.events and app.views.report will fail" in content["message"]
    assert "if not response.streaming" in content["hint"]
    _, wraps = together["asgi"]["WrapsWithGenerator"][0]
    assert "app.views.events will break" in wraps["message"]
    assert "report" not in wraps["message"]
    assert "response.is_async" in wraps["hint"]


def test_where_nothing_streams_and_one_request_comes_after_the_other(tmp_path):
    """Then it is advice, and nothing of a request is in another's way."""
    listed = (*MIDDLEWARE, "TouchesContent", "WrapsWithAsyncGenerator", "OnSelf", "ByThread")
    settings = 'DEPLOYTOOL = {"THREADS": 1}'
    project = zoo_project(tmp_path, listed, views=("home",), settings=settings)
    got = findings(project, "--interface", "wsgi")
    assert {
        name: [number for number, _ in each] for name, each in got.items() if name in listed
    } == {"TouchesContent": ["I112"], "WrapsWithAsyncGenerator": ["I113"]}


def test_content_that_is_measured_or_compressed(tmp_path):
    first = zoo_project(tmp_path / "1", ("Banner", "BannerMeasured", *MIDDLEWARE))
    got = findings(first, "--interface", "wsgi")
    assert {name: serious(each) for name, each in got.items() if serious(each)} == {
        "Banner": ["E114"]
    }
    finding = dict(got["Banner"])["E114"]
    assert finding["path"] == "app/zoo.py"
    assert finding["line"] - line_of("class Banner(MiddlewareMixin):") == 3
    assert "Content-Length" in finding["hint"]
    # BannerMeasured looks for Content-Encoding; one that does not is wrong above gzip alone.
    second = zoo_project(tmp_path / "2", (MIDDLEWARE[0], "BannerMeasured", GZIP, *MIDDLEWARE[1:]))
    assert numbers(second, "--interface", "wsgi") == {}
    third = zoo_project(tmp_path / "3", (*MIDDLEWARE, "Banner", GZIP))
    got = findings(third, "--interface", "wsgi")
    assert {name: serious(each) for name, each in got.items() if serious(each)} == {
        "Banner": ["E115"]
    }
    finding = dict(got["Banner"])["E115"]
    assert finding["path"] == "site1/settings.py"
    assert finding["hint"] == f"Move it below {GZIP} in MIDDLEWARE."


def test_order_around_the_cache(tmp_path):
    wrong = (CONDITIONAL, GZIP, *MIDDLEWARE, UPDATE, FETCH, LOCALE)
    right = (UPDATE, GZIP, CONDITIONAL, *MIDDLEWARE, LOCALE, FETCH, "Banner")
    project = zoo_project(tmp_path / "1", wrong)
    got = numbers(project, "--interface", "wsgi")
    assert got[UPDATE] == ["E120"]
    assert got[FETCH] == ["W121"]
    assert got[CONDITIONAL] == ["W122"]
    assert numbers(zoo_project(tmp_path / "2", right), "--interface", "wsgi") == {}
    # What is stored is never read, and there is one language alone.
    alone = zoo_project(tmp_path / "3", (*MIDDLEWARE, UPDATE))
    assert numbers(alone, "--interface", "wsgi") == {}
    settings = "USE_I18N = False"
    one = zoo_project(tmp_path / "4", (UPDATE, *MIDDLEWARE, FETCH, LOCALE), settings=settings)
    assert "W121" not in str(numbers(one, "--interface", "wsgi"))
