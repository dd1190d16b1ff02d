from functools import partial

from asgiref.sync import async_to_sync, sync_to_async
from django.conf.urls.i18n import i18n_patterns
from django.contrib import admin
from django.http import HttpResponse
from django.urls import include, path, re_path

from . import views
from .decorators import unsigned
from .views import plain as renamed

shop = (
    [
        path("", views.plain, name="list"),
        path("<int:pk>/", renamed, name="detail"),
        re_path(r"^by-year/(?P<year>[0-9]{4})/$", views.coroutine, name="year"),
    ],
    "shop",
)

urlpatterns = [
    path("plain/", views.plain, name="plain"),
    path("coroutine/", views.coroutine),
    path("private/", views.private),
    path("cached/", views.cached),
    path("stamped/", views.stamped),
    path("forgotten/", views.forgotten),
    path("awaited/", views.awaited),
    path("counted/", views.counted),
    path("threaded/", sync_to_async(views.plain)),
    path("blocking/", async_to_sync(views.coroutine)),
    path("made/", views.made),
    path("sync/", views.Sync.as_view()),
    path("async/", views.Async.as_view()),
    path("guarded/", views.Guarded.as_view()),
    path("hidden/", unsigned(views.Sync.as_view())),
    path("health/", views.Health()),
    path("evasive/", views.Evasive()),
    path("lambda/", lambda request: HttpResponse("lambda")),
    path("partial/", partial(views.plain, pk=1)),
    path("partial-async/", partial(views.coroutine)),
    path("shop/", include(shop, namespace="main")),
    re_path(r"^legacy/", include([re_path(r"^old/$", views.plain)])),
    path("admin/", admin.site.urls),
    *i18n_patterns(path("about/", views.plain, name="about")),
]
