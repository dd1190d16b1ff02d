"""Which views stream, and over what: read from their source."""

from __future__ import annotations

import pytest

from tests.support import PROJECTS, facts

IMPORT = "from deploytool.project.views import inspect_views"

EXPECTED = {
    # route: (iterator, event stream)
    "clock": ("async", True),
    "export": ("sync", False),
    "export_nested": ("sync", False),
    "nested": ("async", True),
    "expression": ("async", False),
    "asked": ("async", False),
    "waited": ("async", False),
    "threaded": ("sync", False),
    "listed": ("sync", False),
    "mapped": ("sync", False),
    "helped": ("sync", False),
    "helped_by_name": ("sync", False),
    "helped_async": ("async", False),
    "helped_in_thread": ("sync", False),
    "local_import": ("sync", True),
    "slow_import": ("async", True),
    "own_class": ("async", True),
    "own_partial": ("async", True),
    "decorated": ("async", True),
    "guarded": ("async", False),
    "service": ("sync", False),
    "either": ("async", False),
    "branches": ("async", False),
    "replaced": ("sync", False),
    "rewrapped": ("async", False),
    "opaque": ("unknown", False),
    "later": ("sync", False),
    "quarterly": ("sync", False),
    "short": ("sync", False),
    "feed": ("async", True),
    "report": ("sync", False),
    "long-report": ("sync", False),
    "recursive": ("unknown", False),
    # files and ordinary responses
    "download": (None, False),
    "own_download": (None, False),
    "asks": (None, False),
    "too_deep": (None, False),
}


@pytest.fixture(scope="module")
def found() -> dict[str, tuple[str | None, bool]]:
    views = facts(PROJECTS / "streaming_views", IMPORT, "inspect_views(os.getcwd())")
    assert views["error"] is None
    return {each["route"]: (each["streaming"], each["event_stream"]) for each in views["views"]}


def test_every_view_is_expected(found: dict[str, tuple[str | None, bool]]) -> None:
    assert found.keys() == EXPECTED.keys()


@pytest.mark.parametrize("route", EXPECTED)
def test_streaming(route: str, found: dict[str, tuple[str | None, bool]]) -> None:
    assert found[route] == EXPECTED[route]


def test_no_view_was_run() -> None:
    """The views' own code leaves no trace, though every one of them was read."""
    ran = facts(
        PROJECTS / "streaming_views",
        f"{IMPORT}\nfrom stream import views",
        "(inspect_views(os.getcwd()), views.RAN)",
    )[1]
    assert ran == []
