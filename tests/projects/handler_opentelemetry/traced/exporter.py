import os

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult


class FileExporter(SpanExporter):
    """Writes spans to a file, one line each."""

    def export(self, spans):
        with open(os.environ["RECORD"], "a") as record:
            for span in spans:
                record.write(span.to_json(indent=None) + "\n")
        return SpanExportResult.SUCCESS
