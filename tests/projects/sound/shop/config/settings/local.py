from .base import *

DEBUG = True
SECRET_KEY = "django-insecure-local-only"
ALLOWED_HOSTS = ["*"]

INSTALLED_APPS = ["debug_toolbar", *INSTALLED_APPS]
MIDDLEWARE = ["debug_toolbar.middleware.DebugToolbarMiddleware", *MIDDLEWARE]
INTERNAL_IPS = ["127.0.0.1"]

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
