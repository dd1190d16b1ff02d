"""Gunicorn's configuration file: Python, read by its syntax tree and never executed.

Assignments at the top of the module (also under ``if``, whose values are then open), with
constants, simple arithmetic and ``os.environ.get()``; everything else is an option whose value
is only known when it runs. Which file is read, and what wins over it: Gunicorn's documentation,
"Configuration Overview".
"""

from __future__ import annotations

import ast
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploytool.project.stack.facts import Option
from deploytool.project.stack.options import GUNICORN
from deploytool.project.stack.words import split_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deploytool.project.stack.facts import Launch
    from deploytool.project.stack.repository import DeployFile

_HOOKS = frozenset(
    {
        *("on_starting", "on_reload", "when_ready", "pre_fork", "post_fork", "post_worker_init"),
        *("worker_int", "worker_abort", "pre_exec", "pre_request", "post_request", "child_exit"),
        *("worker_exit", "nworkers_changed", "on_exit", "ssl_context"),
    }
)
_NAMES = frozenset(
    {GUNICORN.name(long) for long in (*GUNICORN.values, *GUNICORN.switches)}
    - {"config", "version", "help", "no_sendfile"}
    | {"wsgi_app", "sendfile", "tmp_upload_dir", "secure_scheme_headers", "logconfig_dict"}
    | {"raw_paste_global_conf", "uwsgi_allow_ips", "syslog", "syslog_addr", "default_proc_name"}
)


@dataclass(frozen=True, slots=True)
class GunicornConf:
    """A configuration file: the settings that it assigns, and the hooks that it defines.

    ``error`` says why Gunicorn cannot read it. ``cpu_count`` are the settings that the number
    of CPUs decides.
    """

    path: str
    options: tuple[Option, ...] = ()
    hooks: tuple[Option, ...] = ()
    cpu_count: tuple[Option, ...] = ()
    error: str = ""
    error_line: int | None = None
    opaque: bool = False


