"""Where the project's own code uses a channel layer: in a consumer, a view, a task, a command.

Read from the source: tasks and commands run in processes of their own, and nothing of them
need be loaded here.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal

from deploytool.project.sources import own_sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.project.facts import Location
    from deploytool.project.sources import Source

_GETTER = "get_channel_layer"
# Channels' documentation, "Channel Layers": the methods that reach other consumers.
_METHODS = {"group_send", "group_add"}
# Decorators that make a function the work of another process: Django's tasks, Celery, RQ,
# Huey, Dramatiq, django-background-tasks.
_TASKS = {"task", "shared_task", "job", "db_task", "periodic_task", "db_periodic_task", "actor"}
_TASKS |= {"background"}
_GUARD = re.compile(r"\bif (not )?self\.channel_layer\b")


@dataclass(frozen=True, slots=True)
class LayerUse:
    """A function that uses the layer ``alias``, and in which process it runs.

    ``attribute`` is True where it is a consumer's ``self.channel_layer``, which is None where
    no layer is configured, and the file does not ask whether it is.
    """

    alias: str
    process: Literal["server", "task", "command"]
    location: Location
    attribute: bool = False


def layer_uses(base_dir: str) -> tuple[LayerUse, ...]:
    """Every use of a channel layer in the project's own code, in the order of its files."""
    return tuple(
        use
        for source in own_sources(base_dir)
        if source.mentions(_GETTER, *_METHODS, "groups", "channel_layer")
        for use in _uses(source)
    )


def _uses(source: Source) -> Iterator[LayerUse]:
    command = PurePath(source.path).parts[-3:-1] == ("management", "commands")
    yield from _Visit(source, command).node(source.tree, "server", "default")


class _Visit:
    """A walk through one file that knows which class and which function it is in."""

    def __init__(self, source: Source, command: bool) -> None:
        self._source = source
        self._command = command
        self._guarded = _GUARD.search(source.text) is not None

    def node(
        self, node: ast.AST, process: Literal["server", "task"], alias: str
    ) -> Iterator[LayerUse]:
        """The uses in ``node``, which runs in ``process``; ``alias`` is its consumer's layer."""
        for child in ast.iter_child_nodes(node):
            inner, layer = process, alias
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                if any(_last_name(each) in _TASKS for each in child.decorator_list):
                    inner = "task"
            elif isinstance(child, ast.ClassDef):
                layer = _class_alias(child)
                if groups := _groups(child):
                    yield self._use(layer, inner, groups, attribute=True)
            elif isinstance(child, ast.Call) and (found := _called(child, alias)):
                yield self._use(found[0], inner, child, attribute=found[1])
            yield from self.node(child, inner, layer)

    def _use(
        self,
        alias: str,
        process: Literal["server", "task"],
        node: ast.expr | ast.stmt,
        *,
        attribute: bool,
    ) -> LayerUse:
        where: Literal["server", "task", "command"] = "command" if self._command else process
        return LayerUse(alias, where, self._source.at(node), attribute and not self._guarded)


def _called(node: ast.Call, alias: str) -> tuple[str, bool] | None:
    """The alias that a call uses, and whether it is a consumer's own layer; None for others."""
    if _last_name(node.func) == _GETTER:
        named = [*node.args, *(each.value for each in node.keywords)]
        if not named:
            return "default", False
        key = named[0]
        return (str(key.value), False) if isinstance(key, ast.Constant) else None
    # async_to_sync(self.channel_layer.group_add)(...) names the method without calling it.
    for part in (node.func, *node.args):
        if isinstance(part, ast.Attribute) and part.attr in _METHODS:
            owner = part.value
            if isinstance(owner, ast.Attribute) and owner.attr == "channel_layer":
                return alias, isinstance(owner.value, ast.Name) and owner.value.id == "self"
    return None


def _class_alias(node: ast.ClassDef) -> str:
    value = _assigned(node, "channel_layer_alias")
    return str(value.value) if isinstance(value, ast.Constant) else "default"


def _groups(node: ast.ClassDef) -> ast.expr | None:
    """A consumer's ``groups``, which Channels joins it to when it connects."""
    if not any("Consumer" in _last_name(base) for base in node.bases):
        return None
    value = _assigned(node, "groups")
    return value if isinstance(value, ast.List | ast.Tuple) and value.elts else None


def _assigned(node: ast.ClassDef, name: str) -> ast.expr | None:
    for each in node.body:
        targets = each.targets if isinstance(each, ast.Assign) else []
        if isinstance(each, ast.AnnAssign):
            targets = [each.target]
        if isinstance(each, ast.Assign | ast.AnnAssign) and any(
            isinstance(target, ast.Name) and target.id == name for target in targets
        ):
            return each.value
    return None


def _last_name(node: ast.expr) -> str:
    """``task`` of ``@app.task(bind=True)``."""
    if isinstance(node, ast.Call):
        return _last_name(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
