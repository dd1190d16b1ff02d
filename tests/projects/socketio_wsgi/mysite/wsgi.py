import os

import socketio
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")

sio = socketio.Server(async_mode="threading")
application = socketio.WSGIApp(sio, get_wsgi_application())
