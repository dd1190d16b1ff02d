"""Health checks of Dockerfiles and Compose files: what Django answers them."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from django.http.request import validate_host

from deploytool.checks.deployment_files import only_servers
from deploytool.checks.deployment_proxy import written_out
from deploytool.checks.forwarded import COMMON, SECURITY, has_middleware, redirects
from deploytool.checks.rule import Finding, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case
    from deploytool.project.facts import Location
    from deploytool.project.stack.containers import Container

_URL = re.compile(r"https?://[^\s\"'|;&)\\]+")
_HOST_HEADER = re.compile(r"[\"']?\bHost[\"']?\s*[:=,]\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Probe:
    """A health check by HTTP: the tool that asks, and for what.

    ``follows`` says whether the tool follows a redirect, ``fails`` whether it ends with an
    error where the status is 400. ``host`` is the Host header that it sends.
    """

    place: Location
    tool: Literal["curl", "wget", "urllib"]
    path: str
    host: str
    port: int
    follows: bool
    fails: bool
    secure: bool


def probe_of(text: str, place: Location) -> Probe | None:
    """The probe that a command makes, None where it is none that is known well enough."""
    urls = _URL.findall(text)
    if len(urls) != 1 or not urls[0].startswith("http://") or "$" in urls[0]:
        return None
    tools: list[Literal["curl", "wget", "urllib"]] = []
    if re.search(r"(^|[\s/;&|\"'])curl\s", text):
        tools.append("curl")
    if re.search(r"(^|[\s/;&|\"'])wget\s", text):
        tools.append("wget")
    if re.search(r"\burlopen\(", text):
        tools.append("urllib")
    try:
        parts = urlsplit(urls[0])
        port = parts.port or 80
    except ValueError:
        return None
    if len(tools) != 1 or not parts.hostname:
        return None
    tool = tools[0]
    # A Host that cannot be read is one all the same.
    named = _HOST_HEADER.search(text)
    if named is None and re.search(r"\bhost\b(?!name)", text.replace(urls[0], ""), re.IGNORECASE):
        return None
    short = "".join(re.findall(r"(?:^|\s)-([A-Za-z]+)", text))
    options = set(re.findall(r"--[\w-]+", text))
    curl_follows = "L" in short or "--location" in options
    curl_fails = "f" in short or bool(options & {"--fail", "--fail-with-body"})
    if tool == "wget" and (options & {"--max-redirect", "--content-on-error"}):
        return None
    if tool == "urllib" and re.search(r"\bexcept\b|redirect|opener", text, re.IGNORECASE):
        return None
    return Probe(
        place,
        tool,
        parts.path or "/",
        named[1] if named else parts.hostname,
        port,
        follows=curl_follows if tool == "curl" else True,
        fails=curl_fails if tool == "curl" else True,
        secure="forwarded" in text.lower(),
    )


def probes(case: Case) -> Iterator[tuple[Container, Probe]]:
    """The probes that are asked of the project's own server, inside of its container."""
    for container, _, found in only_servers(case.files):
        service, image = container.service, container.image
        check = service.health if service else None
        if check is not None:
            words = check.shell_text or " ".join(word.text for word in check.words)
            place = check.place
            if check.disabled:
                continue
        elif image is not None and image.health is not None and image.health.words:
            words = " ".join(word.text for word in image.health.words)
            place = image.health.place
        else:
            continue
        probe = probe_of(words, place)
        ports = {bind.port for bind in found}
        if probe is not None and None not in ports and probe.port in ports:
            yield container, probe


@rule(730, "EW")
def probe_is_refused(case: Case) -> Iterator[Finding]:
    """A health check asks for a host that Django refuses.

    The command asks `localhost`, or an address, without a Host header of the site, and
    `ALLOWED_HOSTS` does not have it. ERROR where another service waits for this one to be
    healthy, or where Traefik or Swarm only route to what is.

    ## Why is this bad?
    Django answers 400 ("Invalid HTTP_HOST header"), and `curl -f`, `wget` and `urlopen` take
    that for a failure: the container is unhealthy for ever.

    ## Example
    ```dockerfile
    HEALTHCHECK CMD curl -f http://localhost:8000/health/
    ```

    ## Use instead
    ```dockerfile
    HEALTHCHECK CMD curl -f -H "Host: example.org" http://localhost:8000/health/
    ```

    ## Source
    Django's documentation, "ALLOWED_HOSTS"; Dockerfile reference, "HEALTHCHECK";
    https://github.com/paperless-ngx/paperless-ngx/issues/3214.
    """
    if case.project.debug or not (has_middleware(case, COMMON) or redirects(case)):
        return
    hosts = list(case.names("ALLOWED_HOSTS"))
    for container, probe in probes(case):
        domain = probe.host.rpartition(":")[0] if ":" in probe.host else probe.host
        if not hosts or validate_host(domain, hosts) or not probe.fails:
            continue
        if not _known_there(case, container, hosts) or _answered_before(case, probe.path):
            continue
        waits = _waited_for(container)
        yield Finding(
            f"The health check asks for {probe.path} of the host {probe.host}, which "
            f"ALLOWED_HOSTS does not have: Django answers 400, and {_named(container)} is never "
            "healthy" + (f", which {waits}." if waits else "."),
            f'Let it send a host of the site ("Host: {_site(hosts)}"), or add '
            f"{domain!r} to ALLOWED_HOSTS.",
            probe.place,
            "E" if waits else "W",
        )


