"""inspect_machine(): limits and containers, read from file trees as real systems lay them out."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from deploytool.project.machine import inspect_machine
from tests.support import ROOT, environment

GIB = 1024**3
CGROUP2 = "31 23 0:28 {top} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"


def tree(root: Path, files: dict[str, str]) -> Path:
    """``files`` below ``root``, on a machine of 8 GiB."""
    for name, text in {"proc/meminfo": f"MemTotal:  {8 * GIB // 1024} kB\n", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    """Eight CPUs, whatever this machine has, and no container in the environment."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.delenv("container", raising=False)


def limits(root: Path) -> tuple[float, str, int | None, str]:
    machine = inspect_machine([], root)
    return machine.cpus, machine.cpus_evidence, machine.memory, machine.memory_evidence


UNLIMITED = (8.0, "CPU affinity", 8 * GIB, "physical memory")


def test_no_control_groups(tmp_path):
    assert limits(tree(tmp_path, {})) == UNLIMITED


def test_version_2_in_a_container(tmp_path):
    tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/\n",
            "proc/self/mountinfo": CGROUP2.format(top="/"),
            "sys/fs/cgroup/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/memory.max": f"{GIB}\n",
        },
    )
    assert limits(tmp_path) == (1.5, "/sys/fs/cgroup/cpu.max", GIB, "/sys/fs/cgroup/memory.max")


def test_version_2_the_strictest_group_above_decides(tmp_path):
    tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/system.slice/site.service/workers\n",
            "proc/self/mountinfo": CGROUP2.format(top="/"),
            "sys/fs/cgroup/system.slice/cpu.max": "200000 100000\n",
            "sys/fs/cgroup/system.slice/memory.max": f"{4 * GIB}\n",
            "sys/fs/cgroup/system.slice/site.service/cpu.max": "max 100000\n",
            "sys/fs/cgroup/system.slice/site.service/memory.max": f"{GIB // 2}\n",
            "sys/fs/cgroup/system.slice/site.service/workers/cpu.max": "400000 100000\n",
            "sys/fs/cgroup/system.slice/site.service/workers/memory.max": "max\n",
        },
    )
    assert limits(tmp_path) == (
        2.0,
        "/sys/fs/cgroup/system.slice/cpu.max",
        GIB // 2,
        "/sys/fs/cgroup/system.slice/site.service/memory.max",
    )


def test_a_limit_above_the_machine_does_not_decide(tmp_path):
    tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/cpu.max": "6400000 100000\n",
            "sys/fs/cgroup/memory.max": f"{64 * GIB}\n",
        },
    )
    assert limits(tmp_path) == UNLIMITED


def test_version_2_without_mountinfo(tmp_path):
    tree(tmp_path, {"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "50000 100000\n"})
    assert limits(tmp_path)[:2] == (0.5, "/sys/fs/cgroup/a/cpu.max")


def test_version_2_group_outside_of_the_namespace(tmp_path):
    tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/../../host.slice\n",
            "proc/self/mountinfo": CGROUP2.format(top="/../.."),
            "sys/fs/cgroup/cpu.max": "100000 100000\n",
            "host.slice/cpu.max": "1000 100000\n",
            "sys/host.slice/cpu.max": "1000 100000\n",
        },
    )
    assert limits(tmp_path)[:2] == (1.0, "/sys/fs/cgroup/cpu.max")


V1_CGROUP = "9:name=systemd:/x\n5:memory:{group}\n3:cpuset:/\n2:cpu,cpuacct:{group}\n0::/\n"
V1_MOUNTS = (
    "32 31 0:29 {top} /sys/fs/cgroup/cpu,cpuacct ro,nosuid - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 {top} /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory\n"
)


