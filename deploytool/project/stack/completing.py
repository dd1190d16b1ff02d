"""Launches with what their configuration files add: Gunicorn's, uWSGI's."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from deploytool.project.stack.facts import Launch, Option, Start
from deploytool.project.stack.gunicorn_conf import (
    GunicornConf,
    command_arguments,
    read_gunicorn_conf,
)
from deploytool.project.stack.options import UWSGI
from deploytool.project.stack.repository import DeployFile
from deploytool.project.stack.units import Sections, read_ini

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploytool.project.stack.repository import Repository

DEFAULT_CONF = "gunicorn.conf.py"
"""What Gunicorn reads in the directory that it is started in, unless ``--config`` is given."""


class Completing:
    """Adds configuration files to launches, and remembers which files were read."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._read: dict[str, tuple[DeployFile, GunicornConf]] = {}

    def confs(self) -> tuple[tuple[DeployFile, GunicornConf], ...]:
        """Every configuration file of Gunicorn that is read, or would be where it lies."""
        for file in self._repository.of("gunicorn"):
            if file.name == DEFAULT_CONF:
                self.conf(file, {})
        return tuple(self._read.values())

    def conf(self, file: DeployFile, env: Mapping[str, str]) -> GunicornConf:
        """The configuration file ``file``."""
        if file.path not in self._read or env:
            self._read[file.path] = (file, read_gunicorn_conf(file, env))
        return self._read[file.path][1]

    def complete(self, start: Start) -> Start:
        """``start`` with its servers' configuration files read."""
        if not any(step.launch for step in start.steps):
            return start
        steps = tuple(
            replace(step, launch=self._completed(step.launch, start)) if step.launch else step
            for step in start.steps
        )
        return replace(start, steps=steps)

    def _completed(self, launch: Launch, start: Start) -> Launch:
        if launch.server == "gunicorn":
            return self._gunicorn(launch, start)
        if launch.server == "uwsgi":
            return self._uwsgi(launch, start)
        return launch

    def _gunicorn(self, launch: Launch, start: Start) -> Launch:
        env = {
            **start.environment.known(),
            **{name: value for name, value in launch.env.items() if value is not None},
        }
        arguments = command_arguments(env.get("GUNICORN_CMD_ARGS", ""), launch)
        above = [option for option in launch.options if option.source == "command"]
        below = [option for option in launch.options if option.source == "env"]
        every = [*arguments, *above]
        named = next((option for option in reversed(every) if option.name == "config"), None)
        file = self._conf_file(named, launch, start)
        options: tuple[Option, ...] = ()
        config, unknown = None, named is not None and file is None
        if file is not None:
            conf = self.conf(file, env)
            options, config = conf.options, file.path
            unknown = conf.opaque
        application = launch.application
        if application is None:
            application = next((o.value for o in options if o.name == "wsgi_app"), None)
        return replace(
            launch,
            application=application,
            options=(*below, *options, *arguments, *above),
            config=config,
            config_unknown=unknown,
        )

    def _conf_file(self, named: Option | None, launch: Launch, start: Start) -> DeployFile | None:
        where = started_in(launch, start)
        if named is None:
            candidates = [os.path.join(where, DEFAULT_CONF)] if where else []
        elif named.value is None:
            return None
        else:
            text = named.value.removeprefix("file:")
            if text.startswith("python:"):
                text = text.removeprefix("python:").replace(".", "/") + ".py"
            candidates = [os.path.join(where, text)] if where else []
            candidates += self._by_name(text)
        for path in candidates:
            if os.path.isfile(path):
                return DeployFile(
                    path, "gunicorn", self._repository.stage(path), self._repository.base_dir
                )
        return None

    def _by_name(self, text: str) -> list[str]:
        """Files whose path ends like ``text``: ``/app/deploy/gunicorn.conf.py`` in an image."""
        parts = [part for part in text.split("/") if part not in {"", ".", ".."}]
        for start in range(len(parts)):
            tail = os.sep.join(parts[start:])
            found = [
                path for path in self._repository.named(parts[-1]) if path.endswith(os.sep + tail)
            ]
            if found:
                return found if len(found) == 1 else []
        return []

    def _uwsgi(self, launch: Launch, start: Start) -> Launch:
        where = started_in(launch, start)
        names = [option.value for option in launch.options if option.name == "ini" and option.value]
        names += [word for word in launch.words[1:] if word.endswith(".ini")]
        for name in names:
            paths = [os.path.join(where, name)] if where else []
            for path in [*paths, *self._by_name(name)]:
                if os.path.isfile(path):
                    file = DeployFile(
                        path, "uwsgi", self._repository.stage(path), self._repository.base_dir
                    )
                    return with_uwsgi_ini(launch, read_ini(file))
        return replace(launch, config_unknown=bool(names))


def started_in(launch: Launch, start: Start) -> str | None:
    """The directory of the repository that a server is started in, None where not known."""
    directory = launch.directory
    if directory is None:
        return start.root
    if start.root is None or "$" in directory:
        return None
    if directory.startswith("/"):
        if start.directory and directory.startswith(start.directory.rstrip("/") + "/"):
            return os.path.join(start.root, os.path.relpath(directory, start.directory))
        return start.root if directory == start.directory else None
    return os.path.normpath(os.path.join(start.root, directory))


def with_uwsgi_ini(launch: Launch, ini: Sections) -> Launch:
    """``launch`` with the options of an INI file; those of the command line stay above."""
    options: list[Option] = []
    for entry in ini.entries:
        if entry.section != "uwsgi":
            continue
        name = UWSGI.name(entry.name.replace("_", "-"))
        value: str | None = entry.value or "true"
        if re.search(r"%[\w(]|\$\(|@\(", entry.value):
            value = None
        options.append(Option(name, value, entry.place, "file", entry.value))
    module = next((o.value for o in options if o.name == "module"), None)
    called = next((o.value for o in options if o.name == "callable"), None)
    if module and ":" not in module and called:
        module = f"{module}:{called}"
    module = module or next((o.value for o in options if o.name in {"wsgi_file", "file"}), None)
    return replace(
        launch,
        application=launch.application or module,
        options=(*options, *launch.options),
        config=ini.file.path,
    )
