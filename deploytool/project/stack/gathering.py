"""All deployment files of a repository, read: what they start, and what stands around it."""

from __future__ import annotations

import os
import posixpath
import re
import traceback
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING

from deploytool.project.facts import Location
from deploytool.project.stack.commands import Context, Script, steps_of
from deploytool.project.stack.completing import Completing
from deploytool.project.stack.compose import ComposeFile, Service, read_compose
from deploytool.project.stack.containers import Container, Tree
from deploytool.project.stack.dockerfile import Dockerfile, Image, read_dockerfile
from deploytool.project.stack.facts import Environment, Start, Unreadable
from deploytool.project.stack.nginx import NginxError, Site, read_nginx
from deploytool.project.stack.repository import (
    Repository,
    find_repository,
    read_text,
    stage_of_name,
)
from deploytool.project.stack.services import (
    procfile_starts,
    supervisor_starts,
    unit_starts,
    uwsgi_starts,
)
from deploytool.project.stack.units import Sections, read_unit
from deploytool.project.stack.yaml import YamlError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.project.stack.facts import Stage, Step
    from deploytool.project.stack.gunicorn_conf import GunicornConf
    from deploytool.project.stack.repository import DeployFile
    from deploytool.project.stack.words import Word


@dataclass(frozen=True)
class Stack:
    """What the deployment files of a project's repository say.

    ``starts`` is everything that is started; ``containers`` those of them that run in one,
    with their image and service. ``sites`` are nginx's server blocks, ``units`` and
    ``sockets`` systemd's. ``confs`` are Gunicorn's configuration files, by path.
    """

    repository: Repository
    starts: tuple[Start, ...] = ()
    containers: tuple[Container, ...] = ()
    composes: tuple[tuple[DeployFile, ComposeFile], ...] = ()
    dockerfiles: tuple[tuple[DeployFile, Dockerfile], ...] = ()
    sites: tuple[Site, ...] = ()
    units: tuple[Sections, ...] = ()
    sockets: tuple[Sections, ...] = ()
    confs: tuple[tuple[DeployFile, GunicornConf], ...] = ()
    unreadable: tuple[Unreadable, ...] = ()

    def container_of(self, start: Start) -> Container | None:
        """The container that ``start`` runs in."""
        return next((each for each in self.containers if each.start is start), None)


@cache
def read_stack(base_dir: str, others: tuple[str, ...] = ()) -> Stack:
    """The deployment files around ``base_dir``; ``others`` belong to the project as well.

    Raises nothing: a file that cannot be read is in ``unreadable``.
    """
    repository = find_repository(base_dir, others)
    try:
        return _Gathering(repository).stack()
    except Exception as error:
        # Files that nobody thought of are no reason to know nothing of the rest.
        frame = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error} ({frame.name}, line {frame.lineno})"
        place = Location(repository.root)
        return Stack(repository, unreadable=(Unreadable(place, reason),))


