"""The handler of ``deploytool.asgi`` is found wherever it stands in an application."""

from __future__ import annotations

import pytest
from asgiref.compatibility import guarantee_single_callable
from channels.routing import ProtocolTypeRouter, URLRouter
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.urls import re_path
from fastapi import FastAPI
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from sentry_sdk.integrations.asgi import SentryAsgiMiddleware
from servestatic import ServeStaticASGI
from starlette.middleware.gzip import GZipMiddleware

from deploytool.asgi import get_asgi_application
from deploytool.plan.handler import OURS
from deploytool.project.probe.run import inspected


def mounted(app):
    whole = FastAPI()
    whole.mount("/", app)
    return whole


def by_hand(app):
    async def application(scope, receive, send):
        if scope["type"] == "http":
            await app(scope, receive, send)

    return application


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda app: app,
        lambda app: ProtocolTypeRouter({"http": app}),
        lambda app: ProtocolTypeRouter({"http": URLRouter([re_path("", app)])}),
        lambda app: ProtocolTypeRouter({"http": SentryAsgiMiddleware(app)}),
        ASGIStaticFilesHandler,
        OpenTelemetryMiddleware,
        SentryAsgiMiddleware,
        GZipMiddleware,
        guarantee_single_callable,
        ServeStaticASGI,
        mounted,
        by_hand,
    ],
)
def test_it_is_named_through_whatever_stands_around_it(wrapped):
    answer = inspected(wrapped(get_asgi_application()), "asgi", "site.entry:application")[1]
    assert (answer["status"], answer["handler"]) == ("ok", OURS)
    assert "http" in answer["protocols"]
