"""What the project's own deployment files tell of the deployment, each with its place.

Only what they say is inferred, not what follows from a default of somebody who is not known:
a Dockerfile alone does not tell how long its containers have to stop.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from deploytool.project.services import static_url
from deploytool.project.stack import read_stack
from deploytool.project.stack.applications import Applications
from deploytool.project.stack.serving import binds
from deploytool.project.stack.units import timespan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.project.facts import Location, Project
    from deploytool.project.stack import Stack
    from deploytool.project.stack.compose import Service
    from deploytool.project.stack.containers import Container
    from deploytool.project.stack.facts import Launch, Start
    from deploytool.project.stack.nginx import Directive, Site
    from deploytool.project.stack.serving import Bind

Static = Literal["application", "server", "proxy", "elsewhere"]

# Images of reverse proxies, by the name of the image without registry, owner and tag.
_PROXIES = re.compile(r"(nginx|traefik|caddy|haproxy|envoy|openresty|httpd|swag|nginx-proxy)\b.*")
_TLS_OPTIONS = ("certfile", "ssl_certfile", "ssl_certificate", "https")


@dataclass(frozen=True)
class Inference:
    """The deployment files of a project, asked what its deployment is.

    Each answer is a value with the place that says so, None where none does.
    """

    stack: Stack
    applications: Applications

    @cached_property
    def served(self) -> tuple[tuple[Start, Launch], ...]:
        """The servers of this project that are started in production."""
        return tuple(
            (start, launch)
            for start in self.stack.starts
            if start.stage != "development"
            for launch in start.launches
            if launch.server != "runserver" and self.applications.ours(launch, start)
        )

    @cached_property
    def containers(self) -> tuple[Container, ...]:
        """The containers among them."""
        starts = [start for start, _ in self.served]
        return tuple(each for each in self.stack.containers if each.start in starts)

    def binds(self) -> Iterator[tuple[Start, Bind]]:
        """Where these servers listen."""
        for start, launch in self.served:
            for bind in binds(launch, start.environment):
                yield start, bind

    # Facts

    def replicas(self) -> tuple[int, Location] | None:
        """Copies of the whole server."""
        found = [
            (each.service.replicas, each.service.replicas_place)
            for each in self.containers
            if each.service and each.service.replicas and each.service.replicas_place
        ]
        return max(found, key=lambda pair: pair[0], default=None)

    def proxy(self) -> tuple[bool, str] | None:
        """Whether a reverse proxy hands the requests on."""
        for site, place in self.sites_before_us():
            return True, str(site.at(place.line))
        for container in self.containers:
            if found := _proxy_beside(container):
                return True, str(found)
        for start, _ in self.served:
            if start.kind == "process" and start.name == "web":
                return True, f"{start.place}: a platform that sets $PORT routes to it"
        every = list(self.binds())
        if every and all(
            bind.path or (bind.loopback and not start.container) for start, bind in every
        ):
            return True, f"only this machine can reach {every[0][1].written}"
        return None

    def proxy_address(self) -> str | None:
        """The address that it connects from; one on a container network is not known."""
        every = list(self.binds())
        outside = [(start, bind) for start, bind in every if not start.container]
        if every and len(outside) == len(every) and all(bind.loopback for _, bind in outside):
            return "127.0.0.1"
        return None

    def tls(self) -> tuple[Literal["proxy", "server"], str] | None:
        """Who ends TLS."""
        for _, launch in self.served:
            for name in _TLS_OPTIONS:
                if option := launch.option(name):
                    return "server", str(option.place)
        for site, _ in self.sites_before_us():
            if site.tls:
                return "proxy", str(site.at(site.directive.line))
        for container in self.containers:
            labels = container.service.labels if container.service else {}
            for name, value in labels.items():
                if re.fullmatch(r"traefik\.http\.routers\..+\.tls(\..+)?", name) and (
                    value.lower() != "false"
                ):
                    return "proxy", str(container.start.place)
        return None

    def container(self) -> tuple[bool, str] | None:
        """Whether the servers run in containers."""
        kinds = {start.container for start, _ in self.served if start.kind != "process"}
        if len(kinds) != 1:
            return None
        container = kinds.pop()
        return container, str(next(s.place for s, _ in self.served if s.container is container))

    def stop_grace(self) -> tuple[int, str] | None:
        """Seconds between signal and kill, of a server that is started as it is planned.

        A server that a file starts with options of its own is judged by these.
        """
        for start, launch in self.served:
            if launch.server != "runserver_gateway":
                continue
            if found := self.grace_of(start):
                return int(found[0]), str(found[1])
        return None

    def grace_of(self, start: Start) -> tuple[float, Location] | None:
        """Seconds between signal and kill that a file states for ``start``."""
        container = self.stack.container_of(start)
        service = container.service if container else None
        if service and service.stop_grace is not None and service.stop_grace_place:
            return service.stop_grace, service.stop_grace_place
        for unit in self.stack.units:
            entry = unit.last("Service", "TimeoutStopSec") or unit.last("Service", "TimeoutSec")
            if unit.file.path == start.group and entry:
                seconds = timespan(entry.value)
                return (seconds, entry.place) if seconds else None
        return None

    def static(self) -> tuple[Static, str] | None:
        """Who serves the static files, as far as the files tell."""
        path = static_path()
        if path is None:
            return None
        if found := self.serves(path):
            return "proxy", str(found)
        for _, launch in self.served:
            for name in ("static_path_mount", "static_map"):
                if option := launch.option(name):
                    return "server", str(option.place)
        return None

    def serves(self, path: str) -> Location | None:
        """Where nginx is told to serve the files below ``path`` (``/media/``)."""
        for site in self.stack.sites:
            for place in site.places:
                if serves_files(place.pattern, place.modifier, path) and not place.passes:
                    return site.at(place.line)
        return None

    # What stands before the servers

    def sites_before_us(self) -> Iterator[tuple[Site, Directive]]:
        """The server blocks of nginx that hand requests on to one of the servers."""
        for site in self.stack.sites:
            if site.file.stage == "development":
                continue
            for place in site.places:
                passed = place.passes
                if passed is not None and self.reaches(site, passed):
                    yield site, passed
                    break

    def reaches(self, site: Site, passed: Directive) -> bool:
        """Whether what a ``proxy_pass`` hands on arrives at one of the servers."""
        return any(self.reached_by(target) for target in site.targets(passed))

    def reached_by(self, target: str) -> tuple[Start, Bind] | None:
        """The server that listens where ``target`` (``web:8000``, a socket) points to."""
        for start, bind in self.binds():
            if target.startswith("unix:"):
                if bind.path and bind.path.removeprefix("unix:") == target.removeprefix("unix:"):
                    return start, bind
                continue
            host, _, port = target.rpartition(":") if ":" in target else (target, "", "80")
            if bind.path or (bind.port is not None and str(bind.port) != port):
                continue
            names = self._names(start)
            if host in names or (not start.container and _here(host)):
                return start, bind
        return None

    def _names(self, start: Start) -> set[str]:
        """The host names of a start on its network."""
        container = self.stack.container_of(start)
        if container is None or container.service is None:
            return set()
        return {container.service.name, *container.service.aliases}


def infer(project: Project) -> Inference:
    """The deployment files of ``project``. Raises nothing."""
    stack = read_stack(project.base_dir, project.import_path)
    return Inference(stack, Applications(project, stack.repository))


def static_path() -> str | None:
    """The path of STATIC_URL, ``/static/``; None where it is another host's, or not set."""
    url = static_url()
    if url is None or "//" in url or not url.strip("/"):
        return None
    return "/" + url.strip("/") + "/"


