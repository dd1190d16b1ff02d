"""What the names in a function's source stand for, without running it.

Names are resolved to run-time objects where they lead to one (globals, closures, modules,
attributes of classes), and to the expressions that were assigned to them where they are local.
"""

from __future__ import annotations

import ast
import builtins
import functools
import sys
from dataclasses import dataclass
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, NamedTuple

from django.utils import functional

from deploytool.project.candidates import module_spec
from deploytool.project.definitions import (
    FunctionNode,
    cells,
    class_attribute,
    function_node,
    is_a,
    own_attribute,
)
from deploytool.project.probe.text import parsed
from deploytool.project.source import is_installed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Steps from a name to what it stands for before giving up.
_FUEL = 25


@dataclass(frozen=True, slots=True)
class Parameter:
    """The value of a parameter: known only where the function is called."""

    name: str


@dataclass(frozen=True, slots=True)
class Instance:
    """Some instance of a class; ``after`` is the class that ``super()`` starts behind."""

    cls: type
    after: type | None = None

    def attribute(self, name: str) -> object:
        """What its class has under ``name``, unbound, None if nothing."""
        mro = self.cls.__mro__
        start = mro.index(self.after) + 1 if self.after in mro else 0
        return next((base.__dict__[name] for base in mro[start:] if name in base.__dict__), None)


@dataclass(frozen=True, slots=True)
class Bound:
    """A function whose first argument is already given: a method of ``owner``."""

    function: FunctionType
    owner: type


@dataclass(frozen=True, slots=True)
class Local:
    """A function that is known by its source alone, such as one defined inside another."""

    node: FunctionNode


def functions_of(value: object) -> Iterator[FunctionType]:
    """The functions behind a function, method, descriptor or partial: outermost first,
    then those that they wrap."""
    for _ in range(_FUEL):
        if value is None or is_a(value, type):
            return
        if is_a(value, FunctionType):
            yield value
            value = value.__dict__.get("__wrapped__")
        elif is_a(value, staticmethod) or is_a(value, classmethod) or is_a(value, MethodType):
            value = value.__func__
        elif is_a(value, property):
            value = value.fget
        elif is_a(value, functools.partial) or is_a(value, functools.cached_property):
            value = value.func
        elif is_a(value, functional.cached_property):
            value = own_attribute(value, "real_func")
        else:
            value = own_attribute(value, "__wrapped__")


def local_module(name: str, namespace: Mapping[str, object]) -> ModuleType | None:
    """The loaded module that an import inside a function means by ``name``, if any."""
    package = str(namespace.get("__package__") or "")
    while True:
        found = sys.modules.get(f"{package}.{name}" if package else name)
        if is_a(found, ModuleType) or not package:
            return found
        package = package.rpartition(".")[0]


def _unloaded(node: ast.ImportFrom, name: str, namespace: Mapping[str, object]) -> Local | None:
    """The function that an import inside a function would bring from a project's module.

    Such imports stand there because the module is slow to load or must not be loaded
    yet; its text says enough.
    """
    package = str(namespace.get("__package__") or "").split(".")
    around = package[: len(package) - node.level + 1] if node.level else []
    spec = module_spec(".".join(filter(None, [*around, node.module])))
    if spec is None or spec.origin is None or is_installed(spec.origin):
        return None
    tree = parsed(spec.origin)
    for each in tree.body if tree else ():
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name == name:
            return Local(each)
    return None


# The conditional statements around a node, outermost first: each with the branch of it.
_Branch = tuple[tuple[ast.AST, str], ...]

_BRANCHES = {
    ast.If: ("body", "orelse"),
    ast.For: ("body", "orelse"),
    ast.AsyncFor: ("body", "orelse"),
    ast.While: ("body", "orelse"),
    ast.Try: ("handlers",),
    ast.Match: ("cases",),
}


class _Assigned(NamedTuple):
    """A value given to a local variable: where the assignment ends, and in which branch."""

    end: tuple[int, int]
    value: ast.expr
    branch: _Branch


def _in_order(node: ast.AST, branch: _Branch) -> Iterator[tuple[ast.AST, _Branch]]:
    """The nodes below one in the order of the source, each with its branch."""
    yield node, branch
    conditional = _BRANCHES.get(type(node), ())
    for name, value in ast.iter_fields(node):
        inner = (*branch, (node, name)) if name in conditional else branch
        for child in value if isinstance(value, list) else [value]:
            # Contexts (ast.Load) are shared between nodes, and mean nothing here.
            if isinstance(child, ast.AST) and not isinstance(child, ast.expr_context):
                yield from _in_order(child, inner)


