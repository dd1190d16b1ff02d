"""Which loggers of a server the project's logging configuration switches off."""

from __future__ import annotations

from django.conf import settings

# The loggers that are there when a server loads the application, and that it goes on using
# afterwards: uvicorn/config.py, gunicorn/glogging.py, daphne's modules.
_LOGGERS = {
    "uvicorn": ("uvicorn", "uvicorn.error", "uvicorn.access"),
    "gunicorn": ("gunicorn.error", "gunicorn.access"),
    "daphne": ("daphne.server", "daphne.http_protocol", "daphne.ws_protocol"),
}


def lost_logs(server: str) -> tuple[str, ...]:
    """The loggers of ``server`` that ``settings.LOGGING`` disables.

    As ``logging.config.dictConfig()`` does: those that it does not name, and that stand
    below none that it names, unless it says ``disable_existing_loggers: False``.
    """
    config = getattr(settings, "LOGGING", None)
    configures = getattr(settings, "LOGGING_CONFIG", None) == "logging.config.dictConfig"
    if not configures or not isinstance(config, dict) or not config:
        return ()
    if config.get("incremental") or not config.get("disable_existing_loggers", True):
        return ()
    named = config.get("loggers")
    kept = [str(name) for name in named] if isinstance(named, dict) else []
    return tuple(
        logger
        for logger in _LOGGERS.get(server, ())
        if not any(logger == name or logger.startswith(f"{name}.") for name in kept)
    )
