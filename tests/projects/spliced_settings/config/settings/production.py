from pathlib import Path

from .base import *
from .tenants import TENANT_MIDDLEWARE

MIDDLEWARE = [MIDDLEWARE[0], "whitenoise.middleware.WhiteNoiseMiddleware", *MIDDLEWARE[1:]]
MIDDLEWARE.remove("django.middleware.locale.LocaleMiddleware")
MIDDLEWARE.insert(
    MIDDLEWARE.index("django.contrib.sessions.middleware.SessionMiddleware") + 1,
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)
MIDDLEWARE += TENANT_MIDDLEWARE
if "config.middleware.Tenant" in MIDDLEWARE:
    MIDDLEWARE.append("config.middleware.Audit")
exec((Path(__file__).parent / "local_part.py").read_text())
MIDDLEWARE.append(".".join(["config", "middleware", "Computed"]))
