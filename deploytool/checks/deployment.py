"""Where a project is deployed: what is stated of it, and what is inferred.

``settings.DEPLOYTOOL`` and the command line state it; what they leave open is inferred from
the project's own deployment files, the plan, the settings and the machine. What cannot be
inferred is None: a rule that depends on it stays silent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from django.conf import settings

from deploytool.checks.inference import Inference, Static, infer

if TYPE_CHECKING:
    from deploytool.conf import Conf
    from deploytool.plan import Plan
    from deploytool.project.facts import Project

T = TypeVar("T")

Tls = Literal["proxy", "server", "none"]


@dataclass(frozen=True, slots=True)
class Fact(Generic[T]):
    """One thing about the deployment, where it comes from, and what it rests on.

    ``source``: ``option`` (the command line), ``setting`` (settings.DEPLOYTOOL),
    ``inferred``, or ``default`` where nothing says anything.
    """

    value: T
    source: Literal["option", "setting", "inferred", "default"]
    evidence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What the command line states of the deployment; None where it says nothing.

    Each is as the key of ``settings.DEPLOYTOOL`` of the same name, and stands above it.
    """

    replicas: int | None = None
    proxy: str | None = None
    tls: Tls | None = None
    container: bool | None = None
    mount: str | None = None
    stop_grace: int | None = None
    static: Static | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """The deployment that a project is judged against.

    ``replicas``: copies of the whole server, on this machine or others. ``proxy``: whether
    requests come through a reverse proxy. ``proxy_address``: the address that it connects
    from, None where unknown. ``tls``: who ends TLS, ``none`` for a site on plain HTTP, None
    where unknown. ``container``: whether the server runs in one. ``mount``: the path that
    the site is mounted at. ``stop_grace``: seconds between the signal to stop and the kill.
    ``static``: who serves static files, None where nobody is known to.
    """

    replicas: Fact[int]
    proxy: Fact[bool | None]
    proxy_address: Fact[str | None]
    tls: Fact[Tls | None]
    container: Fact[bool]
    mount: Fact[str]
    stop_grace: Fact[int | None]
    static: Fact[Static | None]


def inspect_deployment(project: Project, plan: Plan, stated: Stated | None = None) -> Deployment:
    """The deployment of ``project``; ``stated`` is what the command line says of it."""
    said = _Said(stated or Stated(), project.conf)
    files = infer(project)
    proxy = _proxy(said, plan, files)
    return Deployment(
        replicas=said("replicas") or _found(files.replicas()) or Fact(1, "default"),
        proxy=proxy,
        proxy_address=_proxy_address(said, plan, proxy, files),
        tls=said("tls") or _tls(plan, files),
        # The container that this runs in may be a CI's, which says nothing of where the site runs.
        container=said("container") or _found(files.container()) or Fact(False, "default"),
        mount=said("mount") or _mount(),
        stop_grace=said("stop_grace") or _found(files.stop_grace()) or _stop_grace(files),
        static=said("static") or _static(project, files),
    )


def _found(answer: tuple[T, object] | None) -> Fact[T] | None:
    """What the deployment files answer, with its place."""
    return None if answer is None else Fact(answer[0], "inferred", str(answer[1]))


@dataclass(frozen=True, slots=True)
class _Said:
    """What is stated: by the command line, else by the settings."""

    stated: Stated
    conf: Conf

    def __call__(self, name: str) -> Fact[Any] | None:
        value = getattr(self.stated, name)
        if value is not None:
            return Fact(value, "option", f"--{name.replace('_', '-')}")
        value = getattr(self.conf, name)
        if value is not None:
            return Fact(value, "setting", f'settings.DEPLOYTOOL["{name.upper()}"]')
        return None


def _proxy(said: _Said, plan: Plan, files: Inference) -> Fact[bool | None]:
    stated = said("proxy")
    if stated is not None:
        return Fact(bool(stated.value), stated.source, stated.evidence)
    if (answer := files.proxy()) is not None:
        return Fact(answer[0], "inferred", answer[1])
    if files.served:
        pass  # they listen where the files say, not where the plan does
    elif plan.bind.startswith("unix:"):
        return Fact(True, "inferred", f"only a proxy can reach {plan.bind}")
    elif plan.address.is_loopback:
        return Fact(True, "inferred", f"only this machine can reach {plan.bind}")
    if isinstance(getattr(settings, "SECURE_PROXY_SSL_HEADER", None), (tuple, list)):
        return Fact(True, "inferred", "settings.SECURE_PROXY_SSL_HEADER")
    return Fact(None, "default")


def _proxy_address(
    said: _Said, plan: Plan, proxy: Fact[bool | None], files: Inference
) -> Fact[str | None]:
    stated = said("proxy")
    if stated is not None and stated.value:
        return stated
    if files.served:
        address = files.proxy_address() if proxy.value else None
        return Fact(
            address, "inferred" if address else "default", proxy.evidence if address else ""
        )
    if proxy.value and not plan.bind.startswith("unix:") and plan.address.is_loopback:
        return Fact("127.0.0.1", "inferred", plan.bind)
    return Fact(None, "default")


# Settings that make no sense on a site without TLS.
_TLS_SETTINGS = (
    "SECURE_PROXY_SSL_HEADER",
    "SECURE_SSL_REDIRECT",
    "SECURE_HSTS_SECONDS",
    "SESSION_COOKIE_SECURE",
    "CSRF_COOKIE_SECURE",
)


def _tls(plan: Plan, files: Inference) -> Fact[Tls | None]:
    if plan.certfile:
        return Fact("server", "inferred", plan.certfile)
    if (answer := files.tls()) is not None:
        return Fact(answer[0], "inferred", answer[1])
    for name in _TLS_SETTINGS:
        if getattr(settings, name, None):
            return Fact("proxy", "inferred", f"settings.{name}")
    return Fact(None, "default")


def _mount() -> Fact[str]:
    name = getattr(settings, "FORCE_SCRIPT_NAME", None)
    if isinstance(name, str) and name.strip("/"):
        return Fact("/" + name.strip("/"), "inferred", "settings.FORCE_SCRIPT_NAME")
    return Fact("/", "default")


def _static(project: Project, files: Inference) -> Fact[Static | None]:
    static = project.services.static
    if isinstance(static.url, str) and "//" in static.url:
        return Fact("elsewhere", "inferred", "settings.STATIC_URL")
    if static.served_by:
        return Fact("application", "inferred", static.evidence or static.served_by)
    if (answer := files.static()) is not None:
        return Fact(answer[0], "inferred", answer[1])
    return Fact(None, "default")


def _stop_grace(files: Inference) -> Fact[int | None]:
    found = files.container()
    # A server that a file starts with options of its own does not stop as it is planned.
    planned = any(launch.server == "runserver_gateway" for _, launch in files.served)
    if found is not None and found[0] and planned:
        return Fact(10, "inferred", str(found[1]))  # docker stop --timeout
    return Fact(None, "default")
