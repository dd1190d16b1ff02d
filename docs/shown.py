"""``python docs/shown.py``: bring what the pages show up to date, from real runs.

Two kinds of blocks in README.md and docs/ are not written by hand:

* A console block below ``<!-- shown: STATE -->`` holds commands (``$ python manage.py ...``)
  and what they print in a project in that state. Each block runs in a project of its own.
* The table below ``<!-- table: settings -->`` is made from ``deploytool.conf.Conf``.

checks.md is written as a whole, from the rules of ``deploytool.checks``.

A block below ``<!-- file: PATH -->`` or ``<!-- append: PATH -->`` is what the reader is told
to write: those of the README are the files of the projects. tests/test_docs.py compares what
is shown with what is printed, so that nothing on a page can drift from the code.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, get_args

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import django  # noqa: E402

from deploytool.checks.rule import Rule, rules  # noqa: E402
from deploytool.conf import Conf  # noqa: E402
from deploytool.handlers.options import Optimisation  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

# How the places of this machine are written for a reader.
HOME = "/home/you/mysite"
CHECKS = ROOT / "docs" / "checks.md"
PYTHON = f"{HOME}/.venv/bin/python"
PORT = 8000

_BLOCK = re.compile(
    r"^<!-- (?P<kind>shown|file|append): (?P<name>\S+) -->\n\n?```(?P<language>\w+)\n"
    r"(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_TABLE = re.compile(r"^<!-- table: settings -->\n\n(?P<text>(?:\|.*\n)+)", re.MULTILINE)


class Block(NamedTuple):
    """One marked block of a page: its kind and name, and the text between the fences."""

    page: Path
    kind: str
    name: str
    text: str


def pages() -> list[Path]:
    """The pages that may hold marked blocks."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]


def blocks(page: Path) -> Iterator[Block]:
    """The marked blocks of ``page``."""
    for found in _BLOCK.finditer(page.read_text("utf-8")):
        yield Block(page, found["kind"], found["name"], found["text"])


# Projects


def make_project(state: str, directory: Path) -> Path:
    """A project in ``state``, in ``directory``, which is empty.

    ``fresh`` is startproject with deploytool in INSTALLED_APPS; ``routed`` has the README's
    WebSocket route too, and ``served`` an asgi.py that answers it; ``production`` is
    ``fresh`` with DEBUG off and the README's settings, ``checked`` that without the mail that
    only some versions of Django print, ``persistent`` that with connections to PostgreSQL
    that persist, ``misspelt`` with a wrong key.
    """
    _run([sys.executable, "-m", "django", "startproject", "mysite", "."], directory)
    _install(directory, "deploytool")
    written = {(block.kind, block.name): block.text for block in blocks(ROOT / "README.md")}
    if state in {"routed", "served"}:
        for (kind, name), text in written.items():
            if kind == "file":
                path = directory / name
                path.parent.mkdir(exist_ok=True)
                (path.parent / "__init__.py").touch()
                path.write_text(text, "utf-8")
        _install(directory, "chat")
    if state == "served":
        _run([sys.executable, "manage.py", "deployfiles", "asgi"], directory, answer="y\n")
    settings = directory / "mysite" / "settings.py"
    text = settings.read_text("utf-8")
    if state == "misspelt":
        settings.write_text(text + '\nDEPLOYTOOL = {"WORKER": 4}\n', "utf-8")
    if state in {"checked", "persistent"}:
        text = re.sub(r"^MAILERS = \{.*?^\}$", "", text, flags=re.MULTILINE | re.DOTALL)
    if state in {"production", "checked", "persistent"}:
        text = text.replace("DEBUG = True", "DEBUG = False")
        text = text.replace("ALLOWED_HOSTS = []", 'ALLOWED_HOSTS = ["example.org"]')
        text += "\n" + written["append", "mysite/settings.py"]
        if state == "persistent":
            text += _PERSISTENT
        settings.write_text(text, "utf-8")
    return directory


_PERSISTENT = """STATIC_URL = "https://static.example.org/"
STATIC_ROOT = BASE_DIR / "staticfiles"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "mysite",
        "CONN_MAX_AGE": 600,
    }
}
"""


def _install(directory: Path, app: str) -> None:
    settings = directory / "mysite" / "settings.py"
    text = settings.read_text("utf-8")
    settings.write_text(
        text.replace("INSTALLED_APPS = [\n", f'INSTALLED_APPS = [\n    "{app}",\n'), "utf-8"
    )


