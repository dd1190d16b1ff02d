import json
import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "for tests only, not a secret"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = [
    "deploytool",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
if "OWN" in os.environ:
    MIDDLEWARE.append("leased.middleware.Own")
ROOT_URLCONF = "leased.urls"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "db.sqlite3",
        "CONN_MAX_AGE": int(os.environ.get("CONN_MAX_AGE", "60")),
    }
}
ASGI_APPLICATION = "leased.asgi.application"
DEPLOYTOOL = {
    "INTERFACE": "asgi",
    "ASGI_THREADS": 2,
    "ASGI_THREAD_TIMEOUT": 2,
    **json.loads(os.environ.get("CONF", "{}")),
}
