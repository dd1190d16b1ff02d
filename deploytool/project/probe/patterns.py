"""The strings in literals and in the patterns of ``match``, read from the source."""

from __future__ import annotations

import ast


def is_string(node: ast.expr, value: str) -> bool:
    """Whether ``node`` is the literal ``value``."""
    return isinstance(node, ast.Constant) and node.value == value


def strings(node: ast.expr) -> set[str]:
    """The string, or the strings of a literal sequence, that ``node`` is."""
    if isinstance(node, ast.Constant):
        return {node.value} if isinstance(node.value, str) else set()
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        return set().union(*map(strings, node.elts)) if node.elts else set()
    if isinstance(node, ast.Call) and len(node.args) == 1:  # frozenset({...})
        return strings(node.args[0])
    return set()


def pattern_strings(pattern: ast.pattern) -> set[str]:
    """The strings that ``case "...":`` takes, none where it takes something else."""
    if isinstance(pattern, ast.MatchValue):
        return strings(pattern.value)
    if isinstance(pattern, ast.MatchOr):
        return set().union(*map(pattern_strings, pattern.patterns))
    if isinstance(pattern, ast.MatchAs) and pattern.pattern is not None:
        return pattern_strings(pattern.pattern)
    return set()


def mapped(pattern: ast.pattern, wanted: str) -> set[str]:
    """The strings that the mapping pattern ``{wanted: ...}`` takes."""
    if isinstance(pattern, ast.MatchOr):
        inner = [mapped(each, wanted) for each in pattern.patterns]
        return set().union(*inner) if all(inner) else set()
    if isinstance(pattern, ast.MatchAs) and pattern.pattern is not None:
        return mapped(pattern.pattern, wanted)
    if isinstance(pattern, ast.MatchMapping):
        for key, value in zip(pattern.keys, pattern.patterns, strict=True):
            if is_string(key, wanted):
                return pattern_strings(value)
    return set()


def path_pattern(pattern: ast.pattern) -> str:
    """The one path that ``case {"path": "/..."}`` takes."""
    paths = mapped(pattern, "path")
    return next(iter(paths)) if len(paths) == 1 else ""


def takes_all(pattern: ast.pattern) -> bool:
    """Whether ``pattern`` is ``_`` or a name, which nothing gets by."""
    return isinstance(pattern, ast.MatchAs) and pattern.pattern is None


def tested_path(test: ast.expr) -> str:
    """The literal of a ``startswith("/...")`` or a ``["path"] == "/..."`` within ``test``."""
    for node in ast.walk(test):
        if (
            isinstance(node, ast.Compare)
            and isinstance(node.ops[0], ast.Eq)
            and isinstance(node.left, ast.Subscript)
            and is_string(node.left.slice, "path")
        ):
            return next(iter(strings(node.comparators[0])), "")
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "startswith"
            and node.args
        ):
            for text in sorted(strings(node.args[0])):
                if text.startswith("/"):
                    return text
    return ""


def message_type(node: ast.expr) -> str:
    """The type of the message that a literal dictionary is, else nothing."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if key is not None and is_string(key, "type") and isinstance(value, ast.Constant):
                return str(value.value)
    return ""
