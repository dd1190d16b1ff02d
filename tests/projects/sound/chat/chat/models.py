from django.conf import settings
from django.db import models


class Message(models.Model):
    room = models.CharField(max_length=50)
    text = models.TextField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    sent = models.DateTimeField(auto_now_add=True)
