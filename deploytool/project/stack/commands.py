"""From words to what they start: the steps of a command, and the servers among them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deploytool.project.facts import Location
from deploytool.project.stack.facts import Launch, Option, Step
from deploytool.project.stack.options import COMMAND_LINES, Given
from deploytool.project.stack.words import Simple, Word, read_script
from deploytool.project.stack.wrappers import SHELLS, name_of, unwrap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_DEPTH = 8  # scripts that call scripts

_PROGRAMS = {
    "gunicorn": "gunicorn",
    "uvicorn": "uvicorn",
    "daphne": "daphne",
    "hypercorn": "hypercorn",
    "granian": "granian",
    "waitress-serve": "waitress",
    "waitress": "waitress",
    "uwsgi": "uwsgi",
    "runserver": "runserver",
    "runserver_plus": "runserver",
    "runserver_gateway": "runserver_gateway",
}
_ALL_ARGUMENTS = {"$@", "${@}", "$*", "${*}"}


@dataclass(frozen=True)
class Script:
    """A script that was found: its text, where it lies, and the shell that reads it."""

    text: str
    path: str
    shell: str


@dataclass(frozen=True)
class Context:
    """Where a command stands.

    ``place`` gives the Location of a line of the text that is read; ``script`` finds a
    script by the word that names it, None where it is not at hand. ``child`` and ``shell``
    are as in Step. ``arguments`` are the words that ``"$@"`` stands for, with their place.
    ``sh`` is the shell behind the name ``sh``: ``dash``, ``bash``, ``busybox`` or ``""``.
    """

    place: Callable[[int], Location]
    script: Callable[[str], Script | None] = lambda _: None
    locate: Callable[[str, int], Location] = Location
    env: Mapping[str, str] = field(default_factory=dict)
    set_for_it: Mapping[str, str | None] = field(default_factory=dict)
    directory: str | None = None
    child: bool | None = False
    shell: str = ""
    sh: str = "dash"
    line: int = 1
    arguments: tuple[tuple[Word, ...], Location] | None = None
    conditional: bool = False
    background: bool = False
    depth: int = 0


def steps_of(words: Sequence[Word], context: Context) -> list[Step]:
    """What ``words`` run, scripts and shells read, in order."""
    return list(_steps(words, context))


def _steps(words: Sequence[Word], context: Context) -> Iterator[Step]:
    rest, assigned, replaced = unwrap(words)
    if assigned:
        values = {name: value.text if value.known else None for name, value in assigned}
        context = replace(context, set_for_it={**context.set_for_it, **values})
    del replaced  # whoever reads the script has seen to it
    if not rest or context.depth > _DEPTH:
        return
    name = name_of(rest[0])
    if rest[0].text in _ALL_ARGUMENTS:
        if context.arguments is not None:
            given, place = context.arguments
            here = replace(context, place=lambda _: place, arguments=None, depth=context.depth + 1)
            yield from _steps(given, here)
        return
    if name in SHELLS:
        yield from _shell(rest, context)
        return
    script = context.script(rest[0].text) if rest[0].known else None
    if script is not None:
        yield from _script(script, rest[1:], context)
        return
    yield _step(rest, context)


def _step(words: Sequence[Word], context: Context) -> Step:
    words = _spliced(words, context)
    place = context.place(context.line)
    return Step(
        words=tuple(word.text for word in words),
        place=place,
        known=all(word.known for word in words),
        child=context.child,
        shell=context.shell,
        background=context.background,
        conditional=context.conditional,
        launch=launch_of(words, place, context),
    )


def _spliced(words: Sequence[Word], context: Context) -> list[Word]:
    """``words`` with what ``"$@"`` stands for among them."""
    given = context.arguments[0] if context.arguments else ()
    out: list[Word] = []
    for word in words:
        out.extend(given if word.text in _ALL_ARGUMENTS and not word.known else (word,))
    return out


def _shell(words: list[Word], context: Context) -> Iterator[Step]:
    """``sh -c TEXT`` or ``sh SCRIPT``."""
    shell = name_of(words[0])
    position = 1
    while position < len(words) and words[position].text[:1] in {"-", "+"}:
        option = words[position].text
        position += 1
        if not option.startswith("--") and "c" in option:
            if position < len(words):
                yield from _text(words[position], shell, words[position + 1 :], context)
            return
        if option in {"-o", "+o", "-O"}:
            position += 1
    if position < len(words):
        script = context.script(words[position].text)
        if script is not None:
            named = replace(script, shell=shell)
            yield from _script(named, words[position + 1 :], context)
        else:
            yield _step(words, context)


def _text(text: Word, shell: str, arguments: Sequence[Word], context: Context) -> Iterator[Step]:
    del arguments
    commands = read_script(text.text, context.env)
    inner = replace(context, depth=context.depth + 1)
    yield from _commands(commands, inner, shell=shell, inline=True)


def _script(script: Script, arguments: Sequence[Word], context: Context) -> Iterator[Step]:
    here = context.place(context.line)
    inner = replace(
        context,
        place=lambda line: context.locate(script.path, line),
        arguments=(tuple(arguments), here),
        depth=context.depth + 1,
    )
    yield from _commands(read_script(script.text, context.env), inner, shell=script.shell)


def _commands(
    commands: Sequence[Simple], context: Context, *, shell: str, inline: bool = False
) -> Iterator[Step]:
    """The steps of a script's commands; ``inline`` for the text of ``-c``."""
    exported: dict[str, str | None] = dict(context.set_for_it)
    directory = context.directory
    env = dict(context.env)
    traps = any(command.texts[:1] == ("trap",) for command in commands)
    for position, command in enumerate(commands):
        first = command.texts[0] if command.words else ""
        for name, value in (*command.assignments, *_exported(command)):
            if not command.words or first in {"export", "declare"}:
                exported[name] = value.text if value.known else None
                if value.known and not command.depth:
                    env[name] = value.text
                else:
                    env.pop(name, None)
        if not command.words or first in {"export", "declare", "readonly", "set", "trap"}:
            continue
        if first in {"cd", "pushd"} and len(command.words) > 1:
            directory = _joined(directory, command.words[1].text)
            continue
        last = position == len(commands) - 1
        child = _child(command, context, shell, last=last, inline=inline, traps=traps)
        own = {name: value.text if value.known else None for name, value in command.assignments}
        inner = replace(
            context,
            env=env,
            set_for_it={**exported, **own},
            directory=directory,
            child=child,
            shell=shell if child is not False else context.shell,
            line=command.line if not inline else context.line,
            conditional=context.conditional or command.depth > 0,
            background=context.background or command.background,
        )
        if first in {".", "source"} and len(command.words) > 1:
            yield from _sourced(command.words, inner)
            continue
        yield from _steps(command.words, inner)