class _Gathering:
    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.unreadable: list[Unreadable] = []
        self.completing = Completing(repository)

    def stack(self) -> Stack:
        containers = [*self.services, *self._images()]
        others = [
            *procfile_starts(self.repository, self.scripts),
            *unit_starts(self.repository, self.units, self.scripts),
            *supervisor_starts(self.repository, containers, self.scripts),
        ]
        starts = [each.start for each in containers] + others
        starts += uwsgi_starts(self.repository, starts)
        starts = [self.completing.complete(start) for start in starts]
        starts = _staged(starts)
        containers = [
            replace(container, start=start)
            for container, start in zip(containers, starts, strict=False)
        ]
        return Stack(
            repository=self.repository,
            starts=tuple(starts),
            containers=tuple(containers),
            composes=self.composes,
            dockerfiles=self.dockerfiles,
            sites=tuple(self._sites()),
            units=self.units,
            sockets=tuple(read_unit(file) for file in self.repository.of("socket")),
            confs=self.completing.confs(),
            unreadable=tuple(self.unreadable),
        )

    # Files

    @cached_property
    def dockerfiles(self) -> tuple[tuple[DeployFile, Dockerfile], ...]:
        found = []
        for file in self.repository.of("dockerfile"):
            try:
                found.append((file, read_dockerfile(file.text, file.path, file.at)))
            except ValueError as error:
                self.unreadable.append(Unreadable(file.at(), str(error)))
        return tuple(found)

    @cached_property
    def composes(self) -> tuple[tuple[DeployFile, ComposeFile], ...]:
        found = []
        for file in self.repository.of("compose"):
            try:
                found.append((file, read_compose(file, self.repository.ignored)))
            except YamlError as error:
                self.unreadable.append(Unreadable(file.at(error.line), str(error)))
        return tuple(_overlaid(found))

    @cached_property
    def units(self) -> tuple[Sections, ...]:
        return tuple(read_unit(file) for file in self.repository.of("unit"))

    def _sites(self) -> Iterator[Site]:
        for file in self.repository.of("nginx"):
            try:
                yield from read_nginx(file)
            except NginxError as error:
                self.unreadable.append(Unreadable(file.at(error.line), str(error)))

    def scripts(self, name: str, directory: str | None = None) -> Script | None:
        """The script that a word names: by its path, else the only one of its name."""
        if not re.search(r"[\w-]", name) or "$" in name:
            return None
        if directory and not name.startswith("/"):
            found = _script(os.path.join(directory, name))
            if found:
                return found
        if "/" not in name and "." not in name:
            return None  # a program
        paths = self.repository.named(posixpath.basename(name))
        return _script(paths[0]) if len(paths) == 1 else None

    # Containers

    @cached_property
    def services(self) -> tuple[Container, ...]:
        return tuple(
            self._service(file, compose, service)
            for file, compose in self.composes
            for service in compose.services
        )

    def _service(self, file: DeployFile, compose: ComposeFile, service: Service) -> Container:
        context = os.path.normpath(os.path.join(file.directory, service.context or "."))
        source, image = self._image_of(file, service, context) if service.build else (None, None)
        argv = _argv(service, image)
        tree = Tree(context, image, service.volumes, file.directory)
        directory = posixpath.normpath(
            posixpath.join(image.directory if image else "/", service.working_dir)
        )
        environment = Environment(
            dict(image.env) if image else {}, places=dict(image.env_places) if image else {}
        ).beneath(service.environment)
        place = service.command_place or (image.cmd.place if image and image.cmd else service.place)
        start = Start(
            kind="service",
            name=service.name,
            place=service.place,
            stage=_service_stage(file.stage, service, source),
            group=file.path,
            steps=tuple(self._steps(argv, place, image, tree, environment, directory)),
            environment=environment,
            container=True,
            directory=directory,
            root=tree.repository_path(directory),
            opaque=not service.build and service.command is None,
        )
        return Container(start, file, compose, service, source, image, context, tree)

    def _image_of(
        self, file: DeployFile, service: Service, context: str
    ) -> tuple[DeployFile | None, Image | None]:
        path = os.path.normpath(os.path.join(context, service.dockerfile or "Dockerfile"))
        del file
        for source, dockerfile in self.dockerfiles:
            if os.path.realpath(source.path) == os.path.realpath(path):
                return source, dockerfile.image(service.target)
        return None, None

    def _images(self) -> Iterator[Container]:
        """Images that no service of production runs: they are run by somebody else."""
        used = {
            container.source.path
            for container in self.services
            if container.source is not None
            and container.start.stage != "development"
            and (
                (container.service is not None and container.service.command is None)
                or any(
                    launch.server != "runserver" and not launch.switched("reload")
                    for launch in container.start.launches
                )
            )
        }
        for file, dockerfile in self.dockerfiles:
            image = dockerfile.image()
            if image is None or file.path in used:
                continue
            context = self._context(file, image)
            tree = Tree(context, image, (), file.directory)
            environment = Environment(dict(image.env), complete=False, places=image.env_places)
            place = image.cmd.place if image.cmd else image.place
            if image.entrypoint and not image.cmd:
                place = image.entrypoint.place
            start = Start(
                kind="image",
                name=file.name,
                place=place,
                stage=file.stage,
                group=file.path,
                steps=tuple(
                    self._steps(image.argv, place, image, tree, environment, image.directory)
                ),
                environment=environment,
                container=True,
                directory=image.directory,
                root=tree.repository_path(image.directory),
            )
            yield Container(start, None, None, None, file, image, context, tree)

    def _context(self, file: DeployFile, image: Image) -> str:
        """The build context: as a service says, else the directory where what is copied lies."""
        for compose_file, compose in self.composes:
            for service in compose.services:
                context = os.path.normpath(
                    os.path.join(compose_file.directory, service.context or ".")
                )
                path = os.path.join(context, service.dockerfile or "Dockerfile")
                if service.build and os.path.realpath(path) == os.path.realpath(file.path):
                    return context
        sources = [s for copied in image.copies if copied.stage is None for s in copied.sources]
        named = [s.strip("/") for s in sources if s.strip("./") and "*" not in s and "$" not in s]
        directory = file.directory
        while named and len(directory) >= len(self.repository.root):
            if any(os.path.exists(os.path.join(directory, name)) for name in named):
                return directory
            directory = os.path.dirname(directory)
        # "COPY . ." says nothing: where the project lies, or all of the repository.
        inside = self.repository.base_dir.startswith(file.directory.rstrip(os.sep) + os.sep)
        if file.directory == self.repository.base_dir or inside:
            return file.directory
        return self.repository.root

    def _steps(
        self,
        argv: tuple[Word, ...],
        place: Location,
        image: Image | None,
        tree: Tree,
        environment: Environment,
        directory: str,
    ) -> list[Step]:
        def find(name: str) -> Script | None:
            path = posixpath.join(directory, name)
            inside = tree.repository_path(path)
            found = _script(inside) if inside and os.path.isfile(inside) else None
            return found or self.scripts(name)

        context = Context(
            place=lambda _: place,
            script=find,
            locate=self.repository.locate,
            env=environment.known(),
            sh=image.sh if image else "",
        )
        return steps_of(argv, context)


