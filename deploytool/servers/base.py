"""What every server tells of itself, in one vocabulary."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploytool.plan.data import Plan
    from deploytool.project.facts import Interface, Machine


@dataclass(frozen=True, slots=True)
class Needs:
    """What a server has to be able to do for a project.

    ``websocket`` and ``http2`` are protocols; ``double_callable`` is an application of
    the ASGI 2 specification.
    """

    interface: Interface
    websocket: bool = False
    http2: bool = False
    double_callable: bool = False


class Server(ABC):
    """A protocol server: what it can serve, and its command line from a Plan.

    ``name`` is how it is asked for, ``title`` how it is written, ``module`` what
    ``python -m`` runs. ``distribution`` and ``companions`` are the installed
    distributions that matter to it; ``extra`` is this project's extra that installs it.
    ``preference`` says, in one sentence, why it stands where it stands in ``SERVERS``.
    ``unsupported`` maps each option of a Plan that it does not have to the reason.
    ``reloads`` is True where it restarts itself when the code changes, ``windows`` where
    it runs on Windows.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    module: ClassVar[str]
    distribution: ClassVar[str]
    extra: ClassVar[str]
    companions: ClassVar[tuple[str, ...]] = ()
    interfaces: ClassVar[tuple[Interface, ...]]
    preference: ClassVar[str]
    reloads: ClassVar[bool] = True
    windows: ClassVar[bool] = True

    @property
    def install(self) -> str:
        """The command that installs it."""
        return f'pip install "django-deploytool[{self.extra}]"'

    @abstractmethod
    def unsupported(self, interface: Interface) -> Mapping[str, str]:
        """Options of a Plan that it does not have for ``interface``, each with the reason."""

    @abstractmethod
    def refusal(self, needs: Needs, machine: Machine) -> str | None:
        """Why it cannot serve ``needs`` on ``machine``; None where it can.

        Only asked where it is installed.
        """

    @abstractmethod
    def options(self, plan: Plan) -> list[str]:
        """Its command-line options for ``plan``, without the application."""

    def worker_class(self, interface: Interface) -> str | None:
        """The kind of worker it runs for ``interface``, where it has several."""
        del interface
        return None

    def websocket(self, machine: Machine) -> str | None:
        """Its WebSocket implementation on ``machine``, where it has several."""
        del machine
        return None


def at_least(version: str | None, *wanted: int) -> bool:
    """Whether the dotted ``version`` is ``wanted`` or later; False for None."""
    if version is None:
        return False
    numbers = [int(number) for number in re.findall(r"\d+", version)[: len(wanted)]]
    return tuple(numbers) >= wanted
