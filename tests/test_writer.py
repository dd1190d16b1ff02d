"""writer: what is replaced, what is kept, and that nothing is ever half written."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from django.core.management.base import CommandError

from deploytool.artifacts.rendering import File
from deploytool.writer import Change, compare, shown, write
from tests.support import ROOT

FILE = File("site1/asgi.py", '"""Ours."""\n\nvalue = "é"\n')


def put(base: Path, file: File = FILE) -> Change:
    change = compare(base, file, "asgi")
    write(change)
    return change


def state(base: Path, file: File = FILE) -> str:
    return compare(base, file, "asgi").state


def names(base: Path) -> list[str]:
    return sorted(path.name for path in base.rglob("*") if not path.is_dir())


def test_a_new_file_with_its_directories(tmp_path):
    assert state(tmp_path) == "missing"
    put(tmp_path)
    marker, _, rest = (tmp_path / "site1/asgi.py").read_text().partition("\n")
    digest = hashlib.sha256(FILE.content.encode()).hexdigest()[:16]
    assert marker == f"# Written by deploytool (manage.py deployfiles asgi); sha256:{digest}"
    assert rest == FILE.content
    assert names(tmp_path) == ["asgi.py"]


def test_twice_changes_nothing(tmp_path):
    put(tmp_path)
    before = (tmp_path / "site1/asgi.py").stat()
    assert put(tmp_path).state == "unchanged"
    after = (tmp_path / "site1/asgi.py").stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)


def test_what_we_wrote_is_replaced_and_what_was_changed_since_is_told(tmp_path):
    put(tmp_path)
    newer = File(FILE.path, "value = 2\n")
    assert state(tmp_path, newer) == "outdated"
    assert compare(tmp_path, newer, "asgi").reason is None
    path = tmp_path / FILE.path
    path.write_text(path.read_text() + "# a line of mine\n")
    assert state(tmp_path) == state(tmp_path, newer) == "edited"
    assert compare(tmp_path, newer, "asgi").reason == "changed since deploytool wrote it"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "value = 1\n",
        "# Written by deploytool (manage.py deployfiles asgi)\nvalue = 1\n",
        # Farther down it is text, such as that of a documentation.
        "a\nb\n# Written by deploytool (manage.py deployfiles asgi); sha256:0123456789abcdef\n",
    ],
)
def test_what_somebody_else_wrote_is_told(tmp_path, text):
    (tmp_path / "site1").mkdir()
    (tmp_path / FILE.path).write_text(text)
    change = compare(tmp_path, FILE, "asgi")
    assert (change.state, change.reason) == ("foreign", "not written by deploytool")


def test_the_same_file_without_a_marker_needs_nothing(tmp_path):
    (tmp_path / "site1").mkdir()
    (tmp_path / FILE.path).write_text(FILE.content)
    assert state(tmp_path) == "unchanged"


def test_converted_line_ends_are_no_change(tmp_path):
    put(tmp_path)
    path = tmp_path / FILE.path
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert state(tmp_path) == "unchanged"
    assert state(tmp_path, File(FILE.path, "value = 2\n")) == "outdated"


def test_the_marker_comes_after_a_shebang_and_in_the_files_own_comments(tmp_path):
    script = File("run", "#!/bin/sh\nexec true\n", mode=0o755)
    put(tmp_path, script)
    lines = (tmp_path / "run").read_text().splitlines()
    assert (lines[0], lines[2]) == ("#!/bin/sh", "exec true")
    assert lines[1].startswith("# Written by deploytool")
    assert state(tmp_path, script) == "unchanged"
    assert state(tmp_path, File("run", "#!/bin/sh\nexec false\n")) == "outdated"
    config = File("site.conf", "a = 1\n", comment=";")
    put(tmp_path, config)
    assert (tmp_path / "site.conf").read_text().startswith("; Written by deploytool")
    assert state(tmp_path, config) == "unchanged"


def test_permissions(tmp_path):
    mask = os.umask(0o027)
    try:
        put(tmp_path, File("run", "true\n", mode=0o755))
        assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o750
        (tmp_path / "run").chmod(0o705)
        put(tmp_path, File("run", "false\n", mode=0o644))
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o705


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_the_owner_stays(tmp_path):
    put(tmp_path)
    os.chown(tmp_path / FILE.path, 12345, 54321)
    put(tmp_path, File(FILE.path, "value = 2\n"))
    found = (tmp_path / FILE.path).stat()
    assert (found.st_uid, found.st_gid) == (12345, 54321)


@pytest.mark.parametrize("path", ["../outside.py", "/etc/outside.py", "a/../../outside.py", "."])
def test_paths_out_of_the_project_are_refused(tmp_path, path):
    base = tmp_path / "project"
    base.mkdir()
    with pytest.raises(CommandError, match="leads out of the project"):
        put(base, File(path, "value = 1\n"))
    assert names(tmp_path) == []


def test_links_out_of_the_project_are_refused(tmp_path):
    base, outside = tmp_path / "project", tmp_path / "outside"
    base.mkdir()
    outside.mkdir()
    (base / "site1").symlink_to(outside)
    with pytest.raises(CommandError, match="leads out of the project"):
        put(base)
    (base / "site1").unlink()
    (base / "site1").mkdir()
    (outside / "asgi.py").write_text("theirs\n")
    (base / "site1/asgi.py").symlink_to(outside / "asgi.py")
    with pytest.raises(CommandError, match="leads out of the project"):
        put(base)
    assert (outside / "asgi.py").read_text() == "theirs\n"


def test_a_link_within_the_project_stays_a_link(tmp_path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "site1").mkdir()
    (tmp_path / "site1/asgi.py").symlink_to("../shared/asgi.py")
    put(tmp_path)
    assert (tmp_path / "site1/asgi.py").is_symlink()
    assert (tmp_path / "shared/asgi.py").read_text().endswith(FILE.content)
    assert state(tmp_path) == "unchanged"


def test_the_project_may_be_reached_by_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    put(tmp_path / "link")
    assert (tmp_path / "real/site1/asgi.py").is_file()


def test_a_link_to_itself(tmp_path):
    (tmp_path / "asgi.py").symlink_to("asgi.py")
    with pytest.raises(CommandError, match=r"asgi\.py cannot be read"):
        put(tmp_path, File("asgi.py", "value = 1\n"))


def test_a_directory_in_the_place_of_the_file(tmp_path):
    (tmp_path / FILE.path).mkdir(parents=True)
    with pytest.raises(CommandError, match=r"site1/asgi\.py cannot be read: Is a directory"):
        put(tmp_path)
    assert names(tmp_path) == []


def test_a_file_in_the_place_of_a_directory(tmp_path):
    (tmp_path / "site1").write_text("theirs\n")
    with pytest.raises(CommandError, match=r"site1/asgi\.py cannot be read: Not a directory"):
        put(tmp_path)
    assert (tmp_path / "site1").read_text() == "theirs\n"


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "site1").mkdir()
    (tmp_path / FILE.path).write_bytes(b"value = '\xe9'\n")
    with pytest.raises(CommandError, match="not text in UTF-8"):
        put(tmp_path)
    assert (tmp_path / FILE.path).read_bytes() == b"value = '\xe9'\n"


def test_a_directory_that_appears_between_comparing_and_writing(tmp_path):
    change = compare(tmp_path, FILE, "asgi")
    (tmp_path / FILE.path).mkdir(parents=True)
    with pytest.raises(CommandError, match=r"site1/asgi\.py cannot be written: Is a directory"):
        write(change)
    assert list((tmp_path / "site1").iterdir()) == [tmp_path / FILE.path]


def test_a_file_in_the_way_of_a_new_directory(tmp_path):
    change = compare(tmp_path, FILE, "asgi")
    (tmp_path / "site1").write_text("theirs\n")
    with pytest.raises(CommandError, match="cannot be written: File exists"):
        write(change)
    assert names(tmp_path) == ["site1"]


def write_limited(base: Path, limit: str) -> str:
    """Write the file anew in a process that first does ``limit``; what it raises."""
    script = (
        "import os, resource, signal, sys\n"
        "from deploytool.artifacts.rendering import File\n"
        "from deploytool.writer import compare, write\n"
        "from django.core.management.base import CommandError\n"
        f"change = compare(sys.argv[1], File({FILE.path!r}, 'x' * 5000), 'asgi')\n"
        f"{limit}\n"
        "try:\n    write(change)\nexcept CommandError as error:\n    print(error)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", script, str(base)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_a_disk_that_is_full(tmp_path):
    put(tmp_path)
    before = (tmp_path / FILE.path).read_bytes()
    # A limit on the size of files stops the writing in the middle, as a full disk does.
    said = write_limited(
        tmp_path,
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))",
    )
    assert "cannot be written: File too large" in said
    assert (tmp_path / FILE.path).read_bytes() == before
    assert names(tmp_path) == ["asgi.py"]


@pytest.mark.parametrize(("file_mode", "directory_mode"), [(0o444, 0o777), (0o666, 0o555)])
def test_what_is_read_only_is_left_alone(file_mode, directory_mode):
    # Not below pytest's directory, which only its owner may enter.
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        base.chmod(0o755)
        put(base)
        before = (base / FILE.path).read_bytes()
        (base / FILE.path).chmod(file_mode)
        (base / "site1").chmod(directory_mode)
        # Permissions do not bind root.
        said = write_limited(base, "if os.getuid() == 0:\n    os.setuid(65534)")
        (base / "site1").chmod(0o755)
        assert "cannot be written: Permission denied" in said
        assert (base / FILE.path).read_bytes() == before
        assert names(base) == ["asgi.py"]


def test_a_diff_that_patch_understands(tmp_path):
    path = tmp_path / FILE.path
    change = compare(tmp_path, FILE, "asgi")
    (tmp_path / "site1").mkdir()
    for before in ("value = 1", "value = 1\n", None):
        if before is not None:
            path.write_text(before)
            change = compare(tmp_path, FILE, "asgi")
        patch = subprocess.run(
            ["git", "apply", "--verbose", "-"],
            input=change.diff(FILE.path),
            cwd=tmp_path,
            env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert patch.returncode == 0, patch.stderr
        assert path.read_text() == change.after
        path.unlink()
        change = compare(tmp_path, FILE, "asgi")
    put(tmp_path)
    assert compare(tmp_path, FILE, "asgi").diff(FILE.path) == ""


def test_paths_are_shown_as_a_person_would_open_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "site1" / "asgi.py") == "site1/asgi.py"
    assert shown(Path("/etc/asgi.py")) == "/etc/asgi.py"
