"""The pages in the admin."""

from django.contrib import admin

from myproject.pages.models import Page


@admin.register(Page)
class PageAdmin(admin.ModelAdmin):
    date_hierarchy = "updated"
    list_display = ["title", "slug", "updated"]
    prepopulated_fields = {"slug": ["title"]}
    search_fields = ["title", "body"]
