"""What deciding starts from and ends in: Options, Decision, Plan. Plain, frozen data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from deploytool.address import Address, parse_address

if TYPE_CHECKING:
    from deploytool.project.facts import Interface

Source = Literal["option", "setting", "environment", "detected", "measured", "default"]
Strength = Literal["required", "recommended", "default"]
Value = str | int | float | bool | None


class PlanError(Exception):
    """Options that contradict each other or that the chosen server cannot honour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asks for; None where it says nothing.

    ``bind`` is an address as ``parse_address()`` takes it; ``extra`` goes to the server
    untouched.
    """

    interface: Interface | None = None
    server: str | None = None
    bind: str | None = None
    workers: int | None = None
    threads: int | None = None
    reload: bool | None = None
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision of a plan.

    ``source`` says what decided, highest first: ``option`` (the command line),
    ``setting`` (``settings.DEPLOYTOOL``), ``environment``, ``detected``, ``measured``,
    ``default``. ``strength`` is given for the interface alone. ``evidence`` holds places a
    person can open.
    """

    name: str
    value: Value
    source: Source
    reason: str
    strength: Strength | None = None
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejection:
    """A server that was passed over, and why."""

    server: str
    reason: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that would make every request fail, and the next step."""

    message: str
    hint: str

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to serve a project. Plain data: it serialises to JSON as it is.

    ``mode`` is ``development`` where DEBUG is on. ``application`` is the project's own
    (``module:attribute``), None where there is none. ``threads`` are the server's,
    ``asgi_threads`` those of deploytool's handler, where that one serves. Times are in
    seconds. An option that the server does not have is None. ``argv`` is the whole command
    line, ``env`` what it needs in its environment beside what is there already. A plan with
    ``problems`` must not be run; ``notes`` are worth a line.
    """

    mode: Literal["development", "production"]
    interface: Interface
    server: str | None
    server_version: str | None
    application: str | None
    bind: str
    workers: int
    threads: int | None
    asgi_threads: int | None
    worker_class: str | None
    keepalive: int | None
    timeout: int | None
    graceful_timeout: int | None
    max_requests: int | None
    max_requests_jitter: int | None
    forwarded_allow_ips: str | None
    lifespan: str | None
    websocket: str | None
    worker_tmp_dir: str | None
    control_socket: str | None
    access_log: bool
    reload: bool
    static: str | None
    http2: bool
    certfile: str | None
    keyfile: str | None
    watch: tuple[str, ...]
    decisions: tuple[Decision, ...]
    rejected: tuple[Rejection, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    argv: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> Address:
        """Where the server listens."""
        return parse_address(self.bind)

    def decision(self, name: str) -> Decision:
        """The decision called ``name``; KeyError where there is none."""
        return {decision.name: decision for decision in self.decisions}[name]