def test_version_1_in_a_container_that_sees_the_names_of_its_host(tmp_path):
    tree(
        tmp_path,
        {
            "proc/self/cgroup": V1_CGROUP.format(group="/docker/0123"),
            "proc/self/mountinfo": V1_MOUNTS.format(top="/docker/0123"),
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "250000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2 * GIB}\n",
        },
    )
    assert limits(tmp_path) == (
        2.5,
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us",
        2 * GIB,
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    )


def test_version_1_nested(tmp_path):
    tree(
        tmp_path,
        {
            "proc/self/cgroup": V1_CGROUP.format(group="/outer/inner"),
            "proc/self/mountinfo": V1_MOUNTS.format(top="/"),
            "sys/fs/cgroup/cpu,cpuacct/outer/cpu.cfs_quota_us": "100000\n",
            "sys/fs/cgroup/cpu,cpuacct/outer/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu,cpuacct/outer/inner/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/outer/inner/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/outer/memory.limit_in_bytes": f"{3 * GIB}\n",
            "sys/fs/cgroup/memory/outer/inner/memory.limit_in_bytes": "9223372036854771712\n",
        },
    )
    assert limits(tmp_path) == (
        1.0,
        "/sys/fs/cgroup/cpu,cpuacct/outer/cpu.cfs_quota_us",
        3 * GIB,
        "/sys/fs/cgroup/memory/outer/memory.limit_in_bytes",
    )


