"""Where functions and classes are defined: their dotted paths, lines and syntax trees.

Shared by the modules that look at middleware and views. A file is read and parsed at
most once, and only when something cannot be told from the objects themselves.
"""

from __future__ import annotations

import ast
import contextlib
import sys
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import TypeGuard, TypeVar

from deploytool.project.facts import Location
from deploytool.project.source import is_installed, locate

T = TypeVar("T")

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(slots=True)
class Definitions:
    """The functions of one source file by first line, its classes' lines by qualified name.

    A first line counts decorators, as ``co_firstlineno`` does.
    """

    functions: dict[int, list[FunctionNode]] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)


def _collect(node: ast.AST, scope: str, found: Definitions) -> None:
    for child in ast.iter_child_nodes(node):
        inner = scope
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            line = min([child.lineno, *(each.lineno for each in child.decorator_list)])
            if isinstance(child, ast.ClassDef):
                found.classes[f"{scope}{child.name}"] = line
                inner = f"{scope}{child.name}."
            else:
                found.functions.setdefault(line, []).append(child)
                inner = f"{scope}{child.name}.<locals>."
        elif isinstance(child, ast.Lambda):
            found.functions.setdefault(child.lineno, []).append(child)
        _collect(child, inner, found)


@cache
def definitions(path: str) -> Definitions:
    """What the file ``path`` defines; nothing where it cannot be read or parsed."""
    found = Definitions()
    try:
        # Bytes, so that the parser obeys the file's own encoding declaration.
        _collect(ast.parse(Path(path).read_bytes()), "", found)
    except (OSError, SyntaxError, ValueError, RecursionError):
        return Definitions()
    return found


@cache
def function_node(code: CodeType) -> FunctionNode | None:
    """The syntax tree of the function that ``code`` was compiled from, if it can be found."""
    names = code.co_varnames[: code.co_argcount + code.co_posonlyargcount]
    candidates = [
        node
        for node in definitions(code.co_filename).functions.get(code.co_firstlineno, ())
        if (isinstance(node, ast.Lambda) and code.co_name == "<lambda>")
        or (not isinstance(node, ast.Lambda) and node.name == code.co_name)
    ]
    for node in candidates:  # two lambdas may share a line
        if tuple(arg.arg for arg in (*node.args.posonlyargs, *node.args.args)) == names:
            return node
    return candidates[0] if candidates else None


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
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
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
    name = getattr(obj, "__qualname__", None)
    if not isinstance(name, str):
        obj = type(obj)
        name = obj.__qualname__
    module = getattr(obj, "__module__", None)
    return f"{module}.{name}" if isinstance(module, str) else name


def _class_file(cls: type) -> str | None:
    module = sys.modules.get(cls.__module__)
    path = getattr(module, "__file__", None) if isinstance(module, ModuleType) else None
    return path if isinstance(path, str) else None


def _class_line(cls: type, path: str) -> int | None:
    # Python 3.13 and later keep it; before that the file has to be parsed.
    line = cls.__dict__.get("__firstlineno__")
    if isinstance(line, int):
        return line
    return definitions(path).classes.get(cls.__qualname__)


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
