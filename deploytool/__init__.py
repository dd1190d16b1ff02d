"""deploytool: a Django app that knows a project well enough to serve it."""

__version__ = "0.1.0"
