"""The application's configuration."""

import sys
from types import ModuleType

from django.apps import AppConfig


class DeploytoolConfig(AppConfig):
    """``deploytool`` in INSTALLED_APPS."""

    name = "deploytool"
    verbose_name = "Deployment"

    def __init__(self, app_name: str, app_module: ModuleType | None) -> None:
        super().__init__(app_name, app_module)
        # The earliest moment at which anything of this app runs. A server's process imports
        # nothing more of it.
        if {"deployplan", "deployfiles", "runserver_gateway"} & set(sys.argv[1:2]):
            from deploytool.standard_output import divert_early  # noqa: PLC0415

            divert_early(sys.argv)
