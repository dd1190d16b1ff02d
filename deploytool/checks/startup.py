"""What a server starts with: its settings, its import path, and whether there is one at all."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from deploytool.checks.rule import Finding, rule
from deploytool.checks.served_settings import settings_of_files
from deploytool.plan.making import entry_problems, request_problems
from deploytool.project.alone import import_alone
from deploytool.project.candidates import module_spec
from deploytool.project.settings_choice import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case
    from deploytool.project.settings_choice import Choice


@rule(19, "WI")
def other_settings(case: Case) -> Iterator[Finding]:
    """An entry point chooses other settings than those that are loaded here.

    `wsgi.py` or `asgi.py` names settings that do not exist, that have `DEBUG` on, or none; it
    asks for a setting before it names them; or it assigns `DJANGO_SETTINGS_MODULE` where
    `setdefault()` would leave the choice to the environment. That `manage.py` names the
    settings for development and the entry points those for production is fine, and said so
    that the right ones are checked.

    ## Why is this bad?
    What is tested is not what is served: the server does not start (`ModuleNotFoundError`,
    `ImproperlyConfigured`), or it serves the settings for development without a word.

    ## Example
    ```python
    # wsgi.py, after the settings were moved to mysite/settings/production.py
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.prod_settings")
    ```

    ## Use instead
    ```python
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings.production")
    ```

    ## Source
    Django's documentation, "How to deploy with WSGI", "Configuring the settings module".
    """
    if case.project.settings_module is None:
        return
    entry = case.entry
    if entry.started and entry.settings_module != case.project.settings_module:
        yield _assigned(case)
        return
    files = settings_of_files(case)
    if files is not None:
        # What the entry points choose by themselves is not asked then.
        if files[0] != case.project.settings_module and module_spec(files[0]):
            yield Finding(
                f"{files[1]} sets {VARIABLE} to {files[0]}, and these findings are about "
                f"{case.project.settings_module}.",
                f"manage.py deploycheck --settings {files[0]} checks what is served there.",
                files[1],
                "I",
            )
        return
    planned = case.settings_choices.of(entry.interface)
    # One that cannot be imported at all is another rule's.
    if planned is not None and entry.status != "error":
        yield from _planned(case, planned)
    other = case.settings_choices.of("wsgi" if case.asgi else "asgi")
    if other is None or other.module is None:
        return
    if module_spec(other.module) is None:
        yield Finding(
            f"{other.file} names the settings {other.module}, and there is no such module. "
            f"The plan serves {case.plan.interface.upper()}; a server that is given it, with "
            f"{VARIABLE} not set, does not start.",
            f"Name {case.project.settings_module}, or remove {other.file}.",
            other.location,
            "W",
        )
    elif planned and planned.module and other.title != planned.title:
        yield Finding(
            f"{other.file} names the settings {other.title}, and {planned.file} names "
            f"{planned.title}: which are served depends on the interface.",
            "Name the same in both, if that is not meant.",
            other.location,
            "I",
        )


def _assigned(case: Case) -> Finding:
    entry, loaded = case.entry, case.project.settings_module
    return Finding(
        f"{entry.application} assigns {VARIABLE}: it serves the settings {entry.settings_module}, "
        f"whatever the environment says, and these findings are about {loaded}.",
        f'Leave the choice to the environment with os.environ.setdefault("{VARIABLE}", ...); '
        f"manage.py deploycheck --settings {entry.settings_module} checks what it serves.",
        case.settings_choices.place(entry.interface) or entry.location,
        "I" if case.settings_choices.by == "manage.py" else "W",
    )


def _planned(case: Case, chosen: Choice) -> Iterator[Finding]:
    loaded, by = case.settings_choices.loaded, case.settings_choices.by
    unset = f"Where {VARIABLE} is not set, a server that is given {chosen.file}"
    if chosen.module is None:
        if chosen.named:
            yield Finding(
                f"{chosen.file} loads what asks for a setting before it names the settings. "
                f"{unset} does not start: {chosen.error}.",
                f"Put the line that sets {VARIABLE} first in the file.",
                chosen.location,
                "W",
            )
        else:
            yield Finding(
                f"{chosen.file} names no settings. {unset} does not start.",
                f"Set {VARIABLE} where the server is started, or name the settings in the file: "
                f'os.environ.setdefault("{VARIABLE}", "{loaded}").',
                chosen.location,
                "I",
            )
        return
    if case.settings_choices.are_of(chosen):
        return
    if module_spec(chosen.module) is None:
        yield Finding(
            f"{chosen.file} names the settings {chosen.module}, and there is no such module. "
            f"{unset} does not start.",
            f"Name {loaded}, the settings that are loaded here.",
            chosen.location,
            "W",
        )
    elif chosen.debug and not case.project.debug:
        names, where = "names the settings", "it"
        if chosen.sooner:
            names, where = "is served with the settings", "what chooses them before it does"
            unset = f"Something that it imports, or its package, has chosen them. {unset}"
        yield Finding(
            f"{chosen.file} {names} {chosen.title}, in which DEBUG is on, and those "
            f"that are loaded here are {loaded}. {unset} serves them, and shows settings and "
            "source to visitors.",
            f"Name {loaded} in {where}.",
            chosen.location,
            "I" if by == "environment" else "W",
        )
    else:
        yield Finding(
            f"{chosen.file} names the settings {chosen.title}, and these findings are about "
            f"{case.settings_choices.title}.",
            f"manage.py deploycheck {_options(chosen)} checks what it serves where the "
            "environment does not say otherwise.",
            chosen.location,
            "I",
        )


def _options(chosen: Choice) -> str:
    configuration = f" --configuration {chosen.configuration}" if chosen.configuration else ""
    return f"--settings {chosen.module}{configuration}"


@rule(20, "WI")
def other_settings_for_tasks(case: Case) -> Iterator[Finding]:
    """Celery's application chooses other settings than the entry point.

    The module that makes the Celery application names settings that do not exist, or others
    than the entry point that is served.

    ## Why is this bad?
    Where the environment does not say otherwise, workers and the scheduler use another
    database or broker than the site, or keep every query in memory as `DEBUG` is on.

    ## Example
    ```python
    # celery.py
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings.local")

    # wsgi.py
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings.production")
    ```

    ## Use instead
    The same settings in both, or `DJANGO_SETTINGS_MODULE` in the environment of both.

    ## Source
    Celery's documentation, "First steps with Django".
    """
    worker = case.settings_choices.of("celery")
    site = case.settings_choices.of(case.entry.interface)
    if worker is None or worker.module is None:
        return
    served = (site.module if site else None) or case.settings_choices.loaded
    if worker.module == served:
        return
    gone = module_spec(worker.module) is None
    consequence = (
        f"and there is no such module: where {VARIABLE} is not set, no worker starts."
        if gone
        else f"and the site is served with {served}: where {VARIABLE} is not set, tasks run with "
        f"other settings{', and DEBUG on, which keeps every query' if worker.debug else ''}."
    )
    yield Finding(
        f"{worker.file} names the settings {worker.module}, {consequence}",
        f"Name {served}, or set {VARIABLE} for the workers as for the site.",
        worker.location,
        "W" if gone else "I",
    )


@rule(24, "E")
def no_server(case: Case) -> Iterator[Finding]:
    """No installed server can serve the project as planned.

    None is installed that serves the interface, or the one that is asked for lacks something
    that the project needs: a WebSocket library, a version, HTTP/2.

    ## Why is this bad?
    Nothing can be started. Uvicorn without a WebSocket library does start, and takes each
    handshake for a request of a page that does not exist.

    ## Example
    `pip install django`, and nothing else, in the image that is deployed.

    ## Use instead
    What the hint names, in the requirements of the project.

    ## Source
    Uvicorn's documentation, "Installation"; Gunicorn's, "Installation"; Daphne's README. The
    page of each server here names the versions.
    """
    # As the plan is made for it: what DEBUG alone would hide has rules of its own.
    production = replace(case.project, debug=False)
    others = {*entry_problems(case.entry), *request_problems(production)}
    asked = case.plan.decision("server").source == "setting"
    for problem in case.plan.problems:
        if problem not in others:
            yield Finding(
                problem.message,
                problem.hint or "Install what it names, or ask for another server.",
                case.set_at("DEPLOYTOOL") if asked else None,
            )


@rule(25, "E")
def urlconf_cannot_be_loaded(case: Case) -> Iterator[Finding]:
    """The URLconf cannot be loaded.

    The module of `ROOT_URLCONF`, or one that it imports or includes, raises.

    ## Why is this bad?
    The server starts, as Django loads the URLconf with the first request, and then every
    request is answered 500.

    ## Example
    ```python
    from app.views import hom  # its name is home
    ```

    ## Use instead
    What the message names mended; `manage.py check` passes then.

    ## Source
    Django's documentation, "URL dispatcher", "How Django processes a request".
    """
    views = case.project.views
    if views.error is not None:
        part = "A part of the" if views.views else "The"
        yield Finding(
            f"{part} URLconf cannot be loaded: {views.error}. The server starts, and requests "
            "are answered 500.",
            "Mend it; then manage.py check passes.",
            views.error.location or case.set_at("ROOT_URLCONF"),
        )


@rule(26, "W")
def import_path(case: Case) -> Iterator[Finding]:
    """The entry point can only be imported where manage.py has changed the import path.

    `manage.py` adds a directory to `sys.path`, or starts in one, that the entry point needs
    and does not add itself.

    ## Why is this bad?
    `ModuleNotFoundError` when the server is started by anything but manage.py, unless
    `PYTHONPATH` names the directory; `deployplan` and `runserver_gateway` set it.

    ## Example
    ```python
    # manage.py
    sys.path.append(str(BASE_DIR / "apps"))
    ```

    ## Use instead
    The same line in `wsgi.py` and `asgi.py`, above their other imports, or the directory in
    `PYTHONPATH`.

    ## Source
    Python's documentation, "The initialization of the sys.path module search path";
    Gunicorn's settings `chdir` and `pythonpath`; Uvicorn's `--app-dir`.
    """
    entry, project = case.entry, case.project
    alone = import_alone(project, entry)
    if alone is not None:
        yield Finding(
            f"{entry.application} can be imported because manage.py has extended the import path "
            f"({', '.join(alone.missing)}). A server that is started without it, in the directory "
            f"of the project, does not start: {alone.error}.",
            f"Extend sys.path in {_file(case)} as manage.py does, or start the server with "
            f"PYTHONPATH={os.pathsep.join(alone.missing)}.",
            entry.location,
        )


def _file(case: Case) -> str:
    entry = case.entry
    return entry.location.path if entry.location else f"{entry.interface}.py"


@rule(27, "E")
def http2_without_certificate(case: Case) -> Iterator[Finding]:
    """HTTP/2 is asked for, and there is no certificate.

    `settings.DEPLOYTOOL["HTTP2"]` is on, without `"CERTFILE"` and `"KEYFILE"`.

    ## Why is this bad?
    Browsers speak HTTP/2 over TLS alone. A proxy that ends TLS speaks HTTP/2 with them and
    HTTP/1.1 with the server, which then needs no such setting.

    ## Example
    ```python
    DEPLOYTOOL = {"HTTP2": True}
    ```

    ## Use instead
    ```python
    DEPLOYTOOL = {"HTTP2": True, "CERTFILE": "...", "KEYFILE": "..."}
    ```

    ## Source
    RFC 9113, section 3.2; the servers' documentation of HTTP/2.
    """
    conf = case.project.conf
    if conf.http2 and not (conf.certfile and conf.keyfile):
        yield Finding(
            'DEPLOYTOOL["HTTP2"] is on without a certificate, and browsers speak HTTP/2 over TLS '
            "only: the server is not started.",
            'Name DEPLOYTOOL["CERTFILE"] and ["KEYFILE"], or leave HTTP2 to the proxy.',
            case.set_at("DEPLOYTOOL"),
        )
