from django.conf import settings
from django.conf.urls.i18n import i18n_patterns
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import include, path
from rest_framework.authtoken.views import obtain_auth_token
from rest_framework.routers import DefaultRouter

from catalog import views as catalog
from orders import api, views as orders

router = DefaultRouter()
router.register("products", api.ProductViewSet, basename="product")

urlpatterns = [
    path(settings.ADMIN_URL, admin.site.urls),
    path("health/", orders.health),
    path("api/", include(router.urls)),
    path("api/token/", obtain_auth_token),
    path("api-auth/", include("rest_framework.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
]
urlpatterns += i18n_patterns(
    path("", catalog.ProductList.as_view(), name="products"),
    path("product/<int:pk>/", catalog.ProductDetail.as_view(), name="product"),
    path("cart/", orders.cart, name="cart"),
    path("checkout/", orders.checkout, name="checkout"),
    path("invoice/<int:number>/", orders.invoice, name="invoice"),
    path("accounts/", include("django.contrib.auth.urls")),
)
urlpatterns += static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT)

if settings.DEBUG:
    import debug_toolbar

    urlpatterns = [path("__debug__/", include(debug_toolbar.urls)), *urlpatterns]
