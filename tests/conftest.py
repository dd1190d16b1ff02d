"""Under CI=true a skipped test fails the run unless it is listed here with what it lacks.

Before the first test the package is compiled, as most tests start processes that import it
and write no byte code of their own (``tests/support.py``).
"""

from __future__ import annotations

import compileall
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

# Part of a test's name, and why a machine of CI may lack what it needs.
EXPECTED_SKIPS = {
    # Docker lets every user of a container listen on every port.
    "tests/test_address.py::test_a_privileged_port_is_refused",
}


def pytest_configure(config: pytest.Config) -> None:
    """Compile the package once, not in each worker of xdist."""
    if not hasattr(config, "workerinput"):
        package = Path(__file__).parent.parent / "deploytool"
        compileall.compile_dir(package, quiet=2)


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
