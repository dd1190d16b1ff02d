"""What Gunicorn reads beside its command line: ``gunicorn.conf.py`` and ``$GUNICORN_CMD_ARGS``.

The command line wins over the variable, and that over the file (Gunicorn's documentation,
"Configuration Overview"); what the command line leaves open is theirs to decide. The file is
read as text, never executed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploytool.project.stack.completing import DEFAULT_CONF
from deploytool.project.stack.facts import Launch, Option
from deploytool.project.stack.gunicorn_conf import command_arguments, read_gunicorn_conf
from deploytool.project.stack.options import GUNICORN
from deploytool.project.stack.repository import DeployFile
from deploytool.project.stack.words import Word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploytool.project.facts import Location

VARIABLE = "GUNICORN_CMD_ARGS"


@dataclass(frozen=True, slots=True)
class BesideCommandLine:
    """What is read beside a command line.

    ``in_force`` are the options that decide what the command line leaves open; ``overridden``
    pairs those that it decides otherwise with the value that it has.
    """

    in_force: tuple[Option, ...] = ()
    overridden: tuple[tuple[Option, str], ...] = ()


def beside_command_line(
    argv: Sequence[str], directories: Sequence[str], arguments: str, place: Location, base_dir: str
) -> BesideCommandLine:
    """What Gunicorn reads beside ``argv``, started in one of ``directories``.

    ``arguments`` is the value of ``$GUNICORN_CMD_ARGS``, which is set at ``place``.
    ``base_dir`` is the project's, for places in its files. Raises nothing.
    """
    words = [Word(each) for each in argv]
    given = {each.name: str(each.value) for each in GUNICORN.read(words)[0]}
    of_variable = command_arguments(arguments, Launch("gunicorn", place))
    config = given.get("config")
    for option in of_variable:
        config = given.get("config", option.value) if option.name == "config" else config
    found = {option.name: option for option in _of_file(config, directories, base_dir)}
    found |= {option.name: option for option in of_variable}
    found.pop("config", None)
    found.pop("wsgi_app", None)  # the application is an argument
    in_force = [option for name, option in found.items() if name not in given]
    overridden = [
        (option, given[name])
        for name, option in found.items()
        if name in given and option.value not in {None, given[name]}
    ]
    return BesideCommandLine(tuple(in_force), tuple(overridden))


def _of_file(config: str | None, directories: Sequence[str], base_dir: str) -> tuple[Option, ...]:
    name = (config or DEFAULT_CONF).removeprefix("file:")
    for directory in directories:
        path = os.path.join(directory, name)
        if os.path.isfile(path):
            return read_gunicorn_conf(DeployFile(path, "gunicorn", "unknown", base_dir)).options
    return ()
