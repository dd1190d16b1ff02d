"""What the checks of middleware claim of Django, shown with Django's own handlers."""

from __future__ import annotations

import pytest

from tests.checks.middleware_faults import FAULTS
from tests.checks.zoo import MIDDLEWARE, driven, in_zoo


@pytest.fixture(scope="module", params=("asgi", "wsgi"))
def interface(request):
    return request.param


def case(name, path="/", headers=None, below=MIDDLEWARE, above=()):
    middleware = [*below, in_zoo(name), *above]
    return {"middleware": middleware, "path": path, "headers": headers or {}}


@pytest.fixture(scope="module")
def answers(interface):
    cases = [
        case(name, path, fault.headers)
        for name, fault in FAULTS.items()
        for path in (fault.path, "/async/" if fault.path == "/" else fault.path)
    ]
    told = driven(interface, cases)
    return {name: told[2 * index : 2 * index + 2] for index, name in enumerate(FAULTS)}


@pytest.mark.parametrize("name", FAULTS)
def test_requests_fail_exactly_where_a_finding_says_so(interface, answers, name):
    fails = getattr(FAULTS[name], interface) is not None
    for answer in answers[name]:
        # A status, or what the handler itself raised, as a server's worker would see it.
        assert (isinstance(answer, str) or answer[0] == 500) == fails, answer


def test_what_a_warning_warns_of_is_not_so_for_other_requests(interface):
    told = driven(interface, [case("EarlyResponse"), case("SometimesReturns")])
    assert [answer[0] for answer in told] == [200, 200]


def test_unmarked_works_by_luck_and_only_so():
    luck = [
        {"middleware": [in_zoo("UnmarkedAsync"), *MIDDLEWARE]},
        {"middleware": [in_zoo("asynchronous"), in_zoo("UnmarkedAsync"), *MIDDLEWARE]},
    ]
    mixin = {"middleware": [MIDDLEWARE[0], in_zoo("UnmarkedAsync"), *MIDDLEWARE[1:]]}
    first, second, third = driven("asgi", [*luck, mixin])
    assert (first[0], second[0]) == (200, 200)
    assert isinstance(third, str) or third[0] == 500
