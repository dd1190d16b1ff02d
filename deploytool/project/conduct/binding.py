"""What a call passes for the parameters of a function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploytool.project.conduct.values import Keywords, Known, Many, Unknown, Value

if TYPE_CHECKING:
    import types
    from collections.abc import Sequence

    from deploytool.project.definitions import FunctionNode

    Pairs = Sequence[tuple[str, Value]]


def first_line(node: FunctionNode) -> int:
    """The line that ``co_firstlineno`` counts from: the first decorator's, if there is one."""
    lines = [each.lineno for each in getattr(node, "decorator_list", ())]
    return int(min([node.lineno, *lines]))


def defaults(function: types.FunctionType) -> dict[str, Value]:
    """The parameters that need not be passed, with what they are then."""
    code = function.__code__
    names = code.co_varnames[: code.co_argcount]
    given = function.__defaults__ or ()
    found = dict(zip(names[len(names) - len(given) :], map(Known, given), strict=True))
    found.update({name: Known(each) for name, each in (function.__kwdefaults__ or {}).items()})
    return dict(found)


def bound(
    node: FunctionNode, args: Sequence[Value], keywords: Pairs, defaults: dict[str, Value]
) -> dict[str, Value]:
    """The parameters of a function and what a call passes for them."""
    named = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)]
    every = [*named, *(arg.arg for arg in node.args.kwonlyargs)]
    found: dict[str, Value] = {name: defaults.get(name, Unknown()) for name in every}
    found.update(zip(named, args, strict=False))
    if node.args.vararg is not None:
        found[node.args.vararg.arg] = Many(tuple(args[len(named) :]))
    rest = []
    for name, value in keywords:
        if name in found:
            found[name] = value
        else:
            rest.append((name, value))
    if node.args.kwarg is not None:
        found[node.args.kwarg.arg] = Keywords(tuple(rest))
    return found
