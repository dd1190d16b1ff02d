"""Where functions and classes are defined: their dotted paths, lines and syntax trees.

Shared by the modules that look at middleware and views. A file is read and parsed at
most once, and only when something cannot be told from the objects themselves.
"""

from __future__ import annotations

import ast
import contextlib
import re
import sys
import tokenize
from dataclasses import dataclass, field
from functools import cache, partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import TypeGuard, TypeVar

from deploytool.project.facts import Location
from deploytool.project.source import is_installed, locate

T = TypeVar("T")

_CLASS = re.compile(r"[ \t]*class[ \t]+(\w+)")

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@cache
def function_node(code: CodeType) -> FunctionNode | None:
    """The syntax tree of the function that ``code`` was compiled from, if it can be found.

    Line numbers in it are its own; only their order means something.
    """
    return _parsed_alone(code) or _parsed_with_its_file(code)


def _parsed_alone(code: CodeType) -> FunctionNode | None:
    """Parse the lines of one function: far cheaper than its whole file."""
    lines = _lines(code.co_filename)
    first, end = code.co_firstlineno - 1, _last_line(code)
    if code.co_name == "<lambda>" or first >= len(lines):
        return None
    margin = _margin(lines[first])
    while end < len(lines) and (
        not lines[end].strip() or _margin(lines[end]) > margin or lines[end].lstrip()[0] in ")]}"
    ):
        end += 1
    text = "".join(lines[first:end])
    try:
        body = ast.parse(f"if 1:\n{text}" if margin else text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None  # a string or an expression that goes on at the margin
    for node in body[0].body if body and isinstance(body[0], ast.If) else body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == code.co_name:
            return node
    return None


def _parsed_with_its_file(code: CodeType) -> FunctionNode | None:
    names = code.co_varnames[: code.co_argcount]
    candidates = [
        node
        for node in _tree(code.co_filename).functions.get(code.co_firstlineno, ())
        if getattr(node, "name", "<lambda>") == code.co_name
    ]
    for node in candidates:  # two lambdas may share a line
        if tuple(arg.arg for arg in (*node.args.posonlyargs, *node.args.args)) == names:
            return node
    return candidates[0] if candidates else None


@cache
def _lines(path: str) -> list[str]:
    try:
        with tokenize.open(path) as file:
            return file.readlines()
    except (OSError, SyntaxError, ValueError):
        return []


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip())


def _last_line(code: CodeType) -> int:
    last = max((line or 0 for _, _, line in code.co_lines()), default=0)
    inner = (_last_line(each) for each in code.co_consts if isinstance(each, CodeType))
    return max([last, code.co_firstlineno, *inner])


@dataclass(slots=True)
class _Tree:
    """The functions of one source file by first line, its classes' lines by qualified name.

    A first line counts decorators, as ``co_firstlineno`` does.
    """

    functions: dict[int, list[FunctionNode]] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)

    def add(self, node: ast.AST, scope: str) -> None:
        for child in ast.iter_child_nodes(node):
            inner = scope
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                line = min([child.lineno, *(each.lineno for each in child.decorator_list)])
                if isinstance(child, ast.ClassDef):
                    self.classes[f"{scope}{child.name}"] = line
                    inner = f"{scope}{child.name}."
                else:
                    self.functions.setdefault(line, []).append(child)
                    inner = f"{scope}{child.name}.<locals>."
            elif isinstance(child, ast.Lambda):
                self.functions.setdefault(child.lineno, []).append(child)
            self.add(child, inner)


@cache
def _tree(path: str) -> _Tree:
    """What the file ``path`` defines; nothing where it cannot be read or parsed."""
    found = _Tree()
    try:
        found.add(ast.parse("".join(_lines(path))), "")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _Tree()
    return found


@cache
def _shown_path(path: str, base_dir: str) -> str:
    return locate(path, None, base_dir).path


@cache
def is_own(path: str) -> bool:
    """Whether the file ``path`` is the project's: not Python's, not a distribution's."""
    return not is_installed(path)


def is_project_class(cls: type) -> bool:
    """Whether the class is written in the project's own files, or made while it ran."""
    path = _class_file(cls)
    return path is None or is_own(path)


def is_a(value: object, kind: type[T]) -> TypeGuard[T]:
    """``isinstance`` without asking the object: a lazy object would wake up to answer."""
    return issubclass(type(value), kind)


def own_attribute(value: object, name: str) -> object:
    """What the object itself has under ``name``, None if nothing; no descriptor is run."""
    try:
        found: object = object.__getattribute__(value, "__dict__").get(name)
    except AttributeError:
        return None
    return found


def class_attribute(cls: type, name: str) -> object:
    """What the class or its nearest base has under ``name``, unbound, None if nothing."""
    for base in cls.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return None


def cells(function: FunctionType) -> dict[str, object]:
    """The variables that a function closes over, by name."""
    found: dict[str, object] = {}
    if not function.__closure__:
        return found  # most: a large project asks for those of each view several times
    for name, cell in zip(function.__code__.co_freevars, function.__closure__, strict=False):
        with contextlib.suppress(ValueError):  # a cell that was never filled
            found[name] = cell.cell_contents
    return found


def top_package(module: str) -> str:
    """The first part of a dotted module name."""
    return module.partition(".")[0]


def is_stdlib(module: str) -> bool:
    """Whether the module of this name belongs to Python itself."""
    return top_package(module) in sys.stdlib_module_names


def dotted(obj: object) -> str:
    """The dotted path of a function, method, class or instance (of its class)."""
    if isinstance(obj, partial):
        return dotted(obj.func)
    if isinstance(obj, MethodType):
        obj = obj.__func__
    named = obj if isinstance(obj, type | FunctionType | BuiltinFunctionType) else type(obj)
    return f"{named.__module__}.{named.__qualname__}"


def _class_file(cls: type) -> str | None:
    module = sys.modules.get(cls.__module__)
    path = getattr(module, "__file__", None) if isinstance(module, ModuleType) else None
    return path if isinstance(path, str) else None


def _class_line(cls: type, path: str) -> int | None:
    # Python 3.13 and later keep it.
    line = cls.__dict__.get("__firstlineno__")
    if isinstance(line, int):
        return line
    # Parsing is for names that the file uses twice and for classes that may be decorated.
    found = _class_lines(path).get(cls.__name__, [])
    if len(found) == 1 and found[0] > 1 and not _lines(path)[found[0] - 2].strip():
        return found[0]
    return _tree(path).classes.get(cls.__qualname__)


@cache
def _class_lines(path: str) -> dict[str, list[int]]:
    """The lines that look like the head of a class, by its name."""
    found: dict[str, list[int]] = {}
    for number, line in enumerate(_lines(path), 1):
        if match := _CLASS.match(line):
            found.setdefault(match[1], []).append(number)
    return found


def location_of(obj: object, base_dir: str) -> Location | None:
    """Where a function, method or class (or the class of an instance) is defined."""
    if isinstance(obj, partial):
        return location_of(obj.func, base_dir)
    if isinstance(obj, MethodType):
        obj = obj.__func__
    if isinstance(obj, FunctionType):
        code = obj.__code__
        if code.co_filename.startswith("<"):
            return None
        return Location(_shown_path(code.co_filename, base_dir), code.co_firstlineno)
    cls = obj if isinstance(obj, type) else type(obj)
    path = _class_file(cls)
    if path is None or cls.__module__ == "builtins":
        return None
    return Location(_shown_path(path, base_dir), _class_line(cls, path))
