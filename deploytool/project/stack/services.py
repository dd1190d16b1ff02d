"""What is started outside of containers: Procfiles, systemd units, Supervisor, uWSGI."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from deploytool.project.stack.commands import Context, Script, steps_of
from deploytool.project.stack.completing import with_uwsgi_ini
from deploytool.project.stack.facts import Environment, Launch, Start, Step
from deploytool.project.stack.units import Sections, read_ini, read_procfile
from deploytool.project.stack.words import assignment, read_script, split_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from deploytool.project.facts import Location
    from deploytool.project.stack.containers import Container
    from deploytool.project.stack.repository import DeployFile, Repository
    from deploytool.project.stack.words import Word

    FindScript = Callable[[str, str | None], Script | None]


def procfile_starts(repository: Repository, find: FindScript) -> Iterator[Start]:
    """The process types of Procfiles: each runs in a shell, with ``$PORT`` set."""
    for file in repository.of("procfile"):
        root = file.directory

        def script(name: str, root: str = root) -> Script | None:
            return find(name, root)

        for entry in read_procfile(file):
            steps: list[Step] = []
            commands = read_script(entry.value)
            # A Procfile's process is run by a shell that does not stay where it is one command.
            for command in commands:
                context = Context(
                    place=lambda _, place=entry.place: place,  # type: ignore[misc]
                    script=script,
                    locate=repository.locate,
                    set_for_it={
                        name: value.text if value.known else None
                        for name, value in command.assignments
                    },
                    directory=_directory(commands, command.line),
                    child=None,
                    conditional=command.depth > 0,
                    background=command.background,
                )
                if command.texts[:1] not in {("cd",), ("export",)}:
                    steps += steps_of(command.words, context)
            yield Start(
                kind="process",
                name=entry.name,
                place=entry.place,
                stage=file.stage,
                group=file.path,
                steps=tuple(steps),
                environment=Environment({"PORT": None}, complete=False),
                root=root,
            )


def _directory(commands: Sequence[object], line: int) -> str | None:
    del line
    for command in commands:
        texts: tuple[str, ...] = command.texts  # type: ignore[attr-defined]
        if texts[:1] == ("cd",) and len(texts) > 1:
            return texts[1]
    return None


def unit_starts(
    repository: Repository, units: Sequence[Sections], find: FindScript
) -> Iterator[Start]:
    """The services of systemd units."""
    for unit in units:
        environment = _unit_environment(unit, repository)
        directory = unit.value("Service", "WorkingDirectory").removeprefix("-") or "/"
        steps: list[Step] = []
        for name in ("ExecStartPre", "ExecStart"):
            for entry in unit.all("Service", name):
                # Prefixes of systemd.service(5): @ - : + !
                words = split_words(entry.value.lstrip("@-:+!"), environment.known())
                steps += _run(words, entry.place, repository, find, environment)
        if not steps:
            continue
        yield Start(
            kind="unit",
            name=unit.file.name,
            place=unit.all("Service", "ExecStart")[-1].place
            if unit.all("Service", "ExecStart")
            else unit.file.at(),
            stage=unit.file.stage,
            group=unit.file.path,
            steps=tuple(steps),
            environment=environment,
            directory=directory,
            root=_root_on_host(directory, repository),
        )


def _unit_environment(unit: Sections, repository: Repository) -> Environment:
    values: dict[str, str | None] = {}
    places: dict[str, Location] = {}
    for entry in unit.all("Service", "Environment"):
        for word in split_words(entry.value):
            found = assignment(word)
            if found:
                values[found[0]] = None if "%" in found[1].text else found[1].text
                places[found[0]] = entry.place
    del repository
    return Environment(values, not unit.all("Service", "EnvironmentFile"), places)


def _root_on_host(directory: str, repository: Repository) -> str | None:
    """The directory of the repository that is ``directory`` on the host, by its last names."""
    parts = [part for part in directory.split("/") if part]
    if not parts or "%" in directory:
        return None
    if os.path.isdir(directory) and os.path.realpath(directory).startswith(repository.root):
        return os.path.realpath(directory)
    if parts[-1] == os.path.basename(repository.root):
        return repository.root
    if parts[-1] == os.path.basename(repository.base_dir):
        return repository.base_dir
    return None


def _run(
    words: Sequence[Word],
    place: Location,
    repository: Repository,
    find: FindScript,
    environment: Environment,
) -> list[Step]:
    context = Context(
        place=lambda _: place,
        script=lambda name: find(name, None),
        locate=repository.locate,
        env=environment.known(),
        sh="",
    )
    return steps_of(words, context)


def supervisor_starts(
    repository: Repository, containers: Sequence[Container], find: FindScript
) -> Iterator[Start]:
    """The programs of Supervisor; in a container where one runs supervisord."""
    inside = next(
        (
            container
            for container in containers
            if any("supervisord" in step.words[0] for step in container.start.steps if step.words)
        ),
        None,
    )
    for file in repository.of("supervisor"):
        sections = read_ini(file)
        for section in dict.fromkeys(entry.section for entry in sections.entries):
            if not section.startswith("program:"):
                continue
            command = sections.last(section, "command")
            if command is None:
                continue
            environment = inside.start.environment if inside else Environment(complete=False)
            values: dict[str, str | None] = {}
            for entry in sections.all(section, "environment"):
                for name, value in re.findall(r'(\w+)=("[^"]*"|[^,]*)', entry.value):
                    values[name] = None if "%(" in value else value.strip('"')
            environment = environment.beneath(Environment(values))
            directory = sections.value(section, "directory")
            if not directory and inside:
                directory = inside.start.directory or ""
            words = split_words(re.sub(r"%\((ENV_)?(\w+)\)[sd]", r"$\2", command.value))
            root = inside.tree.repository_path(directory) if inside and directory else None
            yield Start(
                kind="program",
                name=section.removeprefix("program:"),
                place=command.place,
                stage=file.stage,
                group=file.path,
                steps=tuple(_run(words, command.place, repository, find, environment)),
                environment=environment,
                container=inside is not None,
                directory=directory or None,
                root=root if inside else _root_on_host(directory, repository),
            )


def uwsgi_starts(repository: Repository, starts: Sequence[Start]) -> Iterator[Start]:
    """uWSGI's files that nothing here starts: the emperor, or a system's service, does."""
    named = {
        os.path.basename(word)
        for start in starts
        for launch in start.launches
        if launch.server == "uwsgi"
        for word in launch.words
    }
    for file in repository.of("uwsgi"):
        if file.name in named:
            continue
        place = file.at(_first_line(file))
        launch = Launch("uwsgi", place, words=("uwsgi", "--ini", file.name))
        launch = with_uwsgi_ini(launch, read_ini(file))
        yield Start(
            kind="script",
            name=file.name,
            place=place,
            stage=file.stage,
            group=file.path,
            steps=(Step(launch.words, place, launch=launch),),
            environment=Environment(complete=False),
            directory=None,
        )


def _first_line(file: DeployFile) -> int:
    for number, line in enumerate(file.text.splitlines(), 1):
        if line.strip() == "[uwsgi]":
            return number
    return 1
