from django.urls import include, path
from rest_framework.routers import DefaultRouter

from . import views

router = DefaultRouter()
router.register("books", views.Books, basename="book")

urlpatterns = [
    path("status/", views.Status.as_view(), name="status"),
    path("ping/", views.ping),
    path("", include(router.urls)),
]
