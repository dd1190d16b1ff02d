"""The project's own deployment files: what they start, and whether that can work.

Judged is what is started of this project, and not for development: by a Dockerfile, a
Compose service, a Procfile, a systemd unit, Supervisor or uWSGI. What a file leaves to a
variable, or to a file that is not at hand, is not judged.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from deploytool.checks.rule import Finding, rule, rules
from deploytool.project.stack.applications import Application, base_of, names_in
from deploytool.project.stack.completing import started_in
from deploytool.project.stack.gunicorn_conf import invalid
from deploytool.project.stack.serving import (
    binds,
    graceful,
    served_interface,
    worker_class,
    workers,
)
from deploytool.servers import SERVERS
from deploytool.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case
    from deploytool.checks.inference import Inference
    from deploytool.project.facts import Interface, Location
    from deploytool.project.stack.containers import Container
    from deploytool.project.stack.facts import Launch, Start
    from deploytool.project.stack.serving import Bind

_SETTINGS = "DJANGO_SETTINGS_MODULE"
_DOCKER_GRACE = 10.0  # seconds: docs.docker.com, Compose file reference, stop_grace_period

_DIRECTORIES = 200  # of one directory that are looked into

# Options by which a server changes where modules are looked for.
_IMPORT_OPTIONS = ("chdir", "pythonpath", "app_dir", "working_dir", "python_path", "home")

# What a server calls the attribute that is not named: gunicorn.util.import_app,
# granian._internal.load_target.
_ATTRIBUTES = {"gunicorn": "application", "granian": "app"}


# Programs that hand a signal to every process of the container, and not to their child alone.
_INIT = re.compile(r"\b(dumb-init|supervisord|s6-|catatonit)|(^| )/init\b|tini\b.* -g\b")


def title(server: str) -> str:
    """A server's name as its documentation writes it."""
    names = {each.name: each.title for each in SERVERS}
    return {"uwsgi": "uWSGI", **names}.get(server, server)


def _once(findings: Iterator[Finding]) -> Iterator[Finding]:
    """``findings`` without those of a service that another file names as well."""
    seen: set[tuple[str, str]] = set()
    for finding in findings:
        key = (finding.message, str(finding.where))
        if key not in seen:
            seen.add(key)
            yield finding


@rule(700, "E")
def file_serves_wrong_interface(case: Case) -> Iterator[Finding]:
    """A deployment file gives a server an application of the other interface.

    What the file starts calls WSGI applications, and the named one is ASGI's, or the reverse;
    Granian without `--interface` speaks RSGI, which Django does not.

    ## Why is this bad?
    The server starts, looks healthy to whoever asks for the port alone, and answers every
    request with 500.

    ## Example
    ```dockerfile
    CMD ["gunicorn", "mysite.asgi:application"]
    ```

    ## Use instead
    ```dockerfile
    CMD ["gunicorn", "mysite.wsgi:application"]
    ```
    Or a server, or a worker class, for ASGI.

    ## Source
    PEP 3333; the ASGI specification, "Applications"; Django's documentation, "How to deploy
    with WSGI" and "How to deploy with ASGI".
    """
    yield from _once(_wrong_interfaces(case))


def _wrong_interfaces(case: Case) -> Iterator[Finding]:
    applications = case.files.applications
    for _, launch in case.files.served:
        named = Application.of(launch.application)
        if named is None or launch.switched("factory"):
            continue
        spoken = served_interface(launch, lambda dotted: base_of(dotted, applications))
        kind = applications.interface(named)
        if spoken not in {"wsgi", "asgi", "rsgi"} or kind not in {"wsgi", "asgi"}:
            continue
        if spoken == kind:
            continue
        how = title(launch.server)
        if launch.server == "gunicorn":
            how += f" with workers of the class {worker_class(launch)}"
        yield Finding(
            f"{how} is started with {launch.application}, which is an application of "
            f"{kind.upper()}, and calls it by {str(spoken).upper()}: it starts, and answers every "
            "request with 500.",
            _other_way(case, launch, kind),
            launch.place,
        )


