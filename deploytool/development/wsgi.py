"""The WSGI application of the project, with static files."""

from django.contrib.staticfiles.handlers import StaticFilesHandler

from deploytool.development.wrapping import development_application

application = development_application("wsgi", StaticFilesHandler)