def read_gunicorn_conf(file: DeployFile, env: Mapping[str, str] | None = None) -> GunicornConf:
    """What the configuration file says, for a process with ``env`` in its environment."""
    try:
        tree = ast.parse(file.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        return GunicornConf(file.path, error=f"{type(error).__name__}: {error}", error_line=line)
    reader = _Reader(file, dict(env or {}))
    reader.body(tree.body, certain=True)
    return GunicornConf(
        file.path,
        tuple(reader.options.values()),
        tuple(reader.hooks),
        tuple(option for name, option in reader.options.items() if name in reader.counted),
        opaque=reader.opaque,
    )


def command_arguments(text: str, launch: Launch) -> list[Option]:
    """The options in ``$GUNICORN_CMD_ARGS``."""
    try:
        shlex.split(text)
    except ValueError:
        return []
    given, _ = GUNICORN.read(split_words(text))
    return [
        Option(option.name, str(option.value), launch.place, "env", "$GUNICORN_CMD_ARGS")
        for option in given
    ]


class _UnknownError(Exception):
    """An expression whose value only running it would show."""


class _Reader:
    def __init__(self, file: DeployFile, env: dict[str, str]) -> None:
        self.options: dict[str, Option] = {}
        self.hooks: list[Option] = []
        self.counted: set[str] = set()
        self.opaque = False
        self._file = file
        self._env = env
        self._values: dict[str, object] = {}
        self._counting: set[str] = set()

    def body(self, statements: list[ast.stmt], *, certain: bool) -> None:
        for node in statements:
            if isinstance(node, ast.If | ast.Try | ast.With | ast.For | ast.While):
                for field in ("body", "orelse", "finalbody"):
                    self.body(getattr(node, field, []), certain=False)
                for handler in getattr(node, "handlers", []):
                    self.body(handler.body, certain=False)
            else:
                self._statement(node, certain=certain)

    def _statement(self, node: ast.stmt, *, certain: bool) -> None:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    self._assign(target.id, node.value, certain=certain)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            self._assign(node.target.id, node.value, certain=False)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name in _HOOKS:
                place = self._file.at(node.lineno)
                self.hooks.append(Option(node.name, None, place, "file"))
            elif node.name in _NAMES:
                self._assign(node.name, ast.Constant(None), certain=False, line=node.lineno)
        elif isinstance(node, ast.ImportFrom):
            self.opaque = self.opaque or any(alias.name == "*" for alias in node.names)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            name = ast.unparse(node.value.func)
            # exec(open(...).read()), globals().update(...), locals()[...]
            self.opaque = self.opaque or name in {"exec", "globals().update", "vars().update"}

    def _assign(self, name: str, node: ast.expr, *, certain: bool, line: int | None = None) -> None:
        counted = any(self._counts(inner) for inner in ast.walk(node))
        (self._counting.add if counted else self._counting.discard)(name)
        try:
            value: object = self._value(node)
            known = certain
        except (_UnknownError, ArithmeticError, TypeError, ValueError):
            value, known = None, False
        if known:
            self._values[name] = value
        else:
            self._values.pop(name, None)
        if name not in _NAMES and name not in _HOOKS:
            return
        place = self._file.at(line or node.lineno)
        written = ast.unparse(node)
        option = Option(name, _text(value) if known else None, place, "file", written)
        if name in _HOOKS:
            self.hooks.append(option)
            return
        self.options[name] = option
        (self.counted.add if counted else self.counted.discard)(name)

    def _counts(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Name):
            return node.id in self._counting
        return isinstance(node, ast.Call) and ast.unparse(node.func).rsplit(".", 1)[-1] in {
            "cpu_count",
            "process_cpu_count",
        }

    def _value(self, node: ast.expr) -> object:  # noqa: C901 - one form of expression a line
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            if node.id in self._values:
                return self._values[node.id]
            raise _UnknownError
        if isinstance(node, ast.List | ast.Tuple):
            return [self._value(each) for each in node.elts]
        if isinstance(node, ast.JoinedStr):
            parts = [
                part.value if isinstance(part, ast.FormattedValue) else part for part in node.values
            ]
            return "".join(str(self._value(part)) for part in parts)
        if isinstance(node, ast.BinOp):
            return self._arithmetic(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            number = self._value(node.operand)
            if isinstance(number, int | float):
                return -number
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            return self._variable(self._value(node.slice))
        raise _UnknownError

    def _arithmetic(self, node: ast.BinOp) -> object:
        left, right = self._value(node.left), self._value(node.right)
        if isinstance(node.op, ast.Add) and isinstance(left, str) and isinstance(right, str):
            return left + right
        if not isinstance(left, int | float) or not isinstance(right, int | float):
            raise _UnknownError
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.FloorDiv):
            return left // right
        raise _UnknownError

    def _call(self, node: ast.Call) -> object:
        name = ast.unparse(node.func)
        arguments = list(node.args)
        if name in {"os.environ.get", "os.getenv", "getenv", "environ.get"} and arguments:
            return self._variable(self._value(arguments[0]))
        if name in {"int", "str", "float"} and len(arguments) == 1:
            value = self._value(arguments[0])
            if isinstance(value, int | float | str):
                return {"int": int, "str": str, "float": float}[name](value)
        raise _UnknownError

    def _variable(self, name: object) -> object:
        # A default counts for nothing: whoever starts the process may set the variable.
        if isinstance(name, str) and name in self._env:
            return self._env[name]
        raise _UnknownError


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(map(str, value))
    return "" if value is None else str(value)


def invalid(options: tuple[Option, ...]) -> Iterator[tuple[Option, str]]:
    """Settings whose value Gunicorn refuses, with the reason (gunicorn.config, validators)."""
    for option in options:
        if option.name in _NUMBERS and option.value is not None and option.value != "":
            try:
                number = int(option.value, 0)
            except ValueError:
                yield option, "has to be a whole number"
            else:
                if number < 0:
                    yield option, "cannot be negative"


_NUMBERS = frozenset(
    {
        *("backlog", "workers", "threads", "worker_connections", "max_requests"),
        *("max_requests_jitter", "timeout", "graceful_timeout", "keepalive"),
    }
)
