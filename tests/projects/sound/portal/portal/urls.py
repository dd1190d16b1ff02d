from django.contrib import admin
from django.contrib.sitemaps.views import sitemap
from django.urls import path

from pages import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("sitemap.xml", sitemap, {"sitemaps": {}}, name="sitemap"),
    path("", views.Home.as_view()),
    path("report.csv", views.report),
    path("download/<path:name>", views.download),
]
