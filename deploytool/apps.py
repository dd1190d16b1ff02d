"""The application's configuration."""

import sys
from types import ModuleType
from typing import Any

from django.apps import AppConfig
from django.core import checks

_COMMANDS = {"deploycheck", "deployfiles", "deployplan", "runserver_gateway"}


class DeploytoolConfig(AppConfig):
    """``deploytool`` in INSTALLED_APPS."""

    name = "deploytool"
    verbose_name = "Deployment"

    def __init__(self, app_name: str, app_module: ModuleType | None) -> None:
        super().__init__(app_name, app_module)
        # The earliest moment at which anything of this app runs. A server's process imports
        # nothing more of it.
        if _COMMANDS & set(sys.argv[1:2]):
            from deploytool.standard_output import divert_early  # noqa: PLC0415

            divert_early(sys.argv)

    def ready(self) -> None:
        """Register the checks; what they consist of is imported when they run."""
        checks.register(_check, "deploytool", deploy=True)


def _check(**options: Any) -> list[checks.CheckMessage]:
    from deploytool.checks.given import given  # noqa: PLC0415

    if given.get() == "nothing":
        return []
    from deploytool.checks.registered import check_deployment  # noqa: PLC0415

    return check_deployment(**options)
