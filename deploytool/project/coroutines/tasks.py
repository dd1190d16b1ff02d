"""Tasks that the project's coroutines start and nobody holds or waits for."""

from __future__ import annotations

import ast
import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from deploytool.project.coroutines.frames import own_nodes
from deploytool.project.coroutines.roots import Roots
from deploytool.project.coroutines.values import Live
from deploytool.project.definitions import is_a
from deploytool.project.source import locate
from deploytool.project.views import walk_routes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.project.coroutines.frames import Frame
    from deploytool.project.coroutines.roots import Root
    from deploytool.project.facts import Location, Project

_STARTS = (asyncio.create_task, asyncio.ensure_future)
# What gives the event loop, whose own create_task() does the same.
_LOOPS = (asyncio.get_running_loop, asyncio.get_event_loop)
_CODE = 60  # characters of an expression that are shown


@dataclass(frozen=True, slots=True)
class LeftTask:
    """A task that ``root`` starts and does not wait for.

    ``held`` is False where nothing keeps a reference to it either.
    """

    code: str
    location: Location
    root: str
    kind: Literal["view", "middleware", "consumer"]
    held: bool


def left_tasks(project: Project) -> tuple[LeftTask, ...]:
    """The tasks that async views, middleware and consumers leave behind, by their source."""
    roots = Roots()
    callbacks = {id(callback): callback for _, callback in walk_routes(project.base_dir)}
    for callback in callbacks.values():
        with suppress(Exception):  # an object that answers questions with errors
            roots.view(callback, None)
    for entry in project.middleware:
        with suppress(Exception):
            roots.middleware(entry)
    roots.consumers(project.entrypoints)
    found = (task for root in roots.found for task in _tasks(root, project.base_dir))
    return tuple({task.location: task for task in found}.values())


def _tasks(root: Root, base_dir: str) -> Iterator[LeftTask]:
    if root.kind == "stream":
        return
    nodes = list(own_nodes(root.frame.node.body))
    for node in nodes:
        if isinstance(node, ast.Expr):
            call, held = node.value, False
        elif isinstance(node, ast.Assign) and len(node.targets) == 1:
            call, held = node.value, True
            target = node.targets[0]
            if not isinstance(target, ast.Name) or _is_waited_for(target.id, nodes):
                continue
        else:
            continue
        if isinstance(call, ast.Call) and _starts(call, root.frame):
            code = " ".join(ast.unparse(call).split())
            path = root.frame.scope.function.__code__.co_filename
            yield LeftTask(
                code if len(code) <= _CODE else code[: _CODE - 1] + "…",
                locate(path, root.frame.line(node), base_dir),
                root.name,
                root.kind,
                held,
            )


def _starts(call: ast.Call, frame: Frame) -> bool:
    called = frame.value(call.func)
    if is_a(called, Live) and called.value in _STARTS:
        return True
    function = call.func
    if not isinstance(function, ast.Attribute) or function.attr != "create_task":
        return False
    sources = frame.scope.sources(function.value) or [function.value]
    source = sources[0]
    made = frame.value(source.func) if isinstance(source, ast.Call) else None
    return is_a(made, Live) and made.value in _LOOPS


def _is_waited_for(name: str, nodes: list[ast.AST]) -> bool:
    """Whether a task is awaited, or given to something that is, or leaves the function."""
    return any(
        isinstance(inner, ast.Name) and inner.id == name
        for node in nodes
        if isinstance(node, ast.Await | ast.Return | ast.Yield | ast.AsyncFor | ast.AsyncWith)
        for inner in ast.walk(node)
    )
