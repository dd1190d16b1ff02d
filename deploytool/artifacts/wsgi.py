"""wsgi.py: the entry point that a WSGI server is given."""

from __future__ import annotations

from deploytool.artifacts.entrypoint import EntryPointArtifact


class Wsgi(EntryPointArtifact):
    """Django's WSGI handler."""

    name = "wsgi"
    help = "wsgi.py, the entry point for WSGI servers"
