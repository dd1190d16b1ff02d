"""The ASGI application of the project, with static files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgiref.compatibility import guarantee_single_callable
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler

from deploytool.development.wrapping import development_application

if TYPE_CHECKING:
    from collections.abc import Callable

# asgiref has no annotations here.
_single_callable: Callable[[Any], Any] = guarantee_single_callable


def _static_files(application: Any) -> ASGIStaticFilesHandler:
    # The handler passes everything else on as ASGI 3 does; an ASGI 2 application differs.
    return ASGIStaticFilesHandler(_single_callable(application))


application = development_application("asgi", _static_files)
