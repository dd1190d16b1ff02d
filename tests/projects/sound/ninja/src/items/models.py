from django.db import models


class Item(models.Model):
    name = models.CharField(max_length=100)
    amount = models.PositiveIntegerField(default=0)

    class Meta:
        managed = False
        db_table = "items"
