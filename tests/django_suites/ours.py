"""The handlers of Django's test clients with deploytool's chain; imported by launch.py.

A module of its own, as worker processes send a failure's locals by the names of their classes.
"""

from __future__ import annotations

import django.test.client

from deploytool.handlers.chain import ChainMixin


class AsyncClientHandler(ChainMixin, django.test.client.AsyncClientHandler):
    """What ``AsyncClient`` sends its requests through."""


class ClientHandler(ChainMixin, django.test.client.ClientHandler):
    """What ``Client`` sends its requests through."""
