from django.urls import path

from . import views

functions = """
clock export export_nested nested expression asked waited threaded listed mapped helped
helped_by_name helped_async helped_in_thread local_import slow_import own_class own_partial
decorated guarded service either branches replaced rewrapped opaque later download own_download asks
quarterly short recursive too_deep
""".split()

urlpatterns = [path(name, getattr(views, name)) for name in functions] + [
    path("feed", views.Feed.as_view()),
    path("report", views.Report.as_view()),
    path("long-report", views.LongReport.as_view()),
]
