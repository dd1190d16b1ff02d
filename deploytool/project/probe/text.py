"""Source text of the objects that are inspected: parsed once, found again by line."""

from __future__ import annotations

import ast
import os
import sys
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from .dispatch import Function, is_function

if TYPE_CHECKING:
    from types import FunctionType

_STDLIB = str(Path(ast.__file__).parent) + os.sep
_INSTALLED = ("site-packages", "dist-packages")


@cache
def parsed(path: str) -> ast.Module | None:
    """The syntax tree of a file, None where it cannot be read or parsed."""
    try:
        text = Path(path).read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def is_project(path: str) -> bool:
    """Whether a file is the project's own rather than Python's or a distribution's.

    A quick test that needs no import; the inspecting process decides again.
    """
    if path.startswith(("<", _STDLIB)):
        return False
    return not any(part in _INSTALLED for part in Path(path).parts)


def project_files() -> list[str]:
    """The files of the project's modules that are imported so far."""
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    return sorted({f for f in files if isinstance(f, str) and f.endswith(".py") and is_project(f)})


def definition(function: FunctionType) -> Function | None:
    """The ``def`` that made ``function``, None where its source is not at hand."""
    code = function.__code__
    tree = parsed(code.co_filename)
    for node in ast.walk(tree) if tree else ():
        if is_function(node) and node.name == code.co_name:
            first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
            if code.co_firstlineno in (first, node.lineno):
                return node
    return None