# Commands


def run_block(text: str, project: Path) -> str:
    """``text``, the inside of a block, as it would be if its commands ran in ``project`` now."""
    shown = []
    for line in text.splitlines():
        if line.startswith("$ "):
            output = _output(line.removeprefix("$ "), project)
            shown.append(f"{line}\n{as_shown(output, project)}")
    return "".join(shown)


def _output(command: str, project: Path) -> str:
    """What a terminal would show of ``command``, which is ``[NAME=VALUE...] python ...``."""
    words = shlex.split(command)
    changes = {}
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        changes[name] = value
    words[0] = sys.executable
    if "runserver_gateway" in words and "--dry-run" not in words:
        return _served(words, project, changes)
    # Whoever is asked whether to overwrite a file says yes.
    output = _run(words, project, answer="y\n", **changes)
    return output.replace("[y/N] ", "[y/N] y\n")


def _environment(changes: dict[str, str]) -> dict[str, str]:
    """The environment of a reader who has installed the package and set nothing."""
    decides = {
        "DEPLOYTOOL_ASGI_THREADS",
        "DJANGO_SETTINGS_MODULE",
        "FORWARDED_ALLOW_IPS",
        "PORT",
        "WEB_CONCURRENCY",
    }
    env = {name: value for name, value in os.environ.items() if name not in decides}
    return {**env, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **changes}


