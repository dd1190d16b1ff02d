"""The server itself: what it reads beside the plan, and whether it will be installed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from deploytool.checks.rule import Finding, rule
from deploytool.project.facts import Location
from deploytool.project.gunicorn_settings import VARIABLE, beside_command_line
from deploytool.project.requirements import inspect_requirements
from deploytool.servers import server_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case
    from deploytool.project.stack.facts import Option

_SHOWN = 6


@rule(213, "WI")
def gunicorn_reads_more(case: Case) -> Iterator[Finding]:
    """Gunicorn reads settings that the plan knows nothing of.

    The plan serves with Gunicorn, and `gunicorn.conf.py` lies where it is started, or
    `$GUNICORN_CMD_ARGS` is set. A warning where a setting there undoes what is planned:
    `daemon`, `reload`, a certificate, another settings module in `raw_env`. Advice for what
    else comes from there, and for what has no effect because the command line says otherwise.

    ## Why is this bad?
    Gunicorn reads both without being told to. With `daemon` the process that was started
    ends at once, which a container or systemd takes for the end of the server. With `reload`
    it watches all files, and starts again when one changes. With a certificate it answers
    nothing to a proxy that speaks HTTP. What the command line sets wins, so that a number of
    workers in the file is ignored.

    ## Example
    ```python
    # gunicorn.conf.py
    daemon = True
    workers = 9
    ```

    ## Use instead
    `settings.DEPLOYTOOL`, and no file; or Gunicorn by itself, with the file.

    ## Source
    Gunicorn's documentation, "Configuration Overview", and "Settings".
    """
    if case.plan.server != "gunicorn" or not case.plan.argv:
        return
    arguments, place = _arguments(case)
    directories = (os.getcwd(), case.project.base_dir)
    beside = beside_command_line(
        case.plan.argv[3:-1], directories, arguments, place, case.project.base_dir
    )
    undoing = [(option, _undoes(case, option)) for option in beside.in_force]
    for option, consequence in undoing:
        if consequence:
            yield Finding(
                f"{_from(option)} sets {option.name} = {_value(option)}, which Gunicorn obeys "
                f"beside the plan: {consequence}.",
                f"Take {option.name} out of it.",
                option.place,
            )
    if any(launch.server == "gunicorn" for _, launch in case.files.served):
        return  # the file is for that one
    quiet = [option for option, consequence in undoing if not consequence]
    if quiet or beside.overridden:
        parts = []
        if quiet:
            shown = ", ".join(f"{option.name} = {_value(option)}" for option in quiet[:_SHOWN])
            more = len(quiet) - _SHOWN
            parts.append(f"in force beside the plan: {shown}" + (", …" if more > 0 else ""))
        if beside.overridden:
            shown = ", ".join(
                f"{option.name} = {_value(option)} (planned: {planned})"
                for option, planned in beside.overridden[:_SHOWN]
            )
            more = len(beside.overridden) - _SHOWN
            parts.append(f"without effect: {shown}" + (", …" if more > 0 else ""))
        first = quiet[0] if quiet else beside.overridden[0][0]
        yield Finding(
            f"Gunicorn reads {_from(first)} as well; {'; '.join(parts)}.",
            "State it in settings.DEPLOYTOOL, or start Gunicorn by itself, with the file.",
            first.place,
            "I",
        )


def _arguments(case: Case) -> tuple[str, Location]:
    """``$GUNICORN_CMD_ARGS``: of a deployment file that starts the plan, else of this process."""
    for start, launch in case.files.served:
        text = start.environment.get(VARIABLE)
        if launch.server == "runserver_gateway" and text:
            return text, start.environment.places.get(VARIABLE, start.place)
    return os.environ.get(VARIABLE, ""), Location(f"${VARIABLE}")


def _from(option: Option) -> str:
    return f"${VARIABLE}" if option.source == "env" else option.place.path


def _value(option: Option) -> str:
    return option.written if option.value is None else option.value or "''"


def _undoes(case: Case, option: Option) -> str | None:
    """What ``option`` undoes of the plan; None where it does not."""
    value = option.value or ""
    on = value in {"true", "True"}
    if option.name == "daemon" and on:
        return "what is started ends at once, and the server runs on without whoever started it"
    if option.name == "reload" and on and not case.plan.reload:
        return "it watches all files, and starts its workers again when one changes"
    if option.name == "certfile" and value:
        return "it speaks TLS alone, and answers no request over HTTP"
    if option.name == "raw_env":
        for variable in value.split(","):
            name, _, module = variable.partition("=")
            if name.strip() == "DJANGO_SETTINGS_MODULE" and module != case.project.settings_module:
                return f"it serves with other settings than {case.project.settings_module}"
    return None


@rule(214, "W")
def server_not_required(case: Case) -> Iterator[Finding]:
    """The server is installed here, and not among the requirements.

    The server of the plan is in no requirements or lock file that names Django, in no
    Dockerfile, and nothing that is named there requires it. Silent where the deployment files start
    other servers only.

    ## Why is this bad?
    It is here because somebody installed it here. An environment that is made of the
    requirements does not have it: nothing starts there, or another server is planned, which
    was judged by nobody.

    ## Example
    `pip install uvicorn` in a terminal, and a `requirements.txt` without it.

    ## Use instead
    A line for it, and the lock file made anew.

    ## Source
    pip's documentation, "Requirements File Format".
    """
    if case.plan.server is None:
        return
    server = server_named(case.plan.server)
    if case.project.machine.version(server.distribution) is None:
        return
    started = {launch.server for _, launch in case.files.served}
    if started and not started & {case.plan.server, "runserver_gateway"}:
        return  # the deployment files start another one, and nobody starts the plan
    required = inspect_requirements(case.files.stack)
    if not required.files or not required.complete:
        return  # nothing here says what is installed
    if not required.include(server.distribution):
        file = required.files[0]
        names = " or ".join(sorted({each.name for each in required.files}))
        yield Finding(
            f"The plan serves with {server.title}, which is installed here and is not in {names}: "
            "an environment that is made of it cannot start it.",
            f"Add {server.distribution} to the requirements"
            + (" and lock them again." if file.kind == "lock" else "."),
            file.at(),
        )
