"""What a page is."""

from django.db import models
from django.urls import reverse


class Page(models.Model):
    """A page of text with an address of its own."""

    slug = models.SlugField(unique=True, help_text="The page's address: /pages/SLUG/")
    title = models.CharField(max_length=100)
    body = models.TextField(help_text="Plain text; an empty line starts a new paragraph.")
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["title"]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("pages:page", args=[self.slug])
