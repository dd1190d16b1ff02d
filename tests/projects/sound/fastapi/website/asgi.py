import os
from contextlib import asynccontextmanager

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "website.settings")
django_application = get_asgi_application()

from fastapi import FastAPI
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

from members.service import router


@asynccontextmanager
async def lifespan(app):
    app.state.ready = True
    yield


api = FastAPI(lifespan=lifespan)
api.include_router(router, prefix="/api")
api.mount("/", django_application)

application = OpenTelemetryMiddleware(api)
