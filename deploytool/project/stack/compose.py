"""Compose files, by the Compose specification (https://github.com/compose-spec/compose-spec)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deploytool.project.stack.facts import Environment
from deploytool.project.stack.repository import read_text
from deploytool.project.stack.words import Word, interpolate, split_words
from deploytool.project.stack.yaml import Node, YamlError, read_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from deploytool.project.facts import Location
    from deploytool.project.stack.repository import DeployFile

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?(?:\d+us)?")


@dataclass(frozen=True, slots=True)
class Port:
    """A published port: ``host`` is the address on the host, ``""`` for all of them."""

    host: str
    published: str
    target: str
    place: Location


@dataclass(frozen=True, slots=True)
class Volume:
    """What is mounted into a container. ``kind`` is ``bind``, ``volume`` or ``tmpfs``."""

    kind: str
    source: str
    target: str
    place: Location


@dataclass(frozen=True, slots=True)
class Dependency:
    """A service that has to be there first, and in which state."""

    service: str
    condition: str
    place: Location


@dataclass(frozen=True, slots=True)
class Check:
    """A health check: its words (``CMD``), or one text for a shell (``CMD-SHELL``)."""

    place: Location
    words: tuple[Word, ...] = ()
    shell_text: str | None = None
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """One service of a Compose file. What the file does not say is None or empty."""

    name: str
    place: Location
    image: str = ""
    build: bool = False
    context: str = ""
    dockerfile: str = ""
    target: str = ""
    command: tuple[Word, ...] | None = None
    command_place: Location | None = None
    entrypoint: tuple[Word, ...] | None = None
    environment: Environment = field(default_factory=Environment)
    missing_env_files: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    volumes: tuple[Volume, ...] = ()
    tmpfs: tuple[str, ...] = ()
    depends_on: tuple[Dependency, ...] = ()
    health: Check | None = None
    replicas: int | None = None
    replicas_place: Location | None = None
    stop_grace: float | None = None
    stop_grace_place: Location | None = None
    restart: str = ""
    restart_place: Location | None = None
    read_only: bool = False
    user: str = ""
    init: bool = False
    working_dir: str = ""
    cpus: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    network_mode: str = ""
    swarm: bool = False
    stop_signal: str = ""
    extends: str = ""


@dataclass(frozen=True, slots=True)
class ComposeFile:
    """A Compose file: its services in order, and the names of its volumes."""

    path: str
    services: tuple[Service, ...]
    volumes: tuple[str, ...] = ()

    def service(self, name: str) -> Service | None:
        """The service called ``name``."""
        return next((each for each in self.services if each.name == name), None)


def read_compose(file: DeployFile, ignored: Callable[[str], bool]) -> ComposeFile:
    """What a Compose file says; ``ignored`` tells of a path whether Git leaves it out.

    Raises YamlError where it cannot be read.
    """
    document = read_yaml(file.text)
    services = document.get("services")
    if services is None or services.mapping is None:
        raise YamlError("it has no services", 1)
    beside = os.path.join(file.directory, ".env")
    # A file that Git leaves out says how one machine is set up, not how the site is served.
    env = {} if ignored(beside) else dotenv(beside)
    known = {name: value for name, value in env.items() if value is not None}
    reader = _Reader(file, known, ignored)
    read = [reader.service(name, node) for name, node in services.mapping.items()]
    named = {service.name: service for service in read}
    volumes = document.get("volumes")
    return ComposeFile(
        file.path,
        tuple(_extended(service, named) for service in read),
        tuple((volumes.mapping or {}) if volumes else ()),
    )


def _extended(service: Service, named: Mapping[str, Service]) -> Service:
    """``service`` with what it takes over from the one that it extends in the same file."""
    below = named.get(service.extends)
    if below is None or below is service:
        return service
    merged = {
        name: getattr(below, name)
        for name in ("image", "build", "context", "dockerfile", "target", "command", "entrypoint")
        if not getattr(service, name)
    }
    return replace(
        service,
        **merged,
        environment=below.environment.beneath(service.environment),
        volumes=(*below.volumes, *service.volumes),
    )


def dotenv(path: str) -> dict[str, str | None]:
    """The variables of an env file (docs.docker.com/compose, "Environment file syntax")."""
    found: dict[str, str | None] = {}
    for line in read_text(path).splitlines():
        text = line.strip().removeprefix("export ")
        name, equals, value = text.partition("=")
        if not equals or text.startswith("#") or not re.fullmatch(r"[\w.-]+", name.strip()):
            continue
        value = value.strip()
        if value[:1] in {"'", '"'} and value[0] in value[1:]:
            value = value[1 : value.index(value[0], 1)]
        else:
            value = re.split(r"\s#", value)[0].strip()
        word = interpolate(value, {key: v for key, v in found.items() if v is not None})
        found[name.strip()] = word.text if word.known else None
    return found


def seconds(text: str) -> float | None:
    """A duration of Compose (``1m30s``) in seconds, None for what is none."""
    found = _DURATION.fullmatch(text.strip()) if text.strip() else None
    if found is None:
        return None
    hours, minutes, whole, milli = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + whole + milli / 1000


@dataclass
class _Reader:
    file: DeployFile
    env: dict[str, str]
    ignored: Callable[[str], bool]

    def service(self, name: str, node: Node) -> Service:
        build = node.get("build")
        health = node.get("healthcheck")
        command, entrypoint = node.get("command"), node.get("entrypoint")
        deploy = node.get("deploy") or Node(node.line)
        replicas = node.get("deploy", "replicas") or node.get("scale")
        grace = node.get("stop_grace_period")
        restart = node.get("restart")
        environment, missing = self._environment(node)
        return Service(
            name=name,
            place=self._at(node),
            image=self._text(node.get("image")),
            build=build is not None and not build.empty,
            context=self._text(build) if build and build.text else node.string("build", "context"),
            dockerfile=self._text(node.get("build", "dockerfile")),
            target=self._text(node.get("build", "target")),
            command=self._words(command),
            command_place=self._at(command) if command else None,
            entrypoint=self._words(entrypoint),
            environment=environment,
            missing_env_files=missing,
            ports=tuple(self._ports(node.get("ports"))),
            volumes=tuple(self._volumes(node.get("volumes"))),
            tmpfs=tuple(text.partition(":")[0] for text in self._list(node.get("tmpfs"))),
            depends_on=tuple(self._depends_on(node.get("depends_on"))),
            health=self._health(health) if health else None,
            replicas=self._number(replicas),
            replicas_place=self._at(replicas) if replicas else None,
            stop_grace=seconds(self._text(grace)),
            stop_grace_place=self._at(grace) if grace else None,
            restart=self._text(restart) or node.string("deploy", "restart_policy", "condition"),
            restart_place=self._at(restart) if restart else None,
            read_only=self._truth(node.get("read_only")),
            user=self._text(node.get("user")),
            init=self._truth(node.get("init")),
            working_dir=self._text(node.get("working_dir")),
            cpus=self._float(deploy.get("resources", "limits", "cpus") or node.get("cpus")),
            labels=self._labels(node),
            aliases=tuple(self._aliases(node)),
            profiles=tuple(self._list(node.get("profiles"))),
            network_mode=self._text(node.get("network_mode")),
            swarm=any(deploy.get(key) for key in ("placement", "update_config", "mode")),
            stop_signal=self._text(node.get("stop_signal")),
            extends=node.string("extends", "service") or node.string("extends"),
        )

    def _at(self, node: Node) -> Location:
        return self.file.at(node.line)

    def _word(self, node: Node | None) -> Word:
        return self._filled(node.text or "") if node else Word("")

    def _filled(self, text: str) -> Word:
        word = interpolate(text.replace("$$", "\0"), self.env)
        return Word(word.text.replace("\0", "$"), word.known)

    def _text(self, node: Node | None) -> str:
        return self._word(node).text

    def _truth(self, node: Node | None) -> bool:
        return self._text(node).lower() in {"true", "yes", "on"}

    def _number(self, node: Node | None) -> int | None:
        text = self._text(node)
        return int(text) if text.isdecimal() else None

    def _float(self, node: Node | None) -> float | None:
        try:
            return float(self._text(node))
        except ValueError:
            return None

    def _list(self, node: Node | None) -> list[str]:
        if node is None or node.empty:
            return []
        if node.items is None:
            return [self._text(node)] if node.text else []
        return [self._text(item) for item in node.items if item.text]

    def _words(self, node: Node | None) -> tuple[Word, ...] | None:
        """A command: a list as it is, a string split as a shell would."""
        if node is None or node.empty:
            return None
        if node.items is not None:
            return tuple(self._word(item) for item in node.items)
        text = node.text or ""
        # What Compose cannot fill in is kept; $$ is a dollar for whoever reads the words.
        words = split_words(re.sub(r"\$\$", "\0", text), self.env)
        return tuple(Word(w.text.replace("\0", "$"), w.known, w.quoted) for w in words)

    def _environment(self, node: Node) -> tuple[Environment, tuple[str, ...]]:
        values: dict[str, str | None] = {}
        places: dict[str, Location] = {}
        missing: list[str] = []
        for path, place in self._env_files(node.get("env_file")):
            if not os.path.isfile(path):
                missing.append(path)
                continue
            found = dotenv(path)
            if self.ignored(path):
                found = dict.fromkeys(found)
                missing.append(path)
            values.update(found)
            places.update(dict.fromkeys(found, place))
        for name, value, place in self._pairs(node.get("environment")):
            places[name] = place
            # Without a value it is handed on from whoever runs Compose.
            values[name] = value.text if value is not None and value.known else None
        return Environment(values, not missing, places), tuple(missing)

    def _env_files(self, node: Node | None) -> Iterator[tuple[str, Location]]:
        if node is None:
            return
        for item in node.items if node.items is not None else (node,):
            named = self._text(item) or self._text(item.get("path"))
            if named:
                yield os.path.join(self.file.directory, named), self._at(item)

    def _pairs(self, node: Node | None) -> Iterator[tuple[str, Word | None, Location]]:
        if node is None:
            return
        for name, value in (node.mapping or {}).items():
            yield name, None if value.empty else self._word(value), self._at(value)
        for item in node.items or ():
            name, equals, rest = (item.text or "").partition("=")
            yield name, self._filled(rest) if equals else None, self._at(item)

    def _ports(self, node: Node | None) -> Iterator[Port]:
        for item in (node.items or ()) if node else ():
            if item.mapping is not None:
                published = self._text(item.get("published"))
                host = self._text(item.get("host_ip"))
                yield Port(host, published, self._text(item.get("target")), self._at(item))
                continue
            text = self._text(item).partition("/")[0]
            # A variable with a default has colons of its own.
            parts = re.split(r":(?![^{]*\})(?![^\[]*\])", text)
            host = ":".join(parts[:-2]).strip("[]") if len(parts) > 2 else ""
            published = parts[-2] if len(parts) > 1 else ""
            yield Port(host, published, parts[-1], self._at(item))

    def _volumes(self, node: Node | None) -> Iterator[Volume]:
        for item in (node.items or ()) if node else ():
            place = self._at(item)
            if item.mapping is not None:
                source, target = self._text(item.get("source")), self._text(item.get("target"))
                yield Volume(self._text(item.get("type")) or "volume", source, target, place)
                continue
            parts = re.split(r":(?![^{]*\})", self._text(item))
            if len(parts) == 1:
                yield Volume("volume", "", parts[0], place)
                continue
            kind = (
                "bind" if parts[0][:1] in {".", "/", "~"} or parts[0].startswith("$") else "volume"
            )
            yield Volume(kind, parts[0], parts[1], place)

    def _depends_on(self, node: Node | None) -> Iterator[Dependency]:
        for name, value in (node.mapping or {}).items() if node else ():
            yield Dependency(name, value.string("condition") or "service_started", self._at(value))
        for item in (node.items or ()) if node else ():
            yield Dependency(self._text(item), "service_started", self._at(item))

    def _health(self, node: Node) -> Check:
        test = node.get("test")
        place = self._at(test or node)
        if self._truth(node.get("disable")):
            return Check(place, disabled=True)
        if test is None or test.items is None:
            return Check(place, shell_text=self._text(test) if test else None)
        words = [self._word(item) for item in test.items]
        first = words[0].text if words else "NONE"
        if first == "NONE":
            return Check(place, disabled=True)
        if first == "CMD-SHELL":
            return Check(place, shell_text=" ".join(word.text for word in words[1:]))
        return Check(place, tuple(words[1:] if first == "CMD" else words))

    def _aliases(self, node: Node) -> Iterator[str]:
        """Other names of the service on its networks."""
        for key in ("container_name", "hostname"):
            if name := self._text(node.get(key)):
                yield name
        networks = node.get("networks")
        for network in (networks.mapping or {}).values() if networks else ():
            yield from self._list(network.get("aliases"))

    def _labels(self, node: Node) -> dict[str, str]:
        found: dict[str, str] = {}
        for each in (node.get("labels"), node.get("deploy", "labels")):
            found.update(
                {name: value.text if value else "" for name, value, _ in self._pairs(each)}
            )
        return found