def _sourced(words: Sequence[Word], context: Context) -> Iterator[Step]:
    script = context.script(words[1].text)
    if script is None:
        yield _step(words, context)
    else:
        yield from _script(script, (), context)


def _exported(command: Simple) -> Iterator[tuple[str, Word]]:
    if command.texts[:1] in {("export",), ("declare",)}:
        for word in command.words[1:]:
            name, equals, value = word.text.partition("=")
            if equals and re.fullmatch(r"\w+", name):
                yield name, Word(value, word.known)


def _child(
    command: Simple,
    context: Context,
    shell: str,
    *,
    last: bool,
    inline: bool,
    traps: bool,
) -> bool | None:
    """Whether the shell waits for ``command`` as its child.

    ``exec`` makes it the command. So does, for the last command of ``-c TEXT`` that nothing
    is done after, bash and BusyBox's shell, but not dash, which is ``sh`` on Debian.
    """
    # A path before exec or a variable's value does not matter.
    if command.texts[0] == "exec" and not command.piped and not command.background:
        return context.child
    if traps:
        return None  # what the trap does may hand the signal on
    if not (inline and last) or command.piped or command.background or command.redirected:
        return True
    if command.depth or command.operator in {"&&", "||"}:
        return True
    kind = {"sh": context.sh, "ash": "busybox"}.get(shell, shell)
    if kind == "dash":
        return True
    return context.child if kind in {"bash", "busybox", "zsh", "ksh"} else None


