"""Standard output for the answer of a command, whatever the project prints.

A project may print from its settings, its apps, its URLconf or at exit; what reads the
answer (a pipe into ``jq``, a file) must see nothing of it.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, TextIO

from django.core.management.base import OutputWrapper

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_diverted: list[int] = []


def divert_early(argv: Sequence[str]) -> None:
    """Divert what is printed from now on to standard error, if ``argv`` asks for an answer.

    ``argv`` is that of one of this app's commands: the program, the command, its arguments.
    Called when this app is loaded, before the models and ``ready()`` of any other: where
    Python does not buffer (``PYTHONUNBUFFERED``, usual in containers) their output would be
    out before a command could run. What settings print unbuffered is out before that.
    """
    before_dashes = argv[: argv.index("--")] if "--" in argv else argv
    if {"-h", "--help"} & set(before_dashes):
        return
    # runserver_gateway hands standard output on to the server, unless it only prints a line.
    answers = argv[1] != "runserver_gateway" or "--dry-run" in before_dashes
    if answers and not _diverted and _is_descriptor_1(sys.stdout):
        _diverted.append(_divert())


@contextmanager
def answer_only(stdout: OutputWrapper) -> Iterator[OutputWrapper]:
    """The stream for a command's answer, the only thing that reaches standard output.

    What Python has not flushed by now goes to standard error, as does everything printed
    from now on, by C code and at exit too.
    """
    if not _is_descriptor_1(stdout):  # call_command(stdout=StringIO())
        with redirect_stdout(sys.stderr):
            yield stdout
        return
    answer = _diverted.pop() if _diverted else _divert()
    # The name of a file may be in another encoding: JSON reads such an escape too.
    with open(answer, "w", encoding="utf-8", errors="backslashreplace") as stream:
        yield OutputWrapper(stream)


def _is_descriptor_1(stream: TextIO | OutputWrapper) -> bool:
    try:
        return stream.fileno() == 1
    except (AttributeError, OSError, ValueError):
        return False


def _divert() -> int:
    """Let descriptor 1 lead to standard error; a descriptor of where it led."""
    answer = os.dup(1)
    os.dup2(2, 1)
    if sys.stdout is not None:
        sys.stdout.flush()
    return answer