def _run(argv: list[str], directory: Path, answer: str = "", **changes: str) -> str:
    done = subprocess.run(  # noqa: S603 - the commands of these pages
        argv,
        cwd=directory,
        env=_environment(changes),
        input=answer,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout


def _served(argv: list[str], directory: Path, changes: dict[str, str]) -> str:
    """What a server prints from its start, through one request, to its end by SIGTERM."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (directory / "output").open("w+b") as output:
        process = subprocess.Popen(  # noqa: S603 - as above
            [*argv, f"127.0.0.1:{port}"],
            cwd=directory,
            env=_environment(changes),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _request_once(port, process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        output.seek(0)
        return output.read().decode().replace(f":{port}", f":{PORT}")


def _request_once(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return once a request to ``port`` is answered, or ``process`` has ended."""
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(request)
                if connection.recv(1):
                    time.sleep(0.2)  # the access log's line follows the response
                    return
        except OSError:
            time.sleep(0.05)


# What differs between machines


def as_shown(output: str, project: Path) -> str:
    """``output`` as it would be on a reader's machine: their paths, and no container."""
    real = os.path.realpath(project)
    for path in {str(project), real}:
        output = output.replace(path, HOME)
    output = output.replace(sys.executable, PYTHON)
    # The package is installed there, and imported from the checkout here.
    output = output.replace(f"{HOME}:{ROOT}", HOME).replace(f" --reload-dir {ROOT}", "")
    return _outside_container(output)


def _outside_container(output: str) -> str:
    """In a container the default address is another, and the reason for it."""
    output = re.sub(
        r"(--bind |--host )0\.0\.0\.0(:8000| --port 8000)\b", r"\g<1>127.0.0.1\2", output
    )
    lines = output.split("\n")
    for index, line in enumerate(lines):
        found = re.match(r"(  bind +)0\.0\.0\.0:8000( +)In a container.*", line)
        if found:
            # The table's second column was as wide as the longest value.
            start = found.end(2)
            width = max(start - 2, len(found[1]) + len("127.0.0.1:8000"))
            for row, text in enumerate(lines):
                if re.match(r"  \w+ +\S+ +\S", text) and text[start - 2 : start] == "  ":
                    lines[row] = text[: start - 2].ljust(width) + text[start - 2 :]
            lines[index] = (found[1] + "127.0.0.1:8000").ljust(width)
            lines[index] += "  Only this machine can reach it."
            break
    return "\n".join(lines)


def comparable(text: str) -> str:
    """``text`` without what differs between two runs: versions, times, processes, sizes."""
    for pattern, constant in (
        (r"(?i)\b(gunicorn|uvicorn|daphne|django|python) \d+(\.\d+)+\w*", r"\1 VERSION"),
        (r"\[\d{4}-\d\d-\d\d [\d:]+ [+-]\d{4}\]", "[TIME]"),
        (r"\[\d\d/\w{3}/\d{4}:[\d:]+( [+-]\d{4})?\]", "[TIME]"),
        (r"\d{4}-\d\d-\d\d [\d:]+,\d{3}", "TIME"),
        (r"\[\d+\]|\(\d+\)|(?<=pid: )\d+", "PID"),
        (r"127\.0\.0\.1:\d{5}\b", "CLIENT"),
        (r"[\d.]+ CPUs?, [\d.]+ GiB", "MACHINE"),
        (r'(?<=" 200 )\d+', "SIZE"),
        (r"\bsettings\.py:\d+", "settings.py:LINE"),  # as this Django's startproject has it
    ):
        text = re.sub(pattern, constant, text)
    return text


# The table of settings


def settings_table() -> str:
    """The keys of ``settings.DEPLOYTOOL``, with what ``Conf`` says of each."""
    said = _docstrings()
    rows = ["| Key | Value | Meaning |", "| --- | --- | --- |"]
    for field in fields(Conf):
        kind = str(field.type).replace(" | None", "")
        names = {"str": "string", "int": "whole number", "float": "number", "bool": "boolean"}
        # Literal['wsgi', 'asgi']
        if kind == "tuple[Optimisation, ...]":
            choices = ", ".join(f"`'{word}'`" for word in get_args(Optimisation))
            rows.append(f"| `{field.name.upper()}` | list of {choices} | {said[field.name]} |")
            continue
        value = names.get(kind) or ", ".join(f"`{word}`" for word in re.findall(r"'.*?'", kind))
        meaning = said[field.name].replace("``", "`")
        if field.default is not None:
            meaning += f" Default: {field.default:g}."
        rows.append(f"| `{field.name.upper()}` | {value} | {meaning} |")
    return "\n".join(rows) + "\n"


def _docstrings() -> dict[str, str]:
    """The string below each field of ``Conf``."""
    [cls] = ast.parse(inspect.getsource(Conf)).body
    said = {}
    for field, text in zip(cls.body, cls.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            said[field.target.id] = inspect.cleandoc(text.value.value).replace("\n", " ")
    return said


def _renewed(found: re.Match[str]) -> str:
    if found["kind"] != "shown":
        return found[0]
    with tempfile.TemporaryDirectory() as directory:
        printed = run_block(found["text"], make_project(found["name"], Path(directory)))
    if comparable(printed) == comparable(found["text"]):
        return found[0]  # not for a new time and process id alone
    return found[0].replace(found["text"], printed)


# The page of all checks


def checks_page() -> str:
    """docs/checks.md: every rule's own page, below the subject of its module."""
    subjects: dict[str, list[str]] = {}
    for rule in sorted(rules(), key=lambda each: each.number):
        subject = (sys.modules[rule.judge.__module__].__doc__ or "").partition("\n")[0]
        subjects.setdefault(subject.rstrip("."), []).append(_check(rule))
    parts = [f"## {subject}\n\n" + "\n".join(checks) for subject, checks in subjects.items()]
    return _CHECKS + "\n".join(parts)


_CHECKS = """# All checks

Written by `python docs/shown.py` from the checks themselves; `manage.py deploycheck --list` lists
them, `--explain ID` prints one. E is an error: requests fail or data is lost as planned. W is a
warning: so it will be under conditions that the message names. I is advice. Where a check has
several levels, the usual one stands first. A link to one ends in its id, as in
`checks.md#deploytool-w003`. The command has a page of its own: [deploycheck](deploycheck.md).

"""


def _check(rule: Rule) -> str:
    ids = ", ".join(f"`{each}`" for each in rule.ids)
    sections = rule.sections
    # Plain HTML, so that checks.md#deploytool-w003 leads here wherever the page is read.
    anchors = "".join(f'<a id="{each.lower().replace(".", "-")}"></a>' for each in rule.ids)
    text = [f"{anchors}\n\n### {rule.number:03}: {rule.title}\n\n{ids}\n"]
    text.append(f"{sections.pop('')}\n")
    text += [f"**{heading}**\n\n{section}\n" for heading, section in sections.items()]
    return "\n".join(text)


def main() -> None:
    """Rewrite every marked block of every page, and name the pages that changed."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "myproject.settings")
    django.setup()
    CHECKS.write_text(checks_page(), "utf-8")
    for page in pages():
        before = page.read_text("utf-8")
        after = _TABLE.sub(lambda _: f"<!-- table: settings -->\n\n{settings_table()}", before)
        after = _BLOCK.sub(_renewed, after)
        if after != before:
            page.write_text(after, "utf-8")
            print(f"{page.relative_to(ROOT)}: updated")


if __name__ == "__main__":
    main()
