"""How settings come to their values: from the environment, as text, or anew at each start.

The source of the settings says which variables may matter. What follows from them is tried:
the settings are loaded again, in a process of their own, with the variables set.
"""

from __future__ import annotations

import ast
import os
import re
import secrets
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import global_settings, settings

from deploytool.project.probe.text import parsed
from deploytool.project.probing import Asked
from deploytool.project.settings_choice import VARIABLE
from deploytool.project.settings_source import setting_location

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploytool.project.facts import EntryPoint, Project

_NAME = re.compile(r"[A-Za-z_]\w*")
# What text says no by: the spellings of ``distutils.util.strtobool()`` and of Python's literals.
_NO = frozenset({"false", "no", "off", "n", "f", "0", "none", "null"})
# A default that shows that True or False is meant, rather than "set or not".
_DEFAULTS = (False, True, 0, 1, "False", "True", "false", "true", "0", "1", "no", "yes")


@dataclass(frozen=True, slots=True)
class TextForTruth:
    """A setting that has to be True or False, and is text, or becomes it.

    ``value`` is the text where it is; None where it would be as soon as ``variable``, a
    variable of the environment, is set. ``says_no`` is True for text such as ``"False"``.
    """

    name: str
    value: str | None
    variable: str | None = None
    says_no: bool = True


@dataclass(frozen=True, slots=True)
class RandomSecret:
    """SECRET_KEY is another in each process, unless one of ``variables`` is set."""

    variables: tuple[str, ...] = ()


def texts_for_truth(project: Project) -> tuple[TextForTruth, ...]:
    """The settings of Django's whose defaults are True or False and that are text."""
    names = [
        name
        for name, default in vars(global_settings).items()
        if isinstance(default, bool) and settings.is_overridden(name)
    ]
    found = []
    asked: dict[str, list[str]] = {}
    for name in names:
        value = _live(name)
        if isinstance(value, str):
            if value:
                found.append(TextForTruth(name, value, None, value.strip().lower() in _NO))
        elif variables := _variables(_assigned(name, project.base_dir)):
            asked[name] = variables
    return (*found, *_with_variables(project, asked))


def _live(name: str) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a setting that Django will drop
        return getattr(settings, name, None)


def _with_variables(project: Project, asked: dict[str, list[str]]) -> Iterator[TextForTruth]:
    """Those of ``asked`` that are on when their variables say no."""
    variables = {variable for each in asked.values() for variable in each}
    if not variables or project.settings_module is None:
        return
    # "False" is no number and "0" is no name: settings take one of them, if not both.
    for text in ("False", "0"):
        answer = _loaded(project, dict.fromkeys(variables, text), list(asked))
        if answer is not None and answer["error"] is None:
            break
    else:
        return
    for name, candidates in asked.items():
        value = answer["values"].get(name)
        text_kept = value is not None and value["type"] == "str" and value["on"]
        if text_kept or (value is not None and value["on"] and _of_text(name, project, text)):
            yield TextForTruth(name, None, candidates[0])


def _of_text(name: str, project: Project, text: str) -> bool:
    """Whether the source makes ``bool()`` of a variable's text where True or False is meant."""
    value = _assigned(name, project.base_dir)
    if text != "False" or not isinstance(value, ast.Call) or len(value.args) != 1:
        return False
    inner = value.args[0]
    if not isinstance(value.func, ast.Name) or value.func.id != "bool":
        return False
    if not isinstance(inner, ast.Call):
        return False
    given = [*inner.args[1:], *(each.value for each in inner.keywords)]
    return any(isinstance(each, ast.Constant) and each.value in _DEFAULTS for each in given)


def random_secret(project: Project, entry: EntryPoint) -> RandomSecret | None:
    """Whether each process that imports ``entry`` has a SECRET_KEY of its own.

    None where all have the same, or where it cannot be told.
    """
    if entry.started is None or entry.started.same_secret is not False:
        return None
    module = (entry.application or "").partition(":")[0]
    if not _differs(project, module, {}):
        return None
    variables = _variables(_assigned("SECRET_KEY", project.base_dir))
    # Long enough, and valid as what variables of other kinds are read for
    settled = dict.fromkeys(variables, "1" * 64)
    if variables and _differs(project, module, settled) is False:
        return RandomSecret(tuple(variables))
    return RandomSecret()


def _differs(project: Project, module: str, changes: dict[str, str]) -> bool | None:
    """Whether two processes have different keys, None where one has none."""
    salt = secrets.token_hex(32)
    asked = [_asked(project, module, changes, salt, []) for _ in range(2)]
    keys = [(each.answer() or {}).get("secret") for each in asked]
    return None if None in keys else keys[0] != keys[1]


def _loaded(project: Project, changes: dict[str, str], names: list[str]) -> dict[str, Any] | None:
    # django.conf: the settings, and nothing of the project before them
    return _asked(project, "django.conf", changes, secrets.token_hex(32), names).answer()


def _asked(
    project: Project, module: str, changes: dict[str, str], salt: str, names: list[str]
) -> Asked:
    request = {"runs": "choice", "module": module, "script": None, "salt": salt, "names": names}
    return Asked(project, request, {**changes, VARIABLE: project.settings_module})


def _assigned(name: str, base_dir: str) -> ast.expr | None:
    """The expression that gives a setting its value last, where the source shows it."""
    place = setting_location(name, base_dir)
    tree = parsed(str(Path(base_dir, place.path))) if place else None
    for node in ast.walk(tree) if tree and place else ():
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        line = (place.line if place else None) or 0
        if any(
            isinstance(target, ast.Name) and target.id == name for target in targets
        ) and node.lineno <= line <= (node.end_lineno or 0):
            return _behind(node.value, tree) if isinstance(node.value, ast.Name) else node.value
    return None


def _behind(name: ast.Name, tree: ast.Module | None) -> ast.expr:
    """All that a variable of the file is given, as one expression."""
    given = [
        node.value
        for node in ast.walk(tree or ast.Module([], []))
        if isinstance(node, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == name.id for t in node.targets)
    ]
    return ast.List(elts=given, ctx=ast.Load())


def _variables(value: ast.expr | None) -> list[str]:
    """The names by which an expression may read variables that are not set.

    A comparison gives True or False whatever they are.
    """
    if value is None or isinstance(value, ast.Compare | ast.Constant):
        return []
    return [name for name in dict.fromkeys(_named(ast.walk(value))) if name not in os.environ]


def _named(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        given: ast.expr | None = None
        if isinstance(node, ast.Call) and node.args:
            given = node.args[0]
        elif isinstance(node, ast.Subscript):
            given = node.slice
        value = given.value if isinstance(given, ast.Constant) else None
        if isinstance(value, str) and _NAME.fullmatch(value):
            yield value
