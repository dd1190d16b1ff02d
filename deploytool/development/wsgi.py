"""The WSGI application of the project, with static files."""

from django.contrib.staticfiles.handlers import StaticFilesHandler

from deploytool.development.wrapping import load_application, wrap

application = wrap(load_application(), StaticFilesHandler)
