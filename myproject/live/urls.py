"""The URLs of the live parts."""

from django.urls import path

from myproject.live import views

app_name = "live"
urlpatterns = [
    path("", views.home, name="home"),
    path("status/", views.status, name="status"),
    path("clock/", views.clock, name="clock"),
    path("clock/events/", views.clock_events, name="clock-events"),
    path("chat/", views.chat, name="chat"),
]
