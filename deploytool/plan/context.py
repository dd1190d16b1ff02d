"""What the rules of a plan look at, and the precedence that they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploytool.plan.data import Decision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploytool.plan.data import Options, Source, Value
    from deploytool.project.facts import Interface, Project
    from deploytool.servers import Needs, Server


@dataclass(frozen=True, slots=True)
class Context:
    """What every rule of this module may look at."""

    project: Project
    options: Options
    interface: Interface
    server: Server
    needs: Needs

    @property
    def development(self) -> bool:
        """DEBUG is on: one process that reloads, and serves static files."""
        return self.project.debug

    @property
    def unsupported(self) -> Mapping[str, str]:
        """Options that the server does not have, with the reason."""
        return self.server.unsupported(self.interface)

    def environment(self, name: str) -> str | None:
        """An environment variable that the project's facts carry; None when empty."""
        return dict(self.project.environment).get(name) or None


def decide(
    context: Context, name: str, value: Value, source: Source, reason: str, *evidence: str
) -> Decision:
    """The decision for ``name`` unless the settings state it or the server has no such option."""
    stated = getattr(context.project.conf, name, None)
    if name in context.unsupported:
        reason = context.unsupported[name]
        if stated is not None:
            reason += f' settings.DEPLOYTOOL["{name.upper()}"] has no effect.'
        return Decision(name, None, "detected", reason)
    if stated is not None:
        return Decision(name, stated, "setting", f'settings.DEPLOYTOOL["{name.upper()}"].')
    return Decision(name, value, source, reason, None, evidence)
