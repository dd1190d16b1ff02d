from django.urls import include, path
from rest_framework.authtoken.views import obtain_auth_token
from rest_framework.routers import DefaultRouter

from . import drf, ninja

router = DefaultRouter()
router.register("groups", drf.Groups)

urlpatterns = [
    path("up/", drf.Status.as_view()),
    path("drf/login/", include("rest_framework.urls")),
    path("drf/token/", obtain_auth_token),
    path("drf/status/", drf.Status.as_view(), name="status"),
    path("drf/me/", drf.Me.as_view()),
    path("drf/both/", drf.Both.as_view()),
    path("drf/fails/", drf.Fails.as_view()),
    path("drf/", include(router.urls)),
    path("ninja/", ninja.api.urls),
]