def _joined(directory: str | None, target: str) -> str:
    if target.startswith("/") or directory is None:
        return target
    return f"{directory.rstrip('/')}/{target}"


# Servers


def launch_of(words: Sequence[Word], place: Location, context: Context) -> Launch | None:
    """The server that ``words`` start, None where they start none."""
    if not words:
        return None
    name, arguments = name_of(words[0]), list(words[1:])
    if name in {"manage.py", "django-admin", "django-admin.py", "django"}:
        subcommand = next(
            (n for n, word in enumerate(arguments) if not word.text.startswith("-")), None
        )
        if subcommand is None:
            return None
        name = arguments.pop(subcommand).text
        if name not in {"runserver", "runserver_plus", "runserver_gateway"}:
            return None
    elif name.startswith("uwsgi"):
        name = "uwsgi"
    elif name in {"runserver", "runserver_plus", "runserver_gateway"}:
        return None
    server = _PROGRAMS.get(name)
    if server is None:
        return None
    given, rest = COMMAND_LINES[server].read(arguments)
    if any(option.name in {"help", "version", "check_config", "print_config"} for option in given):
        return None
    options = [_option(option, place) for option in given]
    options = [*_environment_options(server, context, place), *options]
    application = _application(server, given, [arguments[n] for n in rest])
    if server in {"runserver", "runserver_gateway"} and rest:
        word = arguments[rest[0]]
        options.append(
            Option("addrport", word.text if word.known else None, place, "command", str(word))
        )
    return Launch(
        server=server,
        place=place,
        application=application,
        options=tuple(options),
        directory=context.directory,
        words=tuple(word.text for word in words),
        env=dict(context.set_for_it),
    )


def _option(given: Given, place: Location) -> Option:
    if isinstance(given.value, str):
        return Option(given.name, given.value, place)
    value = given.value
    return Option(given.name, value.text if value.known else None, place, "command", value.text)


def _application(server: str, given: Sequence[Given], rest: Sequence[Word]) -> str | None:
    if server in {"runserver", "runserver_gateway"}:
        return None
    if server == "uwsgi":
        named = {option.name: str(option.value) for option in given}
        if "module" in named:
            module = named["module"]
            # uWSGI's callable is "application" where nothing else is said.
            return (
                module
                if ":" in module or "callable" not in named
                else (f"{module}:{named['callable']}")
            )
        return named.get("wsgi_file") or named.get("file")
    if not rest:
        return None
    return rest[0].text if rest[0].known else None


def _environment_options(server: str, context: Context, place: Location) -> Iterator[Option]:
    """Options that variables of the environment stand for."""
    set_here = {**context.env, **context.set_for_it}
    prefix = COMMAND_LINES[server].environment
    for name, value in set_here.items():
        if prefix and name.startswith(prefix):
            yield Option(name.removeprefix(prefix).lower(), value, place, "env", f"${name}")
    if server in {"gunicorn", "uvicorn"} and "WEB_CONCURRENCY" in set_here:
        yield Option("workers", set_here["WEB_CONCURRENCY"], place, "env", "$WEB_CONCURRENCY")
    if server in {"gunicorn", "uvicorn"} and "FORWARDED_ALLOW_IPS" in set_here:
        value = set_here["FORWARDED_ALLOW_IPS"]
        yield Option("forwarded_allow_ips", value, place, "env", "$FORWARDED_ALLOW_IPS")
