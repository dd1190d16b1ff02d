"""Containers: what is started in one, from which image, and which file lies where in it."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploytool.project.stack.compose import ComposeFile, Service, Volume
    from deploytool.project.stack.dockerfile import Copied, Image
    from deploytool.project.stack.facts import Start
    from deploytool.project.stack.repository import DeployFile


@dataclass(frozen=True)
class Tree:
    """Where the files of a container come from: what is mounted, and what was copied.

    ``context`` is the directory that the image is built from, ``directory`` the one that
    paths of mounts are relative to.
    """

    context: str
    image: Image | None
    volumes: tuple[Volume, ...]
    directory: str

    def mounted(self, path: str) -> Volume | None:
        """What is mounted at ``path`` or around it, the nearest."""
        around = [v for v in self.volumes if _below(path, posixpath.normpath(v.target or "/-"))]
        return max(around, key=lambda volume: len(volume.target), default=None)

    def repository_path(self, path: str) -> str | None:
        """The file or directory of the repository that is ``path`` in the container."""
        path = posixpath.normpath(path)
        volume = self.mounted(path)
        if volume is not None and volume.kind == "bind" and "$" not in volume.source:
            source = os.path.join(self.directory, volume.source)
            rest = posixpath.relpath(path, posixpath.normpath(volume.target))
            return os.path.normpath(os.path.join(source, rest))
        return self._copied(path, self.image.copies if self.image else ())

    def _copied(self, path: str, copies: tuple[Copied, ...]) -> str | None:
        for copied in reversed(copies):
            for source in reversed(copied.sources):
                if copied.stage is not None:
                    found = self._from_stage(path, copied, source)
                else:
                    found = self._from(path, copied, source)
                if found is not None:
                    return found
        return None

    def _from_stage(self, path: str, copied: Copied, source: str) -> str | None:
        """A directory may have been copied, or a file: the other stage knows."""
        target = copied.target.rstrip("/") or "/"
        if not copied.inner or not _below(path, target):
            return None
        there = posixpath.join("/", source, posixpath.relpath(path, target))
        return self._copied(posixpath.normpath(there), copied.inner)

    def _from(self, path: str, copied: Copied, source: str) -> str | None:
        if "$" in source or "*" in source or "://" in source:
            return None
        origin = os.path.normpath(os.path.join(self.context, source.lstrip("/")))
        target = copied.target.rstrip("/") or "/"
        if os.path.isdir(origin):
            if not _below(path, target):
                return None
            found = os.path.normpath(os.path.join(origin, posixpath.relpath(path, target)))
            return found if os.path.exists(found) else None
        if copied.target.endswith("/"):
            target = posixpath.join(target, posixpath.basename(source))
        return origin if path == target and os.path.exists(origin) else None

    def container_path(self, path: str) -> str | None:
        """Where ``path`` of the repository lies in the container, None where it does not."""
        real = os.path.realpath(path)
        for volume in self.volumes:
            if volume.kind == "bind" and "$" not in volume.source:
                source = os.path.realpath(os.path.join(self.directory, volume.source))
                if _below(real, source):
                    return _moved(real, source, volume.target)
        return self._copied_to(real, self.image.copies if self.image else ())

    def _copied_to(self, real: str, copies: tuple[Copied, ...]) -> str | None:
        for copied in reversed(copies):
            for source in copied.sources:
                if "$" in source or "*" in source:
                    continue
                if copied.stage is not None:
                    there = self._copied_to(real, copied.inner)
                    origin = posixpath.join("/", source)
                    if there is not None and _below(there, posixpath.normpath(origin)):
                        return _moved(there, posixpath.normpath(origin), copied.target)
                    continue
                origin = os.path.realpath(os.path.join(self.context, source.lstrip("/")))
                if os.path.isdir(origin) and _below(real, origin):
                    return _moved(real, origin, copied.target)
        return None


def _below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _moved(path: str, source: str, target: str) -> str:
    rest = os.path.relpath(path, source).replace(os.sep, "/")
    return posixpath.normpath(posixpath.join(target, rest))


@dataclass(frozen=True)
class Container:
    """A start in a container: its service and Compose file, its image and Dockerfile.

    What there is none of is None; ``context`` is the directory that it is built from.
    """

    start: Start
    compose_file: DeployFile | None
    compose: ComposeFile | None
    service: Service | None
    source: DeployFile | None
    image: Image | None
    context: str
    tree: Tree