def _other_way(case: Case, launch: Launch, kind: str) -> str:
    entrypoints = case.project.entrypoints
    if launch.server == "granian":
        return f"Give it --interface {kind}."
    other = entrypoints.wsgi if kind == "asgi" else entrypoints.asgi
    start = {
        ("gunicorn", "asgi"): "give it --worker-class asgi (Gunicorn 25 and later)",
        ("gunicorn", "wsgi"): "leave the worker class out",
    }.get((launch.server, kind), f"start a server for {kind.upper()}")
    if other.status == "missing" or other.application is None:
        return start[:1].upper() + start[1:] + "."
    return f"Name {other.application}, or {start}."


@rule(701, "E")
def file_starts_missing_application(case: Case) -> Iterator[Finding]:
    """A deployment file starts an application that does not exist.

    The module that a server is started with is not in the project, or has no such attribute.

    ## Why is this bad?
    The server ends when it has started, or never gets a worker up. Uvicorn with several
    workers and Hypercorn exit with the status 0 even so.

    ## Example
    ```
    web: gunicorn oldname.wsgi
    ```

    ## Use instead
    The module as it is called now, and the attribute in it.

    ## Source
    Gunicorn's documentation, "Running Gunicorn"; Uvicorn's documentation, "Deployment";
    Django's documentation, "How to deploy with WSGI".
    """
    yield from _once(_missing_applications(case))


def _missing_applications(case: Case) -> Iterator[Finding]:
    files = case.files
    for start, launch in files.served:
        named = Application.of(launch.application)
        if named is None or not re.fullmatch(r"\w+(\.\w+)*", named.module):
            continue
        path = files.applications.path(named.module)
        if path is None:
            if _absent(files, start, launch, named.module):
                yield Finding(
                    f"{title(launch.server)} is started with {launch.application}, and there is "
                    f"no module {named.module}: it does not start.",
                    _module_hint(case, named),
                    launch.place,
                )
            continue
        attribute = named.attribute or _ATTRIBUTES.get(launch.server)
        if attribute is None and launch.server == "uvicorn":
            yield Finding(
                f"Uvicorn is started with {launch.application}, which names no attribute: it "
                "does not start.",
                f"Write {named.module}:application.",
                launch.place,
            )
            continue
        names = names_in(path) if attribute and path.endswith(".py") else None
        wanted = re.match(r"\w*", attribute or "")
        if names is None or wanted is None or not wanted[0] or wanted[0] in names:
            continue
        yield Finding(
            f"{title(launch.server)} is started with {launch.application}, and {named.module} has "
            f"no attribute {wanted[0]}: it does not start.",
            f"Write {named.module}:application."
            if "application" in names
            else f"Name the attribute of {named.module} that is the application.",
            launch.place,
        )


def _module_hint(case: Case, named: Application) -> str:
    parent, _, last = named.module.rpartition(".")
    if parent and (path := case.files.applications.path(parent)):
        names = names_in(path) if path.endswith(".py") else None
        if names and last in names:
            return f"Write {parent}:{last}: a colon stands before the attribute."
    entrypoints = case.project.entrypoints
    entry = entrypoints.asgi if "asgi" in named.module else entrypoints.wsgi
    if entry.application and entry.status == "ok":
        return f"Name {entry.application}."
    return "Name the module that holds the application."


