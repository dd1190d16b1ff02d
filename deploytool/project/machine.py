"""The machine as this process really has it: CPUs, memory, container, installed servers.

A container sees every CPU and all the memory of its host; what it may use is written in
its control groups. Files are read below a given root, by the layouts of the Linux
kernel's documentation: ``admin-guide/cgroup-v2.rst``, ``admin-guide/cgroup-v1/memory.rst``,
``scheduler/sched-bwc.rst`` and ``proc_pid_mountinfo(5)``. What cannot be read is no limit.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

import django

from deploytool.project.facts import Machine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_System = Literal["linux", "macos", "windows", "other"]
_SYSTEMS: dict[str, _System] = {
    "Linux": "linux",
    "Darwin": "macos",
    "Windows": "windows",
}

# cgroup v1 writes "no limit" as the largest page-aligned number: 2**63 less one page,
# whose size differs between architectures.
_UNLIMITED = 1 << 62

# Files that a container runtime leaves, with the name of the runtime.
_CONTAINER_FILES = {
    ".dockerenv": "docker",
    "run/.containerenv": "podman",
    "var/run/secrets/kubernetes.io/serviceaccount/namespace": "kubernetes",
}
# https://systemd.io/CONTAINER_INTERFACE: PID 1 finds the runtime's name in this environment
# variable, and systemd passes it on in files. These two names do not confine a server.
_CONTAINER_VARIABLE = "container"
_CONTAINER_NAMES = ("run/host/container-manager", "run/systemd/container")
_NO_CONTAINERS = {"wsl", "flatpak"}
# Parts of a control group's path, for runtimes that leave no file.
_CONTAINER_GROUPS = {
    "kubepods": "kubernetes",
    "docker": "docker",
    "libpod": "podman",
    "lxc": "lxc",
    "containerd": "containerd",
}


def inspect_machine(distributions: Iterable[str], root: Path = Path("/")) -> Machine:
    """What this process has of the machine.

    ``distributions`` are the distributions to look up, by any spelling of their names;
    those that are not installed are left out. ``root`` is where ``/proc``, ``/sys`` and
    ``/dev`` are found. Raises nothing: a file that is missing, unreadable or malformed
    sets no limit.
    """
    system: _System = _SYSTEMS.get(platform.system(), "other")
    directories = tuple(_control_groups(root))
    cpus, cpus_evidence = min([_affinity(), *_cpu_limits(root, directories)], key=_amount)
    memory, memory_evidence = min(
        [*_physical_memory(root), *_memory_limits(root, directories)],
        key=_amount,
        default=(None, "not known on this platform"),
    )
    return Machine(
        system=system,
        executable=sys.executable,
        python=platform.python_version(),
        django=django.get_version(),
        cpus=cpus,
        cpus_evidence=cpus_evidence,
        memory=memory,
        memory_evidence=memory_evidence,
        container=_container(root),
        shared_memory=_shared_memory(root) if system == "linux" else None,
        installed=tuple(_installed(distributions)),
    )


def _amount(limit: tuple[float, str]) -> float:
    return limit[0]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except (OSError, ValueError):  # missing, a directory, not ours to read, a NUL in the name
        return ""


# CPUs


def _affinity() -> tuple[float, str]:
    affinity = getattr(os, "sched_getaffinity", None)
    if affinity is not None:
        with suppress(OSError):
            return float(len(affinity(0))), "CPU affinity"
    return float(os.cpu_count() or 1), "CPU count"


def _cpu_limits(root: Path, directories: tuple[_Directory, ...]) -> Iterator[tuple[float, str]]:
    for directory in directories:
        if directory.version == 2:
            file = directory.path / "cpu.max"
            quota, _, period = _read(file).partition(" ")
        else:
            file = directory.path / "cpu.cfs_quota_us"
            quota, period = _read(file), _read(directory.path / "cpu.cfs_period_us")
        if quota.isdecimal() and period.isdecimal() and int(quota) > 0 and int(period) > 0:
            yield int(quota) / int(period), _shown(file, root)


# Memory


def _physical_memory(root: Path) -> Iterator[tuple[int, str]]:
    # /proc/meminfo first: inside LXC it is virtual, and tells what the container has.
    found = re.search(r"^MemTotal:\s+(\d+) kB", _read(root / "proc/meminfo"), re.MULTILINE)
    if found:
        yield int(found[1]) * 1024, "physical memory"
        return
    sysconf = getattr(os, "sysconf", None)
    if sysconf is not None:
        with suppress(OSError, ValueError):  # a name that this platform does not have
            pages, size = sysconf("SC_PHYS_PAGES"), sysconf("SC_PAGE_SIZE")
            if pages > 0 and size > 0:
                yield pages * size, "physical memory"


def _memory_limits(root: Path, directories: tuple[_Directory, ...]) -> Iterator[tuple[int, str]]:
    for directory in directories:
        name = "memory.max" if directory.version == 2 else "memory.limit_in_bytes"
        limit = _read(directory.path / name)
        if limit.isdecimal() and 0 < int(limit) < _UNLIMITED:
            yield int(limit), _shown(directory.path / name, root)


def _shown(path: Path, root: Path) -> str:
    return "/" + path.relative_to(root).as_posix()


# Control groups


@dataclass(frozen=True, slots=True)
class _Directory:
    """A directory with the limits of one control group."""

    version: Literal[1, 2]
    path: Path


def _control_groups(root: Path) -> Iterator[_Directory]:
    """Every control group that limits this process: its own and all those above it."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if not group.startswith("/"):
            continue
        version: Literal[1, 2] = 2 if number == "0" and not controllers else 1
        if version == 1 and not {"cpu", "memory"} & set(controllers.split(",")):
            continue
        for mount, top in _mounts(root, version, controllers):
            # Seen from inside a container the group may lie above what is mounted, or
            # (with the host's namespace) be named as the host names it.
            parts = PurePosixPath(group).parts[1:]
            inside = ".." not in parts and parts[: len(top)] == top
            parts = parts[len(top) :] if inside else ()
            for depth in range(len(parts), -1, -1):
                yield _Directory(version, mount.joinpath(*parts[:depth]))


