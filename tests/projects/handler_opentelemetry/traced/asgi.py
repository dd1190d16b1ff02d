import os

from opentelemetry import trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from tests.handlers.counting import counted
from traced.exporter import FileExporter

if os.environ["HANDLER"] == "django":
    from django.core.asgi import get_asgi_application
else:
    from deploytool.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "traced.settings")
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(FileExporter()))
trace.set_tracer_provider(provider)
if os.environ["INSTRUMENTED"] == "django":
    # Adds its middleware to the settings, so it comes before the handler is made.
    DjangoInstrumentor().instrument()
    application = counted(get_asgi_application())
else:
    application = counted(OpenTelemetryMiddleware(get_asgi_application()))