def _absent(files: Inference, start: Start, launch: Launch | None, module: str) -> bool:
    """Whether there is certainly no module of that name where ``start`` runs."""
    applications, repository = files.applications, files.stack.repository
    top, *rest = module.split(".")
    package = applications.path(top)
    if package is not None:
        if applications.path(module) is not None:
            return False
        # A name of this project: the rest of it has to be there, unless Git leaves it out.
        directory = os.path.dirname(package) if package.endswith(".py") else package
        wanted = os.path.join(directory, *rest)
        if package.endswith(".py") and not package.endswith("__init__.py"):
            return bool(rest)
        return not repository.ignored(f"{wanted}.py") and not repository.ignored(wanted)
    if applications.importable(module) or launch is None:
        return False
    if any(launch.option(name) for name in _IMPORT_OPTIONS) or launch.config_unknown:
        return False
    if "PYTHONPATH" in {**start.environment.values, **launch.env}:
        return False
    where = started_in(launch, start)
    project = applications.project
    own = {os.path.realpath(each) for each in (project.base_dir, *project.import_path)}
    return (
        where is not None
        and os.path.realpath(where) in own
        and not _somewhere(repository.root, top)
    )


def _somewhere(root: str, top: str) -> bool:
    """Whether a directory of the repository is called ``top``, near enough to be started in."""
    for directory, names, _ in os.walk(root):
        if top in names:
            return True
        deep = os.path.relpath(directory, root).count(os.sep) >= 2
        names[:] = [] if deep else [name for name in names if name[:1] != "."][:_DIRECTORIES]
    return False


@rule(702, "E")
def file_names_missing_settings(case: Case) -> Iterator[Finding]:
    """A deployment file names a settings module that does not exist.

    `DJANGO_SETTINGS_MODULE` is set for what the file starts, and the project has no module of
    that name.

    ## Why is this bad?
    The environment stands above the `setdefault()` in the entry point: every process of the
    file ends with ModuleNotFoundError.

    ## Example
    ```yaml
    environment:
      DJANGO_SETTINGS_MODULE: mysite.settings.prod
    ```

    ## Use instead
    The name of the file below `settings/`: `mysite.settings.production`.

    ## Source
    Django's documentation, "Django settings", "Designating the settings".
    """
    yield from _once(_missing_settings(case))


def _missing_settings(case: Case) -> Iterator[Finding]:
    files = case.files
    for start, launch in files.served:
        named, place = _settings_of(start, launch)
        if named and re.fullmatch(r"\w+(\.\w+)*", named) and _absent(files, start, launch, named):
            loaded = case.project.settings_module
            yield Finding(
                f"{_SETTINGS} is set to {named} for {_what(start, launch)}, and there is no such "
                "module: it ends with ModuleNotFoundError.",
                f"Name a module that exists; {loaded} is loaded here."
                if loaded
                else "Name a module that exists.",
                place,
            )


def _settings_of(start: Start, launch: Launch) -> tuple[str | None, Location]:
    """The settings that are chosen for a server, and where."""
    named = launch.env.get(_SETTINGS) or start.environment.get(_SETTINGS)
    place = launch.place
    if _SETTINGS not in launch.env:
        place = start.environment.places.get(_SETTINGS, place)
    for option in launch.options:
        written = option.value or "" if option.name in {"raw_env", "env"} else ""
        if found := re.search(rf"{_SETTINGS}=([\w.]+)", written):
            named, place = found[1], option.place
    chosen = launch.option("settings") if launch.server == "runserver_gateway" else None
    if chosen is not None:
        named, place = chosen.value, chosen.place
    return named, place


def _what(start: Start, launch: Launch) -> str:
    kinds = {
        "service": "the service",
        "process": "the process",
        "program": "the program",
        "unit": "the unit",
    }
    if start.kind in kinds:
        return f"{kinds[start.kind]} {start.name}"
    return title(launch.server)


