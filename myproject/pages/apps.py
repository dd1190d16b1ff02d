"""The configuration of the pages."""

from django.apps import AppConfig


class PagesConfig(AppConfig):
    name = "myproject.pages"
