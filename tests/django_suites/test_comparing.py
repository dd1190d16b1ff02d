"""What the comparison of two runs of Django's tests finds."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from comparing import Difference, differences, label


def test_the_same_outcomes_in_another_order_are_no_difference():
    one = [("a", "ok", ""), ("b", "skipped", "no redis")]
    assert differences(one, one[::-1]) == []


def test_another_outcome_is_one():
    [found] = differences([("a", "ok", "")], [("a", "failure", "1 != 2")])
    assert found == Difference("a", ("ok",), ("failure",), "1 != 2")


def test_a_test_that_one_side_did_not_run_is_one():
    assert [d.test for d in differences([("a", "ok", "")], [("b", "ok", "")])] == ["a", "b"]


def test_a_failed_set_up_is_run_again_by_its_class():
    assert label("setUpClass (asgi.tests.ASGITest)") == "asgi.tests.ASGITest"
    assert label("asgi.tests.ASGITest.test_one") == "asgi.tests.ASGITest.test_one"
