"""The walk through the URLconf alone: run by routes.py inside a project, prints JSON.

Seconds of the import of the URLconf with all of its views, which every command that looks
at routes needs, and of ``inspect_views()`` after it; and how many routes it found.
"""

from __future__ import annotations

import json
import os
import sys
import time

import django


def main() -> None:
    sys.path.insert(0, os.getcwd())
    django.setup()

    from django.urls import URLResolver, get_resolver  # noqa: PLC0415 - needs the settings

    from deploytool.project.views import inspect_views  # noqa: PLC0415 - as above

    def load(resolver: URLResolver) -> None:
        for pattern in resolver.url_patterns:
            if isinstance(pattern, URLResolver):
                load(pattern)

    started = time.perf_counter()
    load(get_resolver())
    loaded = time.perf_counter()
    views = inspect_views(os.getcwd())
    walked = time.perf_counter()
    print(
        json.dumps(
            {
                "import": loaded - started,
                "walk": walked - loaded,
                "routes": len(views.views),
                "async": sum(view.mode == "async" for view in views.views),
                "streaming": sum(view.streaming is not None for view in views.views),
            }
        )
    )


if __name__ == "__main__":
    main()
