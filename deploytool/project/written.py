"""Where a route, a class or an assignment is written: lines found in the source.

Django keeps no line for a ``path()``; the source has it.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploytool.project.facts import Location, WebSocketRoute
from deploytool.project.probe.text import parsed
from deploytool.project.source import is_installed, locate

if TYPE_CHECKING:
    from collections.abc import Iterable


@cache
def _may_name(path: str, name: str) -> bool:
    """Whether a file has routes and this name in it: parsing every file would take seconds."""
    try:
        text = Path(path).read_bytes()
    except OSError:
        return False
    return b"path(" in text and name.encode() in text


@cache
def _routes(path: str) -> tuple[tuple[str, int, str], ...]:
    """Each ``path()``-like call of a file: its literal, its line, the names in it."""
    tree = parsed(path)
    found = []
    for node in ast.walk(tree) if tree else ():
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else _id(node.func)
        first = node.args[0]
        if name in {"path", "re_path", "url"} and isinstance(first, ast.Constant):
            names = " ".join(_id(n) for arg in node.args[1:] for n in ast.walk(arg))
            found.append((str(first.value), node.lineno, f" {names} "))
    return tuple(found)


def _id(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def assignment_line(path: str, attribute: str) -> int | None:
    """The line of a module that gives ``attribute`` its value last."""
    name = attribute.partition(".")[0]
    tree = parsed(path)
    line = None
    for node in ast.walk(tree) if tree else ():
        bound: Iterable[str] = ()
        if isinstance(node, ast.Assign):
            bound = [t.id for t in node.targets if isinstance(t, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            bound = [node.target.id]
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bound = [node.name] if node in (tree.body if tree else ()) else ()
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            bound = [n.asname or n.name for n in node.names]
        if name in bound and isinstance(node, ast.stmt):
            line = max(line or 0, node.lineno)
    return line


def _definition_line(path: str, qualified: str) -> int | None:
    """The line of a class or function of a file, by its name within the file."""
    tree = parsed(path)
    body, line = (tree.body if tree else []), None
    for part in qualified.split("."):
        for node in body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == part:
                body, line = node.body, node.lineno
                break
        else:
            break  # made while it ran: the class or function that it was made in is near
    return line


def websocket_route(raw: dict[str, Any], files: Iterable[str], base_dir: str) -> WebSocketRoute:
    """The WebSocketRoute of a Route that the probe (or its code, here) wrote down.

    ``files`` are the project's modules, searched for the line of the route.
    """
    return WebSocketRoute(
        raw["route"],
        raw["consumer"],
        _location(raw, files, base_dir),
        tuple(raw["wrappers"]),
        raw["instantiated"],
    )


def _location(raw: dict[str, Any], files: Iterable[str], base_dir: str) -> Location | None:
    name = raw["consumer"].rpartition(".")[2]
    if raw["literal"] is not None:
        matches = [
            (f" {name} " not in names, file, line)
            for file in files
            if _may_name(file, name) and not is_installed(file)
            for literal, line, names in _routes(file)
            if literal == raw["literal"]
        ]
        certain = [match for match in sorted(matches) if not match[0]]
        if certain or len(matches) == 1:
            _, file, line = (certain or matches)[0]
            return locate(file, line, base_dir)
    if raw["file"] is None:
        return None
    if raw["line"] is not None:
        return locate(raw["file"], raw["line"], base_dir)
    return locate(raw["file"], _definition_line(raw["file"], raw["qualified"]), base_dir)
