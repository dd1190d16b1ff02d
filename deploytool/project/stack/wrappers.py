"""Programs that run another one in their place: where the command that they run begins.

``exec``, ``env``, ``poetry run``, ``uv run``, ``python -m``, ``tini --``, ``gosu USER`` and
their like. What is not known here is a command of its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploytool.project.stack.words import Word, assignment

if TYPE_CHECKING:
    from collections.abc import Sequence

SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh"})
"""Shells, which are not wrappers: they read a script."""

# Name of the program: options of it that take a value, and how many words stand before the
# command.
_PLAIN: dict[str, tuple[frozenset[str], int]] = {
    "exec": (frozenset({"-a"}), 0),
    "command": (frozenset(), 0),
    "nohup": (frozenset(), 0),
    "time": (frozenset(), 0),
    "nice": (frozenset({"-n"}), 0),
    "ionice": (frozenset({"-c", "-n"}), 0),
    "setsid": (frozenset(), 0),
    "stdbuf": (frozenset({"-i", "-o", "-e"}), 0),
    "timeout": (frozenset({"-k", "-s"}), 1),
    "unbuffer": (frozenset(), 0),
    "catchsegv": (frozenset(), 0),
    "tini": (frozenset({"-p", "-e"}), 0),
    "docker-init": (frozenset({"-p", "-e"}), 0),
    "catatonit": (frozenset(), 0),
    "dumb-init": (frozenset({"-r", "--rewrite"}), 0),
    "gosu": (frozenset(), 1),
    "su-exec": (frozenset(), 1),
    "setuidgid": (frozenset(), 1),
    "chpst": (frozenset({"-u", "-e", "-m"}), 0),
    "setpriv": (frozenset({"--reuid", "--regid"}), 0),
    "runuser": (frozenset({"-u", "-g"}), 0),
    "sudo": (frozenset({"-u", "-g"}), 0),
    "envdir": (frozenset(), 1),
    "with-contenv": (frozenset(), 0),
    "s6-setuidgid": (frozenset(), 1),
    "ddtrace-run": (frozenset(), 0),
    "sentry-cli": (frozenset(), 2),
    "opentelemetry-instrument": (
        frozenset({"--traces_exporter", "--metrics_exporter", "--logs_exporter", "--service_name"}),
        0,
    ),
    "dockerize": (
        frozenset({"-wait", "-timeout", "-template", "-stdout", "-stderr", "-wait-retry-interval"}),
        0,
    ),
}

# Programs with a word of their own before the command: ``poetry run``, ``uv run``.
_SUBCOMMANDS: dict[str, tuple[str, frozenset[str]]] = {
    "poetry": ("run", frozenset({"-C", "--directory", "-P", "--project"})),
    "pipenv": ("run", frozenset()),
    "pdm": ("run", frozenset({"-p", "--project"})),
    "hatch": ("run", frozenset()),
    "rye": ("run", frozenset()),
    "pixi": ("run", frozenset({"-e", "--environment"})),
    "conda": ("run", frozenset({"-n", "--name", "-p", "--prefix"})),
    "micromamba": ("run", frozenset({"-n", "--name", "-p", "--prefix"})),
    "newrelic-admin": ("run-program", frozenset()),
    "honcho": ("run", frozenset({"-e", "--env"})),
    "dotenv": ("run", frozenset({"-f", "--file"})),
    "uv": (
        "run",
        frozenset(
            {
                *("--with", "--env-file", "--python", "-p", "--package", "--directory"),
                *("--project", "--extra", "--group", "--only-group", "--no-group", "--index-url"),
            }
        ),
    ),
}

_PYTHON_VALUES = frozenset({"-W", "-X"})


def name_of(word: Word) -> str:
    """The name of a program, without its directory."""
    return word.text.rsplit("/", 1)[-1]


def is_python(word: Word) -> bool:
    """Whether ``word`` is a Python interpreter."""
    return re.fullmatch(r"(python|pypy)[\d.]*", name_of(word)) is not None


def unwrap(words: Sequence[Word]) -> tuple[list[Word], list[tuple[str, Word]], bool]:
    """The command that is run at last, what is set for it, and whether the shell becomes it.

    A module run by ``python -m`` and a script run by ``python`` begin with their own name.
    """
    rest = list(words)
    assigned: list[tuple[str, Word]] = []
    replaced = False
    while rest:
        pair = assignment(rest[0]) if not rest[0].text.startswith("=") else None
        if pair:
            assigned.append(pair)
            rest = rest[1:]
            continue
        replaced = replaced or name_of(rest[0]) == "exec"
        inner = _inner(rest)
        if inner is None:
            break
        rest = inner
    return rest, assigned, replaced


def _inner(words: list[Word]) -> list[Word] | None:
    """``words`` without the wrapper that they begin with, None where there is none."""
    name = name_of(words[0])
    if name in SHELLS:
        return None
    if name == "env":
        return _skip(words[1:], frozenset({"-u", "--unset", "-C", "--chdir"}), 0)
    if is_python(words[0]):
        return _python(words[1:])
    if name in _PLAIN:
        values, before = _PLAIN[name]
        return _skip(words[1:], values, before)
    if name in _SUBCOMMANDS:
        subcommand, values = _SUBCOMMANDS[name]
        rest = _skip(words[1:], values, 0)
        if not rest or rest[0].text != subcommand:
            return None
        return _module_option(rest[1:], values)
    marks = [position for position, word in enumerate(words) if word.text == "--"]
    # wait-for-it.sh db:5432 -- gunicorn …, doppler run -- gunicorn …
    server_first = name in {"uvicorn", "gunicorn", "daphne", "hypercorn", "granian", "uwsgi"}
    if marks and not server_first and name not in {"manage.py", "celery", "pip", "npm", "docker"}:
        return words[marks[0] + 1 :]
    return None


def _module_option(words: list[Word], values: frozenset[str]) -> list[Word]:
    """After ``uv run``: ``-m gunicorn`` is a module."""
    rest = list(words)
    while rest and rest[0].text.startswith("-") and rest[0].text != "--":
        if rest[0].text in {"-m", "--module"}:
            return rest[1:]
        rest = rest[2:] if rest[0].text in values else rest[1:]
    return rest[1:] if rest and rest[0].text == "--" else rest


def _python(words: list[Word]) -> list[Word] | None:
    rest = list(words)
    while rest and rest[0].text.startswith("-"):
        option = rest[0].text
        # Also with other letters before it: python -um gunicorn.
        if option == "-m" or (option.endswith("m") and not option.startswith("--")):
            return rest[1:]
        if option.startswith(("-m",)):
            return [Word(option[2:], rest[0].known), *rest[1:]]
        if option in {"-c", "-"}:
            return None
        rest = rest[2:] if option in _PYTHON_VALUES else rest[1:]
    return rest or None


def _skip(words: list[Word], values: frozenset[str], before: int) -> list[Word]:
    rest = list(words)
    while rest and rest[0].text.startswith("-"):
        if rest[0].text == "--":
            rest = rest[1:]
            break
        rest = rest[2:] if rest[0].text in values else rest[1:]
    rest = rest[before:]
    return rest[1:] if rest and rest[0].text == "--" else rest
