from channels.generic.websocket import WebsocketConsumer

from .models import Message


class ChatConsumer(WebsocketConsumer):
    def receive(self, text_data=None, bytes_data=None):
        Message.objects.create(text=text_data)
