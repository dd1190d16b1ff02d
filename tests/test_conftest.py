"""The rule of tests/conftest.py: CI does not pass over a test in silence."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support import ROOT, environment

SUITE = (
    "import pytest\n\ndef test_one():\n    pytest.skip('no browser')\n\ndef test_two():\n    pass\n"
)


@pytest.mark.parametrize(
    ("ci", "processes", "status"), [("true", "0", 1), ("true", "1", 1), (None, "0", 0)]
)
def test_a_skipped_test_fails_ci(tmp_path, ci, processes, status):
    (tmp_path / "test_suite.py").write_text(SUITE)
    argv = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:django"]
    done = subprocess.run(
        [*argv, "-n", processes, "--rootdir", tmp_path, "-c", "/dev/null", tmp_path],
        env=environment(CI=ci),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert ("Skipped, which CI=true forbids" in done.stdout) == (status == 1)
    assert ("test_one: Skipped: no browser" in done.stdout) == (status == 1)