@rule(703, "IW")
def file_serves_another_interface(case: Case) -> Iterator[Finding]:
    """The deployment files serve another interface than the plan.

    Every server that they start is one for WSGI and the plan serves ASGI, or the reverse. A
    warning where the project has WebSocket routes, which WSGI cannot serve.

    ## Why is this bad?
    What is found here is judged for an interface that nobody serves. A check that is right
    under the one is wrong under the other.

    ## Example
    ```
    web: gunicorn mysite.wsgi
    ```
    in a project whose consumers wait for WebSockets.

    ## Use instead
    A server for the planned interface in the file; or state what the files say:
    `DEPLOYTOOL = {"INTERFACE": "wsgi"}`.

    ## Source
    Django's documentation, "How to deploy with ASGI"; Channels' documentation, "Deploying".
    """
    found: dict[Interface, tuple[Launch, str]] = {}
    applications = case.files.applications
    for _, launch in case.files.served:
        named = Application.of(launch.application)
        kind = applications.interface(named) if named else None
        if kind not in {"wsgi", "asgi"}:
            return  # it serves what the plan says, or what cannot be told
        found.setdefault(kind, (launch, str(launch.application)))
    if not found or case.plan.interface in found:
        return
    kind, (launch, application) = next(iter(found.items()))
    if case.asgi and case.entry.websocket_routes:
        yield Finding(
            f"{title(launch.server)} is started with {application}, by WSGI, and no deployment "
            "file starts a server for ASGI. Where nothing else serves the WebSocket routes, a "
            "handshake gets 404.",
            f"Start a server for ASGI with {case.entry.application}, for everything or for these "
            "paths.",
            launch.place,
            "W",
        )
    else:
        yield Finding(
            f"{title(launch.server)} is started with {application}, by {kind.upper()}, and the "
            f"plan serves {case.plan.interface.upper()}: these findings are not about what is "
            "served there.",
            f"manage.py deploycheck --interface {kind} checks that; "
            f'DEPLOYTOOL = {{"INTERFACE": "{kind}"}} in the settings says so for good.',
            launch.place,
            "I",
        )


@rule(704, "W")
def file_starts_development_server(case: Case) -> Iterator[Finding]:
    """A deployment file starts the development server.

    `runserver`, or a server with `--reload`, is started by a file that is not named as one for
    development, and nothing else in the repository starts a server for production.

    ## Why is this bad?
    `runserver` was never audited for security or performance, restarts itself when a file
    changes, and stops without waiting for requests. A server with `--reload` does the last two.

    ## Example
    ```dockerfile
    CMD ["python", "manage.py", "runserver", "0.0.0.0:8000"]
    ```

    ## Use instead
    ```dockerfile
    CMD ["python", "manage.py", "runserver_gateway", "0.0.0.0:8000"]
    ```
    Where the file is for development only, call it so: `Dockerfile.dev`, `compose.dev.yaml`.

    ## Source
    Django's documentation, "django-admin and manage.py", "runserver".
    """
    files = case.files
    if any(not launch.switched("reload") for _, launch in files.served):
        return
    for start in files.stack.starts:
        if start.stage == "development" or not _for_production(files, start):
            continue
        for launch in start.launches:
            developing = launch.server == "runserver" or launch.switched("reload")
            if developing and files.applications.ours(launch, start):
                command = "manage.py runserver"
                if launch.server != "runserver":
                    command = f"{title(launch.server)} with reload"
                yield Finding(
                    f"{command} is what {_started_by(start)} starts, and nothing else here starts "
                    "a server. Where the site is served by it, it is served by a server for "
                    "development: not audited, restarted with each change of a file.",
                    "Start manage.py runserver_gateway or a server of your choice in production, "
                    "and name the file for what it is if it is for development.",
                    launch.place,
                )
                return


def _started_by(start: Start) -> str:
    kinds = {"image": "the image", "unit": "the unit", "process": "the process type"}
    return f"{kinds.get(start.kind, 'the service')} {start.name}"


def _for_production(files: Inference, start: Start) -> bool:
    """Whether nothing says that a start is only for development."""
    if start.kind in {"unit", "program"}:
        return True
    if start.kind == "process":
        texts = [word for each in files.stack.starts for step in each.steps for word in step.words]
        # Beside something that watches and builds, it is for whoever writes the code.
        watching = re.compile(r"(--)?watch|dev|--poll.*|vite|tailwind|webpack.*")
        return start.name == "web" and not any(watching.fullmatch(word) for word in texts)
    services = [each for each in files.stack.containers if each.service is not None]
    if start.kind == "service":
        container = files.stack.container_of(start)
        if container is None or container.service is None or _mounts_source(files, container):
            return False
        service = container.service
        return start.stage == "production" or service.restart in {"always", "unless-stopped"}
    # An image that somebody develops with.
    return not any(each.source is not None and each.source.path == start.group for each in services)