def serves_files(pattern: str, modifier: str, path: str) -> bool:
    """Whether a location of nginx is that of the files below ``path``."""
    if modifier in {"~", "~*"}:
        try:
            return bool(re.search(pattern, f"{path}a.css")) and not re.search(pattern, "/")
        except (re.error, RecursionError, OverflowError):
            return False
    return pattern.rstrip("/") not in {"", "/"} and path.startswith(pattern)


def _here(host: str) -> bool:
    return host in {"localhost", "[::1]"} or host.startswith("127.")


def _proxy_beside(container: Container) -> Location | None:
    """A proxy among the services of the same file, or labels that speak to one."""
    service = container.service
    if service is None or container.compose is None:
        return None
    if any(name.startswith("traefik.http.") for name in service.labels):
        return service.place
    if any(port.host in {"127.0.0.1", "localhost", "::1"} for port in service.ports):
        return service.ports[0].place
    for other in container.compose.services:
        if other is not service and is_proxy(other):
            return other.place
    return None


def is_proxy(service: Service) -> bool:
    """Whether a Compose service is a reverse proxy, by its image or what it is called."""
    image = service.image.partition("@")[0].rsplit("/", 1)[-1]
    return bool(
        _PROXIES.fullmatch(image)
        or (service.build and _PROXIES.fullmatch(service.name))
        or (service.build and re.search(r"(^|[/._-])(nginx|traefik|caddy)\b", service.dockerfile))
    )
