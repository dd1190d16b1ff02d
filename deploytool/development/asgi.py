"""The ASGI application of the project, with static files."""

from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler

from deploytool.development.wrapping import load_application, wrap

application = wrap(load_application(), ASGIStaticFilesHandler)
