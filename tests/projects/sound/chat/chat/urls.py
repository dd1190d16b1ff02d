from django.urls import path

from . import views

urlpatterns = [
    path("", views.index),
    path("<str:room>/", views.room, name="room"),
    path("<str:room>/events/", views.events),
    path("<str:room>/post/", views.Post.as_view()),
]
