"""The synchronous client's handler with its requests carried through the asynchronous chain.

Imported by launch.py once the handler of the side in question is in its place.
"""

from __future__ import annotations

import django.test.client
from asgiref.sync import async_to_sync


class Carried(django.test.client.ClientHandler):
    """The handler in place, whose chain is asynchronous."""

    def load_middleware(self, is_async=True):
        super().load_middleware(is_async=True)

    def get_response(self, request):
        return async_to_sync(self.get_response_async)(request)