class Scope:
    """The names of one function, as its body sees them.

    Functions defined inside share the names of the one around them: close enough, as the
    question is what an expression is likely to be.
    """

    def __init__(self, function: FunctionType, owner: type | None) -> None:
        self.function = function
        self.owner = owner
        self.node = function_node(function.__code__)
        self.parameters: list[str] = []
        self._closure = cells(function)
        self._assigned: dict[str, list[_Assigned]] = {}
        self._branches: dict[ast.AST, _Branch] = {}
        self._objects: dict[str, object] = {}
        self.body: list[ast.AST] = []
        if self.node is not None:
            arguments = self.node.args
            self.parameters = [arg.arg for arg in (*arguments.posonlyargs, *arguments.args)]
            keywords = [arg.arg for arg in arguments.kwonlyargs]
            self._objects = {name: Parameter(name) for name in (*self.parameters, *keywords)}
            if owner is not None and self.parameters and not self._is_static():
                self._objects[self.parameters.pop(0)] = Instance(owner)
            statements = self.node.body if isinstance(self.node.body, list) else [self.node.body]
            for each in statements:
                self._branches.update(_in_order(each, ()))
            self.body = list(self._branches)
            for node in self.body:
                self._note(node)

    def _is_static(self) -> bool:
        name = self.function.__name__
        return self.owner is not None and is_a(class_attribute(self.owner, name), staticmethod)

    def _note(self, node: ast.AST) -> None:
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                self._assign(target, node.value, node)
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            self._assign(node.optional_vars, node.context_expr, node.context_expr)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self._objects[node.name] = Local(node)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            self._import(node)

    def _assign(
        self, target: ast.expr, value: ast.expr | None, statement: ast.expr | ast.stmt
    ) -> None:
        if isinstance(target, ast.Name) and value is not None:
            end = (statement.end_lineno or 0, statement.end_col_offset or 0)
            assigned = _Assigned(end, value, self._branches[target])
            self._assigned.setdefault(target.id, []).append(assigned)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        namespace = self.function.__globals__
        for alias in node.names:
            if isinstance(node, ast.Import):
                shown = alias.asname or alias.name.partition(".")[0]
                self._objects[shown] = sys.modules.get(alias.name if alias.asname else shown)
                continue
            module = local_module(node.module or "", namespace) if node.module else None
            if module is None:  # from . import name
                found: object = local_module(alias.name, namespace)
            else:
                found = vars(module).get(
                    alias.name, local_module(f"{node.module}.{alias.name}", namespace)
                )
            if found is None and module is None:
                found = _unloaded(node, alias.name, namespace)
            self._objects[alias.asname or alias.name] = found

    def sources(self, node: ast.expr) -> list[ast.expr]:
        """The expressions that one takes its value from, the likeliest first: what was
        assigned to a local variable above its place, the branches of a condition, what is
        awaited."""
        if isinstance(node, ast.Await | ast.NamedExpr):
            return [node.value]
        if isinstance(node, ast.IfExp):
            return [node.body, node.orelse]
        if isinstance(node, ast.BoolOp):
            return node.values
        found: list[ast.expr] = []
        if isinstance(node, ast.Name):
            place, branch = (node.lineno, node.col_offset), self._branches.get(node, ())
            for assigned in reversed(self._assigned.get(node.id, ())):
                if assigned.end <= place:
                    found.append(assigned.value)
                    if assigned.branch == branch[: len(assigned.branch)]:
                        break  # always passed on the way here: nothing older matters
        return found

    def resolve(self, node: ast.expr, fuel: int = _FUEL) -> object:
        """What an expression stands for: a run-time object, or one of this module's
        classes; None where it cannot be told."""
        if fuel == 0:
            return None
        sources = self.sources(node)
        if sources:
            found = (self.resolve(each, fuel - 1) for each in sources)
            return next((each for each in found if each is not None), None)
        if isinstance(node, ast.Attribute):
            return attribute(self.resolve(node.value, fuel - 1), node.attr)
        if isinstance(node, ast.Call):
            return self._call(node, fuel)
        if isinstance(node, ast.Name):
            return self._name(node.id)
        return Local(node) if isinstance(node, ast.Lambda) else None

    def _name(self, name: str) -> object:
        for namespace in (self._objects, self._closure, self.function.__globals__):
            if name in namespace:
                return namespace[name]
        return getattr(builtins, name, None)

    def _call(self, node: ast.Call, fuel: int) -> object:
        if isinstance(node.func, ast.Name) and node.func.id == "super" and self.owner is not None:
            return Instance(self.owner, after=self._defining_class())
        called = self.resolve(node.func, fuel - 1)
        if node.args and _is_transparent(called):
            return self.resolve(node.args[0], fuel - 1)
        return Instance(called) if is_a(called, type) else None

    def _defining_class(self) -> type | None:
        found = self._closure.get("__class__")  # what super() without arguments uses
        return found if isinstance(found, type) else self.owner


def _is_transparent(called: object) -> bool:
    """Whether the result of a call is called as its first argument would be."""
    if called is functools.partial:
        return True
    # asgiref's two, and channels' database_sync_to_async
    return is_a(called, FunctionType) and called.__name__.endswith(
        ("sync_to_async", "async_to_sync")
    )


def attribute(base: object, name: str) -> object:
    """What ``base.name`` stands for, without running a descriptor."""
    if is_a(base, ModuleType):
        return vars(base).get(name)
    if is_a(base, Instance):
        return _bind(base.attribute(name), base.cls, of_class=False)
    if is_a(base, type):
        return _bind(class_attribute(base, name), base, of_class=True)
    if base is None or is_a(base, Parameter) or is_a(base, Local) or is_a(base, Bound):
        return None
    own = own_attribute(base, name)
    if own is not None:
        return own
    return _bind(class_attribute(type(base), name), type(base), of_class=False)


def _bind(found: object, owner: type, *, of_class: bool) -> object:
    if is_a(found, staticmethod):
        return found.__func__
    functions = list(functions_of(found))
    if not functions or is_a(found, functools.partial):
        return found
    if is_a(found, FunctionType) and of_class:
        return found
    if is_a(found, property) or type(found).__name__ == "cached_property":
        return found
    return Bound(functions[-1], owner)