def _mounts_source(files: Inference, container: Container) -> bool:
    """Whether the project's source is mounted over what is in the image."""
    base = os.path.realpath(files.applications.project.base_dir)
    for volume in container.tree.volumes:
        if volume.kind != "bind":
            continue
        source = os.path.realpath(os.path.join(container.tree.directory, volume.source))
        if "$" in volume.source or base == source or base.startswith(source + os.sep):
            return True
    return False


@rule(705, "W")
def shell_keeps_signal(case: Case) -> Iterator[Finding]:
    """A shell stands before the server in a container, and keeps the signal to stop.

    `CMD` or `ENTRYPOINT` in shell form, `sh -c`, or a script that does not start the server by
    `exec`.

    ## Why is this bad?
    The shell is the first process of the container, gets SIGTERM, and does not hand it on. The
    server is not told to stop: after ten seconds (Compose) or thirty (Kubernetes) it is killed,
    and the requests in flight with it, at each deployment.

    ## Example
    ```dockerfile
    CMD gunicorn mysite.wsgi --bind 0.0.0.0:8000
    ```

    ## Use instead
    ```dockerfile
    CMD ["gunicorn", "mysite.wsgi", "--bind", "0.0.0.0:8000"]
    ```
    In a script, and in shell form: `exec gunicorn ...`.

    ## Source
    Dockerfile reference, "Shell and exec form", and "ENTRYPOINT", "Shell form ENTRYPOINT
    example"; https://github.com/apache/superset/issues/8156.
    """
    yield from _once(_kept_signals(case))


def _kept_signals(case: Case) -> Iterator[Finding]:
    for container in case.files.containers:
        start = container.start
        if _hands_on(container):
            continue
        launches = start.launches
        for launch in launches:
            step = start.step_of(launch)
            if step.child is not True or step.background or len(launches) > 1:
                continue
            yield Finding(
                f"{title(launch.server)} is started by {step.shell or 'a shell'}, which stays "
                "before it as the first process of the container and does not hand SIGTERM on: "
                "the server is killed when the container stops, with the requests in flight.",
                f"Write exec before {step.words[0] if step.words else 'the command'}, or the "
                "command as a JSON list.",
                step.place,
            )


def _hands_on(container: Container) -> bool:
    """Whether something in front of the shell hands signals to all processes, or may."""
    service, image = container.service, container.image
    if container.start.opaque or (service is not None and service.init):
        return True
    words = [word.text for word in image.argv] if image else []
    if service is not None:
        words += [word.text for word in (*(service.entrypoint or ()), *(service.command or ()))]
    text = " ".join(words)
    return bool(
        re.search(r"\b(dumb-init|supervisord|s6-|catatonit)|(^| )/init\b|tini\b.* -g\b", text)
    )


