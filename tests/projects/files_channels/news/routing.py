from channels.generic.websocket import WebsocketConsumer
from django.urls import path


class NewsConsumer(WebsocketConsumer):
    def connect(self):
        self.accept()
        self.send("news")


websocket_urlpatterns = [path("ws/news/", NewsConsumer.as_asgi())]
