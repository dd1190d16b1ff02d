"""Dockerfiles, by the Dockerfile reference (https://docs.docker.com/reference/dockerfile/)."""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deploytool.project.stack.words import Word, interpolate, split_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from deploytool.project.facts import Location

_INSTRUCTION = re.compile(r"\s*([A-Za-z]+)\s*(.*)", re.DOTALL)
_HEREDOC = re.compile(r"<<-?(['\"]?)(\w+)\1")


@dataclass(frozen=True, slots=True)
class Command:
    """A CMD or ENTRYPOINT: its words, or the text that a shell reads."""

    place: Location
    words: tuple[Word, ...] = ()
    shell_text: str | None = None

    def argv(self, shell: tuple[str, ...]) -> tuple[Word, ...]:
        """The words that are executed, ``shell`` being the one of the image."""
        if self.shell_text is None:
            return self.words
        return (*map(Word, shell), Word(self.shell_text))


@dataclass(frozen=True, slots=True)
class Copied:
    """A COPY or ADD: from the build context, or from the stage or image ``stage``.

    ``inner`` are the copies of that stage, where it is one of the same file; its paths are
    absolute then.
    """

    sources: tuple[str, ...]
    target: str
    place: Location
    stage: str | None = None
    mode: str | None = None
    inner: tuple[Copied, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """A RUN: its text, and the environment that it runs in."""

    text: str
    place: Location
    env: Mapping[str, str | None]
    directory: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """A health check: the words that are executed, or None where it is switched off."""

    place: Location
    words: tuple[Word, ...] | None


@dataclass(frozen=True, slots=True)
class Image:
    """What a Dockerfile makes of one of its stages.

    ``base`` is the image that the first of its stages starts from. ``env`` maps names to
    values, None where a build argument decides. ``copies`` and ``runs`` are in their order,
    those of the stages that it is built upon first.
    """

    name: str
    base: str
    place: Location
    end: Location
    env: Mapping[str, str | None] = field(default_factory=dict)
    env_places: Mapping[str, Location] = field(default_factory=dict)
    arguments: Mapping[str, str | None] = field(default_factory=dict)
    directory: str = "/"
    user: str | None = None
    user_place: Location | None = None
    cmd: Command | None = None
    entrypoint: Command | None = None
    shell: tuple[str, ...] = ("/bin/sh", "-c")
    copies: tuple[Copied, ...] = ()
    runs: tuple[Run, ...] = ()
    health: HealthCheck | None = None
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    stop_signal: str | None = None

    @property
    def argv(self) -> tuple[Word, ...]:
        """What a container of it runs: the entry point with the command behind it."""
        if self.entrypoint is None:
            return self.cmd.argv(self.shell) if self.cmd else ()
        if self.entrypoint.shell_text is not None:
            return self.entrypoint.argv(self.shell)
        return (*self.entrypoint.words, *(self.cmd.argv(self.shell) if self.cmd else ()))

    @property
    def sh(self) -> str:
        """The shell that ``sh`` is in it, ``""`` where its base does not tell."""
        return shell_of(self.base)


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A Dockerfile: its stages by name (their number where they have none), in order."""

    path: str
    images: Mapping[str, Image]

    def image(self, target: str | None = None) -> Image | None:
        """The image of the stage ``target``, or of the last one."""
        if target:
            return self.images.get(target.lower())
        return list(self.images.values())[-1] if self.images else None


_BUSYBOX = ("alpine", "busybox")
_BASH = ("fedora", "centos", "rocky", "alma", "ubi8", "ubi9", "ubi10", "amazonlinux", "oraclelinux")
_DASH = (
    *("debian", "ubuntu", "slim", "bookworm", "bullseye", "buster", "trixie", "forky"),
    *("jammy", "noble", "focal", "plucky"),
)


def shell_of(base: str) -> str:
    """The shell that ``sh`` is in the image ``base``: ``dash``, ``bash``, ``busybox`` or ``""``."""
    name = base.lower().partition("@")[0]
    if any(part in name for part in _BUSYBOX):
        return "busybox"
    if any(part in name for part in _BASH):
        return "bash"
    # The official images of Python are made from Debian where they are not from Alpine.
    official = re.fullmatch(r"(docker\.io/)?(library/)?(python|pypy)(:[^/]*)?", name)
    return "dash" if official or any(part in name for part in _DASH) else ""


def read_dockerfile(text: str, path: str, place: Callable[[int], Location]) -> Dockerfile:
    """What the Dockerfile in ``text`` says. Raises ValueError where it has no FROM."""
    reader = _Reader(path, place)
    for line, end, name, rest in _instructions(text):
        reader.read(line, end, name.upper(), rest)
    if not reader.images:
        raise ValueError("it has no FROM")
    return Dockerfile(path, reader.images)


def _instructions(text: str) -> Iterator[tuple[int, int, str, str]]:
    """First and last line, name and rest of each instruction."""
    lines = text.removeprefix("\ufeff").splitlines()
    escape = "`" if re.match(r"(?:#.*\n)*#\s*escape\s*=\s*`", text, re.IGNORECASE) else "\\"
    number = 0
    while number < len(lines):
        start = number
        if not lines[number].strip() or lines[number].lstrip().startswith("#"):
            number += 1
            continue
        parts: list[str] = []
        while number < len(lines):
            line = lines[number]
            number += 1
            if parts and (line.lstrip().startswith("#") or not line.strip()):
                continue  # comments and empty lines inside of an instruction
            if line.rstrip().endswith(escape):
                parts.append(line.rstrip()[:-1] + "\\\n")
                continue
            parts.append(line)
            break
        found = _INSTRUCTION.fullmatch("".join(parts))
        if found is None:
            continue
        rest = found[2]
        if found[1].upper() in {"RUN", "COPY", "ADD"}:
            for here in _HEREDOC.finditer(rest):
                body = number
                while number < len(lines) and lines[number].strip() != here[2]:
                    number += 1
                rest += "\n" + "\n".join(lines[body:number])
                number += 1
        yield start + 1, number, found[1], rest


class _Reader:
    """The stages read so far, the last one under way."""

    def __init__(self, path: str, place: Callable[[int], Location]) -> None:
        self.images: dict[str, Image] = {}
        self._path = path
        self._place = place
        self._arguments: dict[str, str | None] = {}
        self._key = ""

    def read(self, line: int, end: int, name: str, rest: str) -> None:
        """Take one instruction in."""
        if name == "FROM":
            self._from(line, rest)
            return
        if name == "ARG" and not self.images:
            self._arguments.update(_arguments(rest))
            return
        if not self.images:
            return
        image = replace(self.images[self._key], end=self._place(end))
        method = getattr(self, f"_{name.lower()}", None)
        if method is not None:
            image = method(image, rest, self._place(line))
        self.images[self._key] = image

    def _from(self, line: int, rest: str) -> None:
        words = [w for w in rest.split() if not w.startswith("--")]
        if not words:
            return
        known = {name: value for name, value in self._arguments.items() if value is not None}
        base = interpolate(words[0], known).text
        named = words[2] if len(words) > 2 and words[1].upper() == "AS" else ""
        self._key = (named or str(len(self.images))).lower()
        below = self.images.get(base.lower())
        place = self._place(line)
        if below is None:
            self.images[self._key] = Image(self._key, base, place, place)
        else:
            self.images[self._key] = replace(below, name=self._key, place=place, end=place)

    def _fill(self, text: str, image: Image) -> Word:
        values = {**self._used_arguments(image), **image.env}
        return interpolate(text, {name: v for name, v in values.items() if v is not None})

    def _used_arguments(self, image: Image) -> Mapping[str, str | None]:
        return image.arguments

    # Instructions

    def _arg(self, image: Image, rest: str, place: Location) -> Image:
        del place
        found = _arguments(rest)
        found = {name: self._arguments.get(name) if v is None else v for name, v in found.items()}
        return replace(image, arguments={**image.arguments, **found})

    def _env(self, image: Image, rest: str, place: Location) -> Image:
        env, places = dict(image.env), dict(image.env_places)
        words = split_words(rest)
        if words and "=" not in words[0].text:  # ENV NAME value
            name, _, given = rest.partition(" ")
            pairs = [(name, given.strip())]
        else:
            pairs = [(w.text.partition("=")[0], w.text.partition("=")[2]) for w in words]
        for name, text in pairs:
            value = self._fill(text, image)
            # A build argument may be given another value than its default.
            of_argument = any(
                re.search(rf"\$\{{?{re.escape(argument)}\b", text) for argument in image.arguments
            )
            env[name] = value.text if value.known and not of_argument else None
            places[name] = place
        return replace(image, env=env, env_places=places)

    def _workdir(self, image: Image, rest: str, place: Location) -> Image:
        del place
        target = self._fill(rest.strip().strip("\"'"), image).text
        return replace(image, directory=posixpath.normpath(posixpath.join(image.directory, target)))

    def _user(self, image: Image, rest: str, place: Location) -> Image:
        return replace(image, user=rest.strip(), user_place=place)

    def _cmd(self, image: Image, rest: str, place: Location) -> Image:
        return replace(image, cmd=_command(rest, place))

    def _entrypoint(self, image: Image, rest: str, place: Location) -> Image:
        # An entry point takes the command of the image below away, not one of this file.
        return replace(image, entrypoint=_command(rest, place))

    def _shell(self, image: Image, rest: str, place: Location) -> Image:
        words = _exec_form(rest)
        del place
        return replace(image, shell=tuple(words)) if words else image

    def _copy(self, image: Image, rest: str, place: Location) -> Image:
        options, body = _options(rest.partition("\n")[0] if "<<" in rest else rest)
        words = _exec_form(body) or [word.text for word in split_words(body)]
        if len(words) < 2:
            return image
        target = self._fill(words[-1], image).text
        into = posixpath.join(image.directory, target)
        sources = tuple(self._fill(word, image).text for word in words[:-1])
        directory = target.endswith(("/", "/.")) or target == "."
        stage = options.get("from")
        below = self.images.get(stage.lower()) if stage else None
        copied = Copied(
            sources,
            posixpath.normpath(into) + ("/" if directory else ""),
            place,
            stage,
            options.get("chmod"),
            below.copies if below else (),
        )
        return replace(image, copies=(*image.copies, copied))

    _add = _copy

    def _run(self, image: Image, rest: str, place: Location) -> Image:
        body = rest
        options: list[str] = []
        while found := re.match(r"\s*(--\w[\w-]*(?:=\S+)?)\s*(?:\\\n)?", body):
            options.append(found[1])
            body = body[found.end() :]
        words = _exec_form(body)
        text = " ".join(words) if words else body
        env = {**image.arguments, **image.env}
        made = Run(text, place, env, image.directory, tuple(options))
        return replace(image, runs=(*image.runs, made))

    def _healthcheck(self, image: Image, rest: str, place: Location) -> Image:
        _, body = _options(rest)
        if body.strip().upper() == "NONE":
            return replace(image, health=HealthCheck(place, None))
        found = re.match(r"CMD\s+(.*)", body, re.DOTALL)
        if found is None:
            return image
        command = _command(found[1], place)
        return replace(image, health=HealthCheck(place, command.argv(image.shell)))

    def _expose(self, image: Image, rest: str, place: Location) -> Image:
        del place
        ports = tuple(self._fill(port, image).text for port in rest.split())
        return replace(image, ports=(*image.ports, *ports))

    def _volume(self, image: Image, rest: str, place: Location) -> Image:
        del place
        words = _exec_form(rest) or rest.split()
        return replace(image, volumes=(*image.volumes, *words))

    def _stopsignal(self, image: Image, rest: str, place: Location) -> Image:
        del place
        return replace(image, stop_signal=rest.strip())


def _arguments(rest: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for word in split_words(rest):
        name, equals, value = word.text.partition("=")
        found[name] = value if equals else None
    return found


def _command(rest: str, place: Location) -> Command:
    words = _exec_form(rest)
    if words is not None:
        return Command(place, tuple(map(Word, words)))
    return Command(place, (), rest.replace("\\\n", " ").strip())


def _exec_form(rest: str) -> list[str] | None:
    """The words of the JSON form; None for text, also where it is meant to be JSON and is not."""
    text = rest.replace("\\\n", " ").strip()
    if not text.startswith("["):
        return None
    try:
        words = json.loads(text)
    except ValueError:
        return None
    return words if isinstance(words, list) and all(isinstance(w, str) for w in words) else None


def _options(rest: str) -> tuple[dict[str, str], str]:
    """``--name=value`` before an instruction's words, and the rest."""
    options: dict[str, str] = {}
    body = rest.replace("\\\n", " ")
    while found := re.match(r"\s*--(\w[\w-]*)(?:=(\S+))?\s*", body):
        options[found[1]] = found[2] or ""
        body = body[found.end() :]
    return options, body
