"""The application's configuration. It registers checks, nothing else."""

from django.apps import AppConfig


class DeploytoolConfig(AppConfig):
    """``deploytool`` in INSTALLED_APPS."""

    name = "deploytool"
    verbose_name = "Deployment"
