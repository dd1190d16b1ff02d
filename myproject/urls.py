"""The URLs of the site."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("pages/", include("myproject.pages.urls")),
    path("", include("myproject.live.urls")),
]
