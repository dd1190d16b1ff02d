"""The project's own deployment files: what they start, and what stands around it.

``read_stack()`` reads them all (``gathering.py``): Dockerfiles, Compose files, nginx
configuration, Gunicorn's and uWSGI's configuration, systemd units, Procfiles, Supervisor's
configuration and the scripts that they name. Text is parsed, nothing is run.
"""

from deploytool.project.stack.gathering import Stack, read_stack

__all__ = ["Stack", "read_stack"]
