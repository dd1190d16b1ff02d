"""Subclasses of RemoteUserMiddleware: copied into a project of the tests, and driven."""

from __future__ import annotations

from django.contrib.auth.backends import RemoteUserBackend
from django.contrib.auth.middleware import RemoteUserMiddleware


class Prefixed(RemoteUserMiddleware):
    header = "HTTP_X_REMOTE_USER"


class Unprefixed(RemoteUserMiddleware):
    header = "X_REMOTE_USER"


class OwnSync(RemoteUserMiddleware):
    def process_request(self, request):
        request.asked = "own"


class OwnBoth(OwnSync):
    async def aprocess_request(self, request):
        request.asked = "own"


class Asks(RemoteUserBackend):
    """Signs nobody in, and notes on the request who would be."""

    def authenticate(self, request, remote_user):
        request.asked = remote_user

    async def aauthenticate(self, request, remote_user):
        request.asked = remote_user