def _argv(service: Service, image: Image | None) -> tuple[Word, ...]:
    """What the container of a service runs."""
    entrypoint = service.entrypoint
    if entrypoint is None:
        if image and image.entrypoint:
            if image.entrypoint.shell_text is not None:
                return image.argv
            entrypoint = image.entrypoint.words
        command = service.command
        if command is None:
            return image.argv if image else ()
        return (*(entrypoint or ()), *command)
    # An entry point takes the command of the image away.
    return (*entrypoint, *(service.command or ()))


def _script(path: str) -> Script | None:
    text = read_text(path)
    first = text.partition("\n")[0]
    if not text or (first.startswith("#!") and "python" in first):
        return None
    if not first.startswith("#!") and not path.endswith((".sh", ".bash")):
        return None
    shell = re.search(r"\b(bash|dash|ash|zsh|ksh|sh)\b", first if first.startswith("#!") else "sh")
    return Script(text, path, shell[1] if shell else "sh") if shell else None


def _service_stage(stage: Stage, service: Service, source: DeployFile | None) -> Stage:
    names = [stage_of_name(service.target), *map(stage_of_name, service.profiles)]
    if "development" in names:
        return "development"
    if stage == "unknown" and source is not None:
        return source.stage
    return stage


def _overlaid(
    found: list[tuple[DeployFile, ComposeFile]],
) -> Iterator[tuple[DeployFile, ComposeFile]]:
    """Files that are laid over another one, with what they leave to it.

    ``docker compose -f docker-compose.yml -f docker-compose.prod.yml``: a service with neither
    image nor build is that of the same name in the plainly named file beside it.
    """
    plain = {
        file.directory: (file, compose)
        for file, compose in found
        if re.fullmatch(r"(docker-)?compose\.ya?ml", file.name)
    }
    overlays = set()
    merged = []
    for file, compose in found:
        base_file, base = plain.get(file.directory, (file, compose))
        services = []
        for service in compose.services:
            below = base.service(service.name)
            if base_file is file or below is None or service.image or service.build:
                services.append(service)
                continue
            services.append(_laid_over(below, service))
            if file.stage != "development":
                overlays.add(base_file.path)
        merged.append((file, replace(compose, services=tuple(services))))
    for file, compose in merged:
        # What lies below a file of production is not run alone there.
        yield (replace(file, stage="development") if file.path in overlays else file), compose


def _laid_over(below: Service, above: Service) -> Service:
    single = (
        *("image", "build", "context", "dockerfile", "target", "command", "command_place"),
        *("entrypoint", "health", "replicas", "replicas_place", "stop_grace", "stop_grace_place"),
        *("restart", "restart_place", "user", "working_dir", "cpus", "network_mode", "stop_signal"),
        *("read_only", "init", "swarm"),
    )
    values = {name: getattr(above, name) or getattr(below, name) for name in single}
    targets = {volume.target for volume in above.volumes}
    return replace(
        above,
        **values,
        environment=below.environment.beneath(above.environment),
        missing_env_files=(*below.missing_env_files, *above.missing_env_files),
        ports=(*below.ports, *above.ports),
        volumes=(*(v for v in below.volumes if v.target not in targets), *above.volumes),
        depends_on=(*below.depends_on, *above.depends_on),
        tmpfs=(*below.tmpfs, *above.tmpfs),
        labels={**below.labels, **above.labels},
    )


def _staged(starts: list[Start]) -> list[Start]:
    """Starts of files without a telling name, with what their content tells.

    A Compose file that starts the development server, reloads, or mounts the source over the
    image is of development where something else in the repository starts a real server.
    """
    real = {
        start.group
        for start in starts
        if start.stage != "development"
        and any(
            launch.server != "runserver" and not launch.switched("reload")
            for launch in start.launches
        )
    }
    local = {
        start.group
        for start in starts
        if start.kind == "service"
        and start.stage == "unknown"
        and any(
            launch.server == "runserver" or launch.switched("reload") for launch in start.launches
        )
    }
    return [
        replace(start, stage="development")
        if start.group in local and real - {start.group}
        else start
        for start in starts
    ]