def test_version_1_without_mountinfo(tmp_path):
    tree(
        tmp_path,
        {
            "proc/self/cgroup": V1_CGROUP.format(group="/"),
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{GIB}\n",
        },
    )
    assert limits(tmp_path)[2:] == (GIB, "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def test_both_versions_mounted(tmp_path):
    tree(
        tmp_path,
        {
            "proc/self/cgroup": V1_CGROUP.format(group="/v1").replace("0::/", "0::/v2"),
            "proc/self/mountinfo": V1_MOUNTS.format(top="/")
            + CGROUP2.format(top="/").replace("/sys/fs/cgroup", "/sys/fs/cgroup/unified"),
            "sys/fs/cgroup/memory/v1/memory.limit_in_bytes": f"{2 * GIB}\n",
            "sys/fs/cgroup/unified/v2/cpu.max": "300000 100000\n",
        },
    )
    assert limits(tmp_path) == (
        3.0,
        "/sys/fs/cgroup/unified/v2/cpu.max",
        2 * GIB,
        "/sys/fs/cgroup/memory/v1/memory.limit_in_bytes",
    )


@pytest.mark.parametrize(
    ("cpu", "memory"),
    [
        ("", ""),
        ("max 100000", "max"),
        ("50000", "12 GiB"),
        ("0 100000", "0"),
        ("50000 0", "-1"),
        ("a b", "nan"),
        ("²0000 100000", "²"),
    ],
)
def test_malformed_files_set_no_limit(tmp_path, cpu, memory):
    tree(
        tmp_path,
        {
            "proc/self/cgroup": "nonsense\n0::relative\n0::/\n:::\n",
            "proc/self/mountinfo": "nonsense\n - \n1 2 - cgroup2\n",
            "sys/fs/cgroup/cpu.max": cpu,
            "sys/fs/cgroup/memory.max": memory,
        },
    )
    assert limits(tmp_path) == UNLIMITED


def test_unreadable_files_set_no_limit(tmp_path):
    tree(tmp_path, {"proc/self/cgroup": "0::/\n"})
    (tmp_path / "sys/fs/cgroup/cpu.max").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/memory.max").write_bytes(b"\xff\xfe\x00")
    assert limits(tmp_path) == UNLIMITED


def test_malformed_meminfo_falls_back_on_the_platform(tmp_path):
    tree(tmp_path, {"proc/meminfo": "nonsense"})
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert limits(tmp_path)[2:] == (physical, "physical memory")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux only")
def test_affinity_of_the_real_process():
    script = (
        "import os\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from deploytool.project.machine import inspect_machine\n"
        "m = inspect_machine([])\nprint(m.cpus <= 1, m.memory > 0, m.system)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["True", "True", "linux"]


@pytest.mark.parametrize(("name", "system"), [("Darwin", "macos"), ("Windows", "windows")])
def test_platforms_without_linux_calls(tmp_path, monkeypatch, name, system):
    monkeypatch.setattr(platform, "system", lambda: name)
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.delattr(os, "sysconf")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    machine = inspect_machine([], tmp_path)
    assert (machine.system, machine.cpus, machine.cpus_evidence) == (system, 6.0, "CPU count")
    assert (machine.memory, machine.memory_evidence) == (None, "not known on this platform")
    assert (machine.container, machine.shared_memory) == (None, None)


def test_a_platform_that_counts_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "FreeBSD")
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    machine = inspect_machine([], tmp_path)
    assert (machine.system, machine.cpus) == ("other", 1.0)


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        (".dockerenv", "", "docker (/.dockerenv)"),
        ("run/.containerenv", 'engine="podman-5.0"', "podman (/run/.containerenv)"),
        (
            "var/run/secrets/kubernetes.io/serviceaccount/namespace",
            "web",
            "kubernetes (/var/run/secrets/kubernetes.io/serviceaccount/namespace)",
        ),
        (
            "run/host/container-manager",
            "systemd-nspawn",
            "systemd-nspawn (/run/host/container-manager)",
        ),
        ("run/systemd/container", "lxc\n", "lxc (/run/systemd/container)"),
        ("run/systemd/container", "wsl\n", None),
        ("proc/1/cgroup", "1:cpu:/docker/0123\n0::/", "docker (/proc/1/cgroup)"),
        ("proc/1/cgroup", "0::/lxc.payload.web/init.scope", "lxc (/proc/1/cgroup)"),
        (
            "proc/1/cgroup",
            "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-2.scope",
            "kubernetes (/proc/1/cgroup)",
        ),
        ("proc/1/cgroup", "0::/init.scope\n", None),
        ("proc/1/cgroup", "0::/user.slice/my-dockerfiles.service", None),
    ],
)
def test_container_by_its_files(tmp_path, file, text, expected):
    assert inspect_machine([], tree(tmp_path, {file: text})).container == expected


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("KUBERNETES_SERVICE_HOST", "10.0.0.1", "kubernetes"),
        ("container", "systemd-nspawn", "systemd-nspawn"),
        ("container", "podman", "podman"),
        ("container", "flatpak", None),
    ],
)
def test_container_by_its_environment(tmp_path, monkeypatch, variable, value, expected):
    monkeypatch.setenv(variable, value)
    found = inspect_machine([], tmp_path).container
    assert found == (expected and f"{expected} (environment variable {variable})")


def test_shared_memory(tmp_path):
    assert inspect_machine([], tmp_path).shared_memory is None
    tree(tmp_path, {"dev/shm/.keep": ""})
    assert inspect_machine([], tmp_path).shared_memory == "/dev/shm"


def test_shared_memory_that_is_no_directory(tmp_path):
    assert inspect_machine([], tree(tmp_path, {"dev/shm": ""})).shared_memory is None


def test_installed_distributions_by_any_spelling(tmp_path):
    machine = inspect_machine(["Django", "pytest_django", "no.such-thing", "PYTEST"], tmp_path)
    assert machine.installed == tuple(
        (name, metadata.version(name)) for name in ("django", "pytest", "pytest-django")
    )
    assert machine.version("django") == machine.django
    assert machine.version("no-such-thing") is None
    assert machine.python == platform.python_version()


def test_damaged_metadata_is_not_installed(tmp_path, monkeypatch):
    (tmp_path / "broken-1.dist-info").mkdir()
    (tmp_path / "broken-1.dist-info" / "METADATA").write_text("no headers here")
    monkeypatch.syspath_prepend(tmp_path)
    assert inspect_machine(["broken"], tmp_path).installed == ()