@rule(731, "EW")
def probe_is_redirected(case: Case) -> Iterator[Finding]:
    """A health check is redirected to HTTPS, and follows.

    `SECURE_SSL_REDIRECT` is on, `SECURE_REDIRECT_EXEMPT` does not have the path, and the
    command follows redirects, as `wget` and `urlopen` do by themselves.

    ## Why is this bad?
    It follows to port 443 of the container, where nobody listens, and fails: the container is
    unhealthy for ever.

    ## Example
    ```yaml
    healthcheck:
      test: ["CMD", "wget", "-q", "--spider", "http://localhost:8000/health/"]
    ```

    ## Use instead
    ```python
    SECURE_REDIRECT_EXEMPT = [r"^health/$"]
    ```
    Or the header that `SECURE_PROXY_SSL_HEADER` names, sent by the probe.

    ## Source
    Django's documentation, "SECURE_SSL_REDIRECT" and "SECURE_REDIRECT_EXEMPT".
    """
    if not redirects(case) or case.project.debug:
        return
    hosts = list(case.names("ALLOWED_HOSTS"))
    try:
        exempt = [re.compile(pattern) for pattern in case.names("SECURE_REDIRECT_EXEMPT")]
    except (re.error, RecursionError, OverflowError):
        return
    for container, probe in probes(case):
        domain = probe.host.rpartition(":")[0] if ":" in probe.host else probe.host
        if probe.secure or not probe.follows or not validate_host(domain, hosts):
            continue
        if any(pattern.search(probe.path.lstrip("/")) for pattern in exempt):
            continue
        if _answered_before(case, probe.path) or case.setting("SECURE_SSL_HOST", str, ""):
            continue
        waits = _waited_for(container)
        yield Finding(
            f"The health check asks for {probe.path} by plain HTTP, is redirected to HTTPS, and "
            f"{probe.tool} follows to port 443 of the container, where nobody listens: "
            f"{_named(container)} is never healthy" + (f", which {waits}." if waits else "."),
            f'SECURE_REDIRECT_EXEMPT = [r"^{re.escape(probe.path.lstrip("/"))}$"].',
            probe.place,
            "E" if waits else "W",
        )


def _named(container: Container) -> str:
    name = container.start.name
    return f"the service {name}" if container.service else f"a container of {name}"


def _site(hosts: list[str]) -> str:
    named = [host for host in hosts if host != "*" and not host.startswith(".")]
    return named[0] if named else hosts[0].lstrip(".")


def _known_there(case: Case, container: Container, hosts: list[str]) -> bool:
    """Whether ALLOWED_HOSTS is the same in the container as here.

    It is where the source says so, or where a variable that a file sets for the container has
    just these hosts.
    """
    if written_out(case, "ALLOWED_HOSTS"):
        return True
    values = container.start.environment.known().values()
    return any(set(filter(None, re.split(r"[\s,;]+", value))) == set(hosts) for value in values)


def _answered_before(case: Case, path: str) -> bool:
    """Whether a middleware above Django's may answer the path before the host is looked at.

    Such a one names the path in its module, or takes it from the settings.
    """
    views = case.project.views.views
    if not any(_takes(view.route, path) for view in views):
        return True  # nobody knows who answers it
    last = path.strip("/").rpartition("/")[2]
    for middleware in case.project.middleware:
        if COMMON in middleware.bases or SECURITY in middleware.bases:
            return False
        name = middleware.path.rpartition(".")[0]
        file = getattr(sys.modules.get(name), "__file__", None)
        if name.startswith("django.") or not file:
            continue
        try:
            text = Path(file).read_text("utf-8", "replace").lower()
        except OSError:
            return True
        if (last and last.lower() in text) or "health" in text or "get_host" in text:
            return True
    return False


def _takes(route: str, path: str) -> bool:
    """Whether a route takes the path, as far as its text tells; APPEND_SLASH adds a slash."""
    literal, *rest = re.split(r"[<(\[\\.*+?]", route.strip("^$"), maxsplit=1)
    asked = path.strip("/")
    return asked == literal.strip("/") if not rest else bool(literal) and asked.startswith(literal)


def _waited_for(container: Container) -> str:
    """Who only goes on, or routes, where the container is healthy; ``""`` for nobody."""
    service, compose = container.service, container.compose
    if service is None or compose is None:
        return ""
    for other in compose.services:
        for needed in other.depends_on:
            if needed.service == service.name and needed.condition == "service_healthy":
                return f"{other.name} waits for before it starts"
    if any(label.startswith("traefik.http.") for label in service.labels):
        return "Traefik needs to route to it"
    return "Swarm takes for a reason to start it anew" if service.swarm else ""
