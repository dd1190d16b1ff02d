"""The demonstration in a real browser: the page, the clock, and the chat between two tabs."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.support import ROOT, manage, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH")


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> Iterator[str]:
    """The site as `make run` serves it, with a database of its own."""
    folder = tmp_path_factory.mktemp("browser")
    environment = {"DATABASE_URL": f"sqlite:///{folder}/db.sqlite3", "REDIS_URL": None}
    assert manage(ROOT, "migrate", "-v0", **environment).returncode == 0
    with serving(ROOT, log=folder / "server.log", **environment) as served:
        yield served.url


@pytest.fixture(scope="module")
def browser() -> Iterator[BrowserContext]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium.new_context()
        chromium.close()


@pytest.fixture
def tab(browser, url) -> Iterator[Page]:
    """A tab that fails the test for any error of a script or of a loaded file."""
    page = browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("requestfailed", lambda request: errors.append(f"{request.url}: {request.failure}"))
    yield page
    page.goto("about:blank")
    page.close()
    assert [error for error in errors if "ERR_ABORTED" not in error] == []


def test_the_first_page_says_what_answered(tab, url):
    tab.goto(url)
    expect(tab.locator('[data-field="interface"]')).to_have_text("ASGI")
    expect(tab.locator('[data-field="server"]')).to_contain_text("uvicorn")
    # Styled by the static file, not only marked up.
    assert tab.evaluate("document.styleSheets[0].cssRules.length") > 10


def test_the_clock_ticks(tab, url):
    tab.goto(f"{url}/clock/")
    count = tab.locator("[data-count]")
    expect(count).to_have_text("2", timeout=10_000)
    first = tab.locator("[data-time]").inner_text()
    expect(count).to_have_text("4", timeout=10_000)
    assert tab.locator("[data-time]").inner_text() != first


def test_two_tabs_talk_to_each_other(tab, browser, url):
    other = browser.new_page()
    for page in (tab, other):
        page.goto(f"{url}/chat/")
        expect(page.locator("[data-say] button")).to_be_enabled()
    tab.fill("#text", "hello <b>there</b>")
    tab.press("#text", "Enter")
    expect(other.locator("[data-log]")).to_contain_text("hello <b>there</b>")
    other.fill("#text", "hello back")
    other.press("#text", "Enter")
    expect(tab.locator("[data-log]")).to_contain_text("hello back")
    other.goto("about:blank")
    other.close()
