"""Subclasses, as projects write them."""

from channels.layers import InMemoryChannelLayer
from django.contrib.sessions.backends.cached_db import SessionStore as CachedSessions
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from servestatic.middleware import ServeStaticMiddleware
from whitenoise.middleware import WhiteNoiseMiddleware


class OwnCache(LocMemCache):
    pass


class SharedCache(FileBasedCache):
    pass


class OwnLayer(InMemoryChannelLayer):
    pass


class SessionStore(CachedSessions):
    pass


class OwnSessions(SessionMiddleware):
    pass


class OwnWhiteNoise(WhiteNoiseMiddleware):
    pass


class OwnServeStatic(ServeStaticMiddleware):
    pass
