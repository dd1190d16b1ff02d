"""The URLs of the pages."""

from django.urls import path

from myproject.pages.views import PageList, PageView

app_name = "pages"
urlpatterns = [
    path("", PageList.as_view(), name="list"),
    path("<slug:slug>/", PageView.as_view(), name="page"),
]
