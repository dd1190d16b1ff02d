from django.contrib import admin
from django.urls import path

from mysite import views

urlpatterns = [
    path("", views.index),
    path("page/", views.page),
    path("late/", views.late),
    path("slow/", views.slow),
    path("process/", views.process),
    path("events/", views.events),
    path("lines/", views.lines),
    path("admin/", admin.site.urls),
]
