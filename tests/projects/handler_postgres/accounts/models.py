from django.db import models


class Item(models.Model):
    title = models.CharField(max_length=100)


class Entry(models.Model):
    """One half of a transfer; the two halves of one have its token."""

    token = models.CharField(max_length=100, db_index=True)
    amount = models.IntegerField()
