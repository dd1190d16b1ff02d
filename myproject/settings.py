"""Settings of the demonstration site. What differs between machines comes from the environment.

====================  ========================================================  ===============
Variable              Meaning                                                   Default
====================  ========================================================  ===============
DEBUG                 development: error pages, files served from their source  on
SECRET_KEY            signs sessions and tokens; required when DEBUG is off     for development
ALLOWED_HOSTS         host names of the site, separated by commas               this machine
CSRF_TRUSTED_ORIGINS  origins with their scheme, separated by commas            none
DATABASE_URL          the database                                              db.sqlite3
REDIS_URL             cache, sessions and channel layer of several processes    none
STATIC_ROOT           where collectstatic puts the files                        staticfiles/
BEHIND_TLS_PROXY      a proxy ends TLS here and sets X-Forwarded-Proto          off
SECURE_COOKIES        cookies travel over HTTPS only                            not DEBUG
SECURE_HSTS_SECONDS   how long browsers insist on HTTPS                         3600; DEBUG: 0
====================  ========================================================  ===============

ALLOWED_HOSTS has a default in DEBUG only.
"""

from pathlib import Path

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from myproject import environment

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = environment.boolean("DEBUG", default=True)

SECRET_KEY = environment.text("SECRET_KEY")
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured(
            "The environment variable SECRET_KEY is required when DEBUG is off. Make one with: "
            'python -c "import secrets; print(secrets.token_urlsafe(50))"'
        )
    SECRET_KEY = "for development only, not a secret"  # noqa: S105

ALLOWED_HOSTS = environment.words(
    "ALLOWED_HOSTS", default=(".localhost", "127.0.0.1", "[::1]") if DEBUG else ()
)
CSRF_TRUSTED_ORIGINS = environment.words("CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "deploytool",
    "myproject.pages",
    "myproject.live",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "myproject.staticfiles.StaticFilesMiddleware",  # WhiteNoise: right after security
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "myproject.urls"
WSGI_APPLICATION = "myproject.wsgi.application"
ASGI_APPLICATION = "myproject.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

if DATABASE_URL := environment.text("DATABASE_URL"):
    try:
        DATABASES = {"default": dj_database_url.parse(DATABASE_URL)}
    except ValueError as error:
        # The URL carries a password: the message must not repeat it.
        raise ImproperlyConfigured(
            "The environment variable DATABASE_URL is not a database's URL such as "
            "postgres://user:password@host:5432/name or sqlite:////var/lib/site/db.sqlite3."
        ) from error
else:
    DATABASES = {
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}
    }
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Writers of several processes wait for each other; without these, a transaction that
    # reads before it writes fails at once with "database is locked".
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        **DATABASES["default"].get("OPTIONS", {}),
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

SESSION_ENGINE = "django.contrib.sessions.backends.db"
if REDIS_URL := environment.text("REDIS_URL"):
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            "KEY_PREFIX": "myproject",
        }
    }
    SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": [REDIS_URL], "prefix": "myproject"},
        }
    }
else:
    # Each process has its own: enough for one worker, and no server to install.
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = Path(environment.text("STATIC_ROOT", str(BASE_DIR / "staticfiles")))
STATICFILES_DIRS = [BASE_DIR / "myproject" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG

# TLS. A proxy must be named before its header is believed: without one, any client could
# claim to be secure; and without the header, a redirect to HTTPS would never end.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = environment.boolean(
    "SECURE_COOKIES", default=not DEBUG
)
SECURE_HSTS_SECONDS = environment.whole_number("SECURE_HSTS_SECONDS", default=0 if DEBUG else 3600)
if environment.boolean("BEHIND_TLS_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
# Whether other subdomains speak HTTPS, and whether browsers ship that knowledge, is for the
# owner of the domain to say: advice that no setting of this site can follow by itself.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# Django's own configuration shows no error on the console when DEBUG is off.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {"django": {"handlers": ["console"], "level": "INFO", "propagate": False}},
}
