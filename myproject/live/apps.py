"""The configuration of the live parts."""

from django.apps import AppConfig


class LiveConfig(AppConfig):
    name = "myproject.live"