@rule(706, "W")
def killed_before_graceful_timeout(case: Case) -> Iterator[Finding]:
    """A server is killed before the time is over that it gives its requests.

    The file that starts it gives requests in flight a time to end, and whoever stops it,
    Compose (`stop_grace_period`, ten seconds by default) or systemd (`TimeoutStopSec`), waits
    less.

    ## Why is this bad?
    The longer requests are cut off in the middle, which the server's own option was to
    prevent. What would be done at the end (lifespan events, the exit of workers) is not done.

    ## Example
    ```yaml
    command: gunicorn mysite.wsgi --graceful-timeout 60
    stop_grace_period: 30s
    ```

    ## Use instead
    A grace that is some seconds longer than the server's own time.

    ## Source
    Compose file reference, "stop_grace_period"; systemd.service(5), "TimeoutStopSec";
    Gunicorn's documentation, "Settings", "graceful_timeout".
    """
    for start, launch in case.files.served:
        seconds, option = graceful(launch)
        if seconds is None or option is None:
            continue
        container = case.files.stack.container_of(start)
        stated = case.files.grace_of(start)
        if stated is not None:
            grace, place, who = stated[0], stated[1], f"{stated[1]} waits {stated[0]:g} seconds"
        elif start.kind == "service" and container and container.service:
            if container.service.swarm or container.service.stop_grace_place:
                continue
            grace, place = _DOCKER_GRACE, container.service.place
            who = f"Compose waits {grace:g} seconds where no stop_grace_period is set"
        else:
            continue
        if grace < seconds:
            yield Finding(
                f"{option.place} gives requests {seconds:g} seconds to end when "
                f"{title(launch.server)} stops, and {who} before it kills: longer requests are "
                "cut off.",
                f"Wait for {seconds + 5:g} seconds ("
                + ("TimeoutStopSec" if start.kind == "unit" else "stop_grace_period")
                + f"), or set {option.name} below {grace:g}.",
                place,
            )


@rule(707, "EW")
def only_container_reaches_server(case: Case) -> Iterator[Finding]:
    """A server in a container listens on the container's own loopback address.

    It binds 127.0.0.1, which is the default of most servers too. ERROR for a Compose service,
    WARNING for an image, which something may run beside that shares its network.

    ## Why is this bad?
    127.0.0.1 in a container is that container alone: the proxy and the published port get
    "connection refused", and visitors 502.

    ## Example
    ```yaml
    command: gunicorn mysite.wsgi
    ports: ["8000:8000"]
    ```

    ## Use instead
    ```yaml
    command: gunicorn mysite.wsgi --bind 0.0.0.0:8000
    ```

    ## Source
    Docker's documentation, "Port publishing and mapping"; Gunicorn's documentation,
    "Settings", "bind".
    """
    yield from _once(_unreachable(case))


def _unreachable(case: Case) -> Iterator[Finding]:
    for container, launch, found in only_servers(case.files):
        if not found or not all(bind.loopback for bind in found):
            continue
        start, service, bind = container.start, container.service, found[0]
        if service is None and launch.server == "gunicorn" and not bind.stated:
            continue  # $PORT or $GUNICORN_CMD_ARGS of whoever runs it may say more
        if service is not None:
            others = container.compose.services if container.compose else ()
            if service.network_mode or any(
                other.network_mode == f"service:{service.name}" for other in others
            ):
                continue
        sure = service is not None and (bind.stated or start.environment.complete)
        condition = "" if sure else ", unless it shares its network with another"
        if service is not None and not sure:
            condition = ", unless its environment says otherwise"
        yield Finding(
            f"{title(launch.server)} listens on {bind.written}"
            + ("" if bind.stated else ", its default")
            + f": nobody outside of the container of {_started_by(start)} reaches it{condition}.",
            f"Let it listen on 0.0.0.0:{bind.port or 8000}.",
            bind.place,
            "E" if sure else "W",
        )


def only_servers(files: Inference) -> Iterator[tuple[Container, Launch, tuple[Bind, ...]]]:
    """Containers that run one server and nothing that could stand before it inside."""
    for container in files.containers:
        start = container.start
        launches = start.launches
        words = [word for step in start.steps for word in step.words]
        inside = re.compile(r"(.*/)?(nginx|caddy|haproxy|supervisord|apache2\w*|httpd|circusd)")
        if len(launches) != 1 or start.opaque or any(inside.fullmatch(word) for word in words):
            continue
        yield container, launches[0], binds(launches[0], start.environment)


