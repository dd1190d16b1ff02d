import json
import os
from pathlib import Path

import sentry_sdk
from sentry_sdk.integrations.django import DjangoIntegration

from watched.recorder import Recorder

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "for tests only, not a secret"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = [
    "deploytool",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "watched.middleware.Failing",
    "watched.middleware.function",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
    }
]
ROOT_URLCONF = "watched.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
ASGI_APPLICATION = "watched.asgi.application"
DEPLOYTOOL = {"INTERFACE": "asgi"}

sentry_sdk.init(
    dsn="http://key@127.0.0.1:9/1",
    transport=Recorder,
    integrations=[DjangoIntegration(middleware_spans=json.loads(os.environ.get("SPANS", "false")))],
    traces_sample_rate=1.0,
    send_default_pii=True,
    auto_session_tracking=False,
)
