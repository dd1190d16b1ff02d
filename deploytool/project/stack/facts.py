"""What the project's own deployment files say: plain, frozen data, each with its place.

Filled by the modules beside this one, and read by the checks and by the inference of the
deployment. What a file leaves open (a variable of the environment, an expression) is None or
not ``known``, never a guess.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploytool.project.facts import Location

Stage = Literal["production", "development", "unknown"]
"""What a file is for, as its name and place say."""

Kind = Literal["image", "service", "process", "unit", "program", "script"]
"""What starts something: an image's command, a Compose service, a line of a Procfile, a
systemd unit, a program of Supervisor, a script that nothing else names."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file, or a part of it, that could not be read, and why."""

    place: Location
    reason: str


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a server, by the server's own name for it.

    ``value`` is its text, ``"true"``/``"false"`` for a switch, None where it is only known
    when it runs. ``source`` is where it stands: the command line, the environment (``env``)
    or a configuration file (``file``).
    """

    name: str
    value: str | None
    place: Location
    source: Literal["command", "env", "file"] = "command"
    written: str = ""


@dataclass(frozen=True, slots=True)
class Launch:
    """A command that starts a server.

    ``application`` is as written, without what the server adds; None where it is not named
    or not known. ``options`` are in the order of precedence, the last one of a name wins.
    ``directory`` is where ``cd`` went before, None where it stayed. ``env`` is set for it
    alone. ``config`` is the configuration file that was read, ``config_unknown`` True where
    there is one that could not be.
    """

    server: str
    place: Location
    application: str | None = None
    options: tuple[Option, ...] = ()
    directory: str | None = None
    words: tuple[str, ...] = ()
    env: Mapping[str, str | None] = field(default_factory=dict)
    config: str | None = None
    config_unknown: bool = False

    def option(self, *names: str) -> Option | None:
        """The option that is in force under one of ``names``."""
        for option in reversed(self.options):
            if option.name in names:
                return option
        return None

    def value(self, *names: str) -> str | None:
        """The value in force under one of ``names``; None where it is not given or unknown."""
        found = self.option(*names)
        return found.value if found else None

    def switched(self, *names: str) -> bool:
        """Whether a switch is on."""
        return self.value(*names) in {"true", "True", "1", "yes", "on"}

    def number(self, *names: str) -> int | None:
        """The value in force as a whole number, None where it is none."""
        value = self.value(*names) or ""
        return int(value) if value.strip().isdecimal() else None

    def open(self, *names: str) -> bool:
        """Whether an option is given whose value is only known when it runs."""
        found = self.option(*names)
        return (found is not None and found.value is None) or (
            found is None and self.config_unknown
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One command that is run at a start, before the server, as the server, or after it.

    ``words`` are those of the program itself, without what wraps it. ``child`` is True where
    a shell waits for it instead of becoming it (``shell`` says which), None where that
    depends on which shell ``sh`` is.
    """

    words: tuple[str, ...]
    place: Location
    known: bool = True
    child: bool | None = False
    shell: str = ""
    background: bool = False
    conditional: bool = False
    launch: Launch | None = None

    @property
    def management(self) -> tuple[str, ...]:
        """The words from a management command's name on: ``("migrate", "--noinput")``."""
        for position, word in enumerate(self.words[:4]):
            name = word.rsplit("/", 1)[-1]
            if name in {"manage.py", "django-admin", "django-admin.py"}:
                return self.words[position + 1 :]
            if word == "django" and position and self.words[position - 1] == "-m":
                return self.words[position + 1 :]
        return ()


@dataclass(frozen=True, slots=True)
class Environment:
    """Environment variables that files set for a process.

    A value is None where it is only known when it runs. ``complete`` is False where more may
    be set that no file here shows: by whoever runs an image, by a platform, by a file that
    is not in the repository.
    """

    values: Mapping[str, str | None] = field(default_factory=dict)
    complete: bool = True
    places: Mapping[str, Location] = field(default_factory=dict)

    def get(self, name: str) -> str | None:
        """The value of ``name``, None where it is not set or not known."""
        return self.values.get(name)

    def known(self) -> dict[str, str]:
        """The variables with a known value."""
        return {name: value for name, value in self.values.items() if value is not None}

    def beneath(self, other: Environment) -> Environment:
        """This one with ``other`` above it."""
        return Environment(
            {**self.values, **other.values},
            self.complete and other.complete,
            {**self.places, **other.places},
        )


@dataclass(frozen=True, slots=True)
class Start:
    """Something that is started: what is run, with which environment, where.

    ``steps`` are its commands in their order, scripts of the repository read in place;
    ``opaque`` is True where a script that is not at hand may do more. ``directory`` is where
    it starts, as an absolute path in the container or on the host; ``root`` the directory of
    the repository that this is, None where that cannot be told. ``group`` is what belongs
    together: the file.
    """

    kind: Kind
    name: str
    place: Location
    stage: Stage
    group: str
    steps: tuple[Step, ...] = ()
    environment: Environment = Environment()
    container: bool = False
    directory: str | None = None
    root: str | None = None
    opaque: bool = False
    source: str = ""

    @property
    def launches(self) -> tuple[Launch, ...]:
        """The servers that it starts."""
        return tuple(step.launch for step in self.steps if step.launch is not None)

    def step_of(self, launch: Launch) -> Step:
        """The step that ``launch`` is in."""
        return next(step for step in self.steps if step.launch is launch)
