"""Under CI=true a skipped test fails the run unless it is listed here with what it lacks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

# Part of a test's name, and why a machine of CI may lack what it needs.
EXPECTED_SKIPS = {
    # Docker lets every user of a container listen on every port.
    "tests/test_address.py::test_a_privileged_port_is_refused",
}


def _unexpected(reporter: TerminalReporter) -> list[tuple[str, str]]:
    """Name and reason of each skipped test that is not expected to be skipped."""
    if os.environ.get("CI") != "true":
        return []
    found = []
    for report in reporter.stats.get("skipped", []):
        if report.nodeid.partition("[")[0] not in EXPECTED_SKIPS:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
            found.append((report.nodeid, str(reason)))
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a session that skipped what should have run; workers of xdist leave it to the first."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and not hasattr(session.config, "workerinput") and _unexpected(reporter):
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Name them."""
    for nodeid, reason in _unexpected(terminalreporter):
        terminalreporter.write_line(f"Skipped, which CI=true forbids: {nodeid}: {reason}", red=True)
