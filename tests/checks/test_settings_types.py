"""Settings of every type, in all that the rules read: never a traceback, never a crashed rule."""

from __future__ import annotations

import ast
import datetime
import decimal
import re
import warnings
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import UserSettingsHolder, global_settings, settings
from django.utils.functional import empty
from django.utils.translation import gettext_lazy
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from deploytool.checks.registered import make_case
from deploytool.checks.rule import unloaded
from deploytool.checks.running import CRASHED, messages
from deploytool.plan import Options
from deploytool.project import inspect_project
from deploytool.project.services import inspect_services
from tests.support import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploytool.checks.case import Case

# What cannot be another than it was when Django was set up: the registry of apps and the
# connections have been made of it. DEPLOYTOOL is validated where it is read (test_conf.py).
# SETTINGS_MODULE is no setting of the project's: Django writes it. A LANGUAGE_CODE that waits
# for its own translation sends Django into a recursion without an end.
_FIXED = {"INSTALLED_APPS", "DATABASES", "DEPLOYTOOL", "SETTINGS_MODULE", "LANGUAGE_CODE"}


def _strings() -> set[str]:
    """The strings in the sources of the rules and of the facts that they rest on."""
    files = [
        path
        for part in ("checks", "project")
        for path in (ROOT / "deploytool" / part).rglob("*.py")
    ]
    trees = [ast.parse(path.read_bytes()) for path in files]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    constants = {node.value for node in nodes if isinstance(node, ast.Constant)}
    return attributes | {text for text in constants if isinstance(text, str)}


STRINGS = _strings()
# A setting's name stands in the source as a string or as an attribute of ``settings``.
NAMES = sorted(
    {
        text
        for text in STRINGS
        if re.fullmatch(r"[A-Z][A-Z0-9]+(_[A-Z0-9]+)+|MIDDLEWARE|CACHES", text)
    }
    | {name for name in STRINGS if hasattr(global_settings, name) and name.isupper()}
)
NAMES = [name for name in NAMES if name not in _FIXED]
# What the rules look for in a setting, and in a setting of settings.
WORDS = sorted(text for text in STRINGS if re.fullmatch(r"[\w./:*+-]{1,60}", text))


PLAIN = (
    *(None, True, False, 0, -1, 10**30, 1.5, float("nan"), float("inf"), 1j, "", "x", "\0", b"x"),
    *(decimal.Decimal("NaN"), datetime.timedelta(days=1), datetime.datetime(2026, 1, 1)),
    *(Path("x"), gettext_lazy("lazy"), object, object(), len, ..., range(3), {1, 2}, frozenset()),
    *((), [], {}, [None], (1, "a"), {"default": None}, {None: {}}, [["x"]], [{}], {"default": {}}),
)

words = st.sampled_from(WORDS)
leaves = (
    st.sampled_from(PLAIN)
    | st.text(max_size=5)
    | st.integers()
    | st.floats()
    | st.binary(max_size=3)
    | words
)
keys = st.just("default") | words | st.none() | st.integers() | st.text(max_size=3)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(keys, inner, max_size=3)
        | st.dictionaries(st.just("default"), st.dictionaries(keys, inner, max_size=4))
    ),
    max_leaves=8,
)


@contextmanager
def overridden(stated: dict[str, Any]) -> Iterator[None]:
    """Let the settings be ``stated``, without the signals of ``override_settings()``: those
    would have Django itself work with them."""
    before = settings._wrapped
    holder = UserSettingsHolder(before)
    with warnings.catch_warnings():
        # Settings that a later Django will not have.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        for name, value in stated.items():
            setattr(holder, name, value)
    settings._wrapped = empty
    settings._wrapped = holder
    try:
        yield
    finally:
        settings._wrapped = before


@pytest.fixture(scope="module")
def case_of() -> Callable[[str], Case]:
    """The demonstration project as it is judged on an interface.

    A function, as Hypothesis shows the arguments of a test.
    """
    assert unloaded() == {}
    project = inspect_project()
    # Nothing on it that manage.py would not have put there, so that no process tries without.
    project = replace(project, import_path=(project.base_dir,))
    made = {name: make_case(project, Options(interface=name)) for name in ("wsgi", "asgi")}
    for case in made.values():
        # Of processes of their own, which have their own settings.
        _ = case.chain, case.settings_choices
    return lambda interface: made[interface]


def crashes(case: Case, stated: dict[str, Any]) -> list[str]:
    """The rules that cannot judge ``case`` where the settings are ``stated``."""
    with overridden(stated):
        services = inspect_services(case.project.entrypoints)
        project = replace(case.project, services=services)
        judged = make_case(project, Options(interface=case.plan.interface))
        judged.__dict__.update(
            chain=case.chain, pending_chain=None, settings_choices=case.settings_choices
        )
        return [str(message) for message in messages(judged) if message.id == CRASHED]


def test_the_names_are_those_that_the_rules_read():
    assert {
        "ALLOWED_HOSTS",
        "CACHES",
        "CSRF_TRUSTED_ORIGINS",
        "MIDDLEWARE",
        "SECURE_PROXY_SSL_HEADER",
        "SESSION_ENGINE",
        "SILENCED_SYSTEM_CHECKS",
        "STATIC_URL",
    } <= set(NAMES)


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_all_settings_of_one_value(case_of, interface):
    case = case_of(interface)
    crashed = {crash for value in PLAIN for crash in crashes(case, dict.fromkeys(NAMES, value))}
    assert crashed == set()


@hypothesis(
    max_examples=40,
    deadline=None,
    derandomize=True,
    print_blob=False,
    # To shrink an example takes longer than to read it, and the crash names its line.
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(
    interface=st.sampled_from(["wsgi", "asgi"]),
    stated=st.dictionaries(st.sampled_from(NAMES), values, min_size=4, max_size=16),
)
def test_some_settings_of_any_value(case_of, interface, stated):
    assert crashes(case_of(interface), stated) == []
