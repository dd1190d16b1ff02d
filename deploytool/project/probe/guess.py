"""What an application that cannot be looked into would answer, by its source text alone."""

from __future__ import annotations

import ast
from typing import NamedTuple

from .dispatch import Reader, is_function, parameters
from .inner import PROTOCOLS, ordered


class Guess(NamedTuple):
    """Scope types that the text shows an answer to, and whether Socket.IO is in it."""

    protocols: tuple[str, ...]
    socketio: bool


def guess(tree: ast.AST, attribute: str | None = None) -> Guess:
    """Read protocols from ``tree``: routers' literals, builders, and dispatching functions.

    ``attribute`` is the name of the application where it is known.
    """
    routed: set[str] = set()
    found: set[str] = set()
    socketio = False
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            routed |= _protocol_keys(node)
        elif isinstance(node, ast.Call):
            name = _last_name(node.func)
            if name in {"get_asgi_application", "get_wsgi_application"}:
                found.add("http")
            elif name in {"ASGIApp", "WSGIApp"}:
                found |= {"http", "websocket"}
                socketio = True
            elif name in {"FastAPI", "Starlette"}:
                found |= {"http", "lifespan"}
            elif name in {"websocket", "websocket_route", "add_websocket_route"}:
                found.add("websocket")
        elif is_function(node) and (attribute is None or node.name == attribute):
            found |= _dispatched(node)
    # A router answers what its literal names and nothing else
    answered = routed | (found - {"http"}) if routed else found
    return Guess(ordered(answered), socketio)


def _protocol_keys(node: ast.Dict) -> set[str]:
    keys = {k.value for k in node.keys if isinstance(k, ast.Constant) and isinstance(k.value, str)}
    constant = any(isinstance(value, ast.Constant) for value in node.values)
    # Not {"http": ..., "https": ...}, which is a dictionary of proxies
    router = "websocket" in keys or (keys and keys <= set(PROTOCOLS))
    return keys if router and not constant else set()


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _dispatched(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    arguments = [a.arg for a in [*node.args.posonlyargs, *node.args.args]]
    bound = arguments[:1] in (["self"], ["cls"])
    if len(arguments) - bound < 3 and not node.args.vararg:
        return set()
    reader = Reader(node, parameters(node, bound=bound))
    answered: set[str] = set()
    for answer in reader.answers:
        answered |= answer.types & (reader.explicit | {"http"})
    return answered