@rule(708, "E")
def ports_disagree(case: Case) -> Iterator[Finding]:
    """A Compose file publishes a port that the server does not listen on.

    Or tells Traefik one, by a label.

    ## Why is this bad?
    "Connection refused" for every request.

    ## Example
    ```yaml
    command: gunicorn mysite.wsgi --bind 0.0.0.0:8080
    ports: ["80:8000"]
    ```

    ## Use instead
    ```yaml
    ports: ["80:8080"]
    ```

    ## Source
    Compose file reference, "ports"; Traefik's documentation, "Docker", "Routing
    configuration with labels".
    """
    yield from _once(_wrong_ports(case))


def _wrong_ports(case: Case) -> Iterator[Finding]:
    for container, launch, found in only_servers(case.files):
        service = container.service
        known = {bind.port for bind in found if bind.port is not None}
        if service is None or not found or len(known) != len(found):
            continue
        listens = f"{title(launch.server)} listens on {' and '.join(map(str, sorted(known)))}"
        targets = [port.target for port in service.ports]
        numbers = {int(each) for each in targets if each.isdecimal()}
        if targets and len(numbers) == len(set(targets)) and not known & numbers:
            yield Finding(
                f"The port {targets[0]} of the service {service.name} is published, and "
                f"{listens} ({found[0].place}): nobody answers there.",
                f"Publish {min(known)}, or let the server listen on {targets[0]}.",
                service.ports[0].place,
            )
        for label, value in service.labels.items():
            port = re.fullmatch(r"traefik\.http\.services\..+\.loadbalancer\.server\.port", label)
            if port and value.isdecimal() and int(value) not in known:
                yield Finding(
                    f"The label {label} sends requests to port {value}, and {listens} "
                    f"({found[0].place}): nobody answers there.",
                    f"Write {min(known)} in the label.",
                    service.place,
                )


@rule(709, "E")
def server_leaves_its_starter(case: Case) -> Iterator[Finding]:
    """A server puts itself in the background, where it has to stay.

    `daemon` (Gunicorn, Hypercorn) or `daemonize` (uWSGI), in a container, a Procfile, under
    Supervisor, or in a systemd unit that is not of `Type=forking`.

    ## Why is this bad?
    The process that was started ends at once. The container stops with it; systemd and
    Supervisor take it for the end of the server, and start it again and again.

    ## Example
    ```dockerfile
    CMD ["gunicorn", "mysite.wsgi", "--daemon"]
    ```

    ## Use instead
    The server without it.

    ## Source
    Gunicorn's documentation, "Settings", "daemon"; Supervisor's documentation,
    "Subprocesses", "Nondaemonizing of Subprocesses"; systemd.service(5), "Type".
    """
    for start, launch in case.files.served:
        option = launch.option("daemon", "daemonize")
        if option is None or not (option.name == "daemonize" or launch.switched("daemon")):
            continue
        if start.kind == "script" or start.step_of(launch) is not start.steps[-1]:
            continue  # something else goes on
        if start.kind == "unit" and _forks(case.files, start):
            continue
        yield Finding(
            f"{option.name} puts {title(launch.server)} in the background, and the process that "
            f"{_started_by(start)} has started ends at once: it is taken for the end of the "
            "server.",
            f"Take {option.name} out.",
            option.place,
        )


def _forks(files: Inference, start: Start) -> bool:
    return any(
        unit.file.path == start.group
        and unit.value("Service", "Type").lower() in {"forking", "oneshot"}
        for unit in files.stack.units
    )


@rule(710, "W")
def platform_port_ignored(case: Case) -> Iterator[Finding]:
    """The web process of a Procfile listens on a port of its own.

    Neither does it name `$PORT`, nor is it Gunicorn, which reads it by itself.

    ## Why is this bad?
    A platform that runs Procfiles chooses the port, and routes to it alone: requests end in
    502, and Heroku stops the process after a minute (R10, "Boot timeout").

    ## Example
    ```
    web: daphne mysite.asgi:application
    ```

    ## Use instead
    ```
    web: daphne -b 0.0.0.0 -p $PORT mysite.asgi:application
    ```

    ## Source
    Heroku's documentation, "Dynos", "Web dynos", and "Error codes", R10.
    """
    for start, launch in case.files.served:
        if start.kind != "process" or start.name != "web" or launch.server == "runserver_gateway":
            continue
        found = binds(launch, start.environment)
        known = [bind for bind in found if bind.port is not None]
        if known and len(known) == len(found):
            yield Finding(
                f"{title(launch.server)} listens on {known[0].written}"
                + ("" if known[0].stated else ", its default")
                + ", and a platform that runs this Procfile routes to $PORT: there it is never "
                "reached.",
                "Let it listen on 0.0.0.0 and $PORT.",
                launch.place,
            )


