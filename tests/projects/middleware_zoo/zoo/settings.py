SECRET_KEY = "for tests only, not a secret"
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
INSTALLED_APPS = ["django.contrib.sessions", "deploytool"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
ROOT_URLCONF = "zoo.urls"
MIDDLEWARE = [
    "zoo.middleware.simple",
    "zoo.middleware.hybrid",
    "zoo.middleware.Hooks",
    "zoo.middleware.OwnCall",
    "zoo.middleware.Sessions",
    "zoo.middleware.AsyncOnly",
    "zoo.middleware.configured",
    "zoo.middleware.Renamed",
    "zoo.missing_package.Missing",
    "zoo.exits.Exits",
    "zoo.middleware.Mispelt",
    "zoo.middleware.NAME",
]
