"""``python tests/django_suites/run.py --django 6.1``: Django's own tests through our handler.

The source distribution of each Django carries its tests. Those that go through a handler
are run with Django's handler and with deploytool's in its place, and the outcomes are
compared test by test. They have to be the same; where they are not, the tests in question
are run again on both sides, alone, and if they still differ the exit status is 1.

Two modes, each run on both sides: ``plain``, and ``carried``, where the requests of the
synchronous test client go through the asynchronous chain too (some tests fail by that
alone, on both sides). What is downloaded and built is kept in .django-suites/.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from pathlib import Path

from comparing import Difference, Outcomes, differences, label

ROOT = Path(__file__).resolve().parent.parent.parent
KEPT = ROOT / ".django-suites"
LAUNCH = Path(__file__).with_name("launch.py")

# fmt: off
SUITES = [
    "asgi", "async", "handlers", "middleware", "middleware_exceptions", "csrf_tests",
    "sessions_tests", "messages_tests", "auth_tests", "cache", "signals", "test_client",
    "test_client_regress", "view_tests", "file_uploads", "staticfiles_tests", "servers",
    "requests_tests", "decorators", "logging_tests", "i18n", "sites_tests",
    "redirects_tests", "flatpages_tests", "conditional_processing", "responses",
]
# fmt: on
MODES = ("plain", "carried")

# Of tests/requirements/py3.txt, what the suites above use; the rest needs C libraries,
# browsers or services, and its tests skip themselves on both sides.
REQUIREMENTS = ["argon2-cffi", "bcrypt", "jinja2", "Pillow", "pymemcache", "redis", "tblib"]
LIMIT = 30 * 60
"""Seconds that one run of the suites may take."""


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--django", default="6.1", help="feature release, such as 5.2")
    parser.add_argument("--suites", nargs="+", default=SUITES, metavar="SUITE")
    parser.add_argument("--modes", nargs="+", default=MODES, choices=MODES)
    parser.add_argument(
        "--broken", action="store_true", help="use a handler with a fault: the run has to fail"
    )
    options = parser.parse_args()
    source, python = prepare(options.django)
    ours = "broken" if options.broken else "ours"
    failed = False
    for mode in options.modes:
        found = compare(source, python, mode, ours, options.suites)
        failed = failed or bool(found)
        for difference in found:
            print(f"\nDIFFERS: {difference.test}")
            print(f"  Django's handler: {', '.join(difference.django) or 'not run'}")
            print(f"  deploytool's:     {', '.join(difference.ours) or 'not run'}")
            print(difference.details)
    sys.exit(failed)


def prepare(release: str) -> tuple[Path, Path]:
    """The unpacked source of the newest Django ``release``, and an interpreter that has it."""
    KEPT.mkdir(exist_ok=True)
    environment = KEPT / f"venv-{release}"
    python = environment / "bin" / "python"
    if not (environment / "ready").exists():
        run(sys.executable, "-m", "venv", "--clear", str(environment))
        pip = (str(python), "-m", "pip", "--quiet", "--disable-pip-version-check")
        # --no-deps, --no-binary: the source distribution, of which only tests/ is used.
        archives = KEPT / f"sdist-{release}"
        run(*pip, "download", "--no-deps", "--no-binary", ":all:", "--dest", str(archives),
            f"Django~={release}.0")  # fmt: skip
        [archive] = archives.glob("*.tar.gz")
        with tarfile.open(archive) as packed:
            packed.extractall(archives, filter="data")
        run(*pip, "install", str(archive), *REQUIREMENTS)
        run(*pip, "install", "--editable", str(ROOT))
        (environment / "ready").touch()
    [tests] = (KEPT / f"sdist-{release}").glob("*/tests")
    return tests, python


def run(*command: str) -> None:
    """Run a step of the preparation; its failure ends everything."""
    subprocess.run(command, check=True, timeout=LIMIT)


def compare(tests: Path, python: Path, mode: str, ours: str, suites: list[str]) -> list[Difference]:
    """The tests that differ between both sides, also when they are run again."""
    begun = time.monotonic()
    theirs, _ = outcomes(tests, python, "django", mode, suites)
    mine, answered = outcomes(tests, python, ours, mode, suites)
    counted = Counter(outcome for _, outcome, _ in mine)
    print(
        f"{tests.parent.name}, {mode}: {len(mine)} tests, {answered} requests through our chain, "
        f"{time.monotonic() - begun:.0f} s: "
        + ", ".join(f"{number} {outcome}" for outcome, number in counted.most_common()),
        flush=True,
    )
    if not answered:
        sys.exit("No request went through the handler under test.")
    found = differences(theirs, mine)
    if not found:
        return []
    again = sorted({label(difference.test) for difference in found})
    print(f"Run again, as they differed: {' '.join(again)}", flush=True)
    theirs, _ = outcomes(tests, python, "django", mode, again)
    mine, _ = outcomes(tests, python, ours, mode, again)
    # Tests that fail now and then on either side tell nothing.
    return differences(theirs, mine)


def outcomes(
    tests: Path, python: Path, side: str, mode: str, suites: list[str]
) -> tuple[Outcomes, int]:
    """What each test did, and how many requests our chain answered."""
    with tempfile.TemporaryDirectory() as directory:
        record = Path(directory) / "record.json"
        ran = subprocess.run(
            [python, LAUNCH, record, side, mode, *suites],
            cwd=tests,
            env={**os.environ, "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        if not record.exists():
            sys.exit(f"runtests.py ended without a result:\n{ran.stdout}\n{ran.stderr}")
        recorded = json.loads(record.read_text("utf-8"))
        return [tuple(entry) for entry in recorded["outcomes"]], recorded["answered"]


if __name__ == "__main__":
    main()