@rule(711, "E")
def gunicorn_refuses_file(case: Case) -> Iterator[Finding]:
    """Gunicorn cannot read the configuration file that it is started with.

    It is no valid Python, or has a number that Gunicorn refuses.

    ## Why is this bad?
    Gunicorn does not start.

    ## Example
    ```python
    timeout = "60s"
    ```

    ## Use instead
    ```python
    timeout = 60
    ```

    ## Source
    Gunicorn's documentation, "Configuration Overview", and "Settings".
    """
    seen = set()
    confs = {file.path: (file, conf) for file, conf in case.files.stack.confs}
    for _, launch in case.files.served:
        if launch.server != "gunicorn" or launch.config not in confs or launch.config in seen:
            continue
        seen.add(launch.config)
        file, conf = confs[launch.config]
        if conf.error:
            yield Finding(
                f"Gunicorn is started with {file.name}, which is no valid Python "
                f"({conf.error}): it does not start.",
                "Mend the line.",
                file.at(conf.error_line),
            )
        for option, reason in invalid(conf.options):
            yield Finding(
                f"{option.name} = {option.written} {reason}: Gunicorn does not start.",
                f"Write {option.name} as a number.",
                option.place,
            )


# Rules about what lives in one process, with the number that says how many there are.
_SHARED_STATE = (211, 400, 401, 406, 414)


@rule(712, "EWI")
def file_starts_more_processes(case: Case) -> Iterator[Finding]:
    """A deployment file starts several processes, and the project keeps state in one.

    The plan has fewer processes, with which all is well; with those of the file it is not:
    the channel layer, sessions or counters live in the memory of each process, or SQLite is
    written by all of them. The page of the check that the message names tells more.

    ## Why is this bad?
    What one process keeps the others do not have: messages get lost, visitors are logged out
    at random, limits are counted several times.

    ## Example
    ```dockerfile
    CMD ["gunicorn", "mysite.wsgi", "--workers", "4"]
    ```
    with sessions in `LocMemCache`.

    ## Use instead
    One process (`--workers 1`), or a backend that all processes share.

    ## Source
    Django's documentation, "Django's cache framework", "Local-memory caching", and "How to use
    sessions", "Using cached sessions"; Channels' documentation, "Channel Layers".
    """
    counts = [
        (found, launch)
        for _, launch in case.files.served
        if launch.server != "runserver_gateway" and (found := workers(launch)) is not None
    ]
    if not counts:
        return
    number, launch = max(counts, key=lambda pair: pair[0])
    if number <= case.plan.workers:
        return
    started = replace(case, plan=replace(case.plan, workers=number))
    # What was gathered of the project is the same.
    for name, value in vars(case).items():
        vars(started).setdefault(name, value)
    option = launch.option("processes" if launch.server == "uwsgi" else "workers")
    for each in rules():
        if each.number not in _SHARED_STATE:
            continue
        known = {(finding.level, str(finding.where)) for finding in each.judge(case)}
        for finding in each.judge(started):
            if (finding.level, str(finding.where)) in known:
                continue
            yield Finding(
                f"{title(launch.server)} is started with {counted(number, 'worker')} and the plan "
                f"has {case.plan.workers}; check {each.number:03} says of that: {finding.message}",
                finding.hint,
                option.place if option else launch.place,
                finding.level or each.letters[0],
            )
