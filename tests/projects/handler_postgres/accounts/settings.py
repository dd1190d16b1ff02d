"""A PostgreSQL database; what differs from test to test comes from the environment."""

import json
import os

SECRET_KEY = "for tests only, not a secret"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = [
    "deploytool",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "accounts",
]
# Tables without a history, which are made sooner.
MIGRATION_MODULES = {"auth": None, "contenttypes": None, "sessions": None}
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "accounts.urls"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ.get("DATABASE_HOST", ""),
        "NAME": os.environ.get("DATABASE_NAME", "accounts"),
        "USER": os.environ.get("DATABASE_USER", ""),
        "CONN_MAX_AGE": 60,
        **json.loads(os.environ.get("DATABASE", "{}")),
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ASGI_APPLICATION = "accounts.asgi.application"
DEPLOYTOOL = {"INTERFACE": "asgi", **json.loads(os.environ.get("CONF", "{}"))}