def _mounts(
    root: Path, version: Literal[1, 2], controllers: str
) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Where a hierarchy is mounted, each with the parts of the group mounted there."""
    found = False
    for line in _read(root / "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 5 or len(kind) < 3 or kind[0] != ("cgroup2" if version == 2 else "cgroup"):
            continue
        if version == 1 and not set(controllers.split(",")) & set(kind[2].split(",")):
            continue
        found = True
        top = tuple(part for part in PurePosixPath(fields[3]).parts[1:] if part != "..")
        yield root / fields[4].lstrip("/"), top
    if not found:  # /proc/self/mountinfo cannot be read: the places that everybody uses
        usual = root / "sys/fs/cgroup"
        yield (usual if version == 2 else usual / controllers), ()


# Container, shared memory, distributions


def _container(root: Path) -> str | None:
    """The kind of container this is, with what tells it; None outside of one."""
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return "kubernetes (environment variable KUBERNETES_SERVICE_HOST)"
    for name, kind in _CONTAINER_FILES.items():
        with suppress(OSError):
            if (root / name).is_file():
                return f"{kind} (/{name})"
    named = {f"/{name}": _read(root / name) for name in _CONTAINER_NAMES}
    named[f"environment variable {_CONTAINER_VARIABLE}"] = os.environ.get(_CONTAINER_VARIABLE, "")
    for evidence, kind in named.items():
        if kind and kind not in _NO_CONTAINERS:
            return f"{kind} ({evidence})"
    for part in re.split(r"[/:.\-\n]", _read(root / "proc/1/cgroup")):
        if part in _CONTAINER_GROUPS:
            return f"{_CONTAINER_GROUPS[part]} (/proc/1/cgroup)"
    return None


def _shared_memory(root: Path) -> str | None:
    name = "dev/shm"
    path = root / name
    return f"/{name}" if path.is_dir() and os.access(path, os.W_OK | os.X_OK) else None


def _installed(distributions: Iterable[str]) -> Iterator[tuple[str, str]]:
    # https://packaging.python.org/specifications/name-normalization
    names = {re.sub(r"[-_.]+", "-", name).lower() for name in distributions}
    for name in sorted(names):
        try:
            fields = metadata.distribution(name).metadata
        except (metadata.PackageNotFoundError, OSError, ValueError):
            continue
        # metadata.version() warns or raises where the field is missing.
        if "Version" in fields:
            yield name, fields["Version"]
