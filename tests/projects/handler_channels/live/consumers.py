from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from django.contrib.auth.models import User


class Echo(AsyncWebsocketConsumer):
    """Says who is connected, how many users there are, and what views send to its group."""

    async def connect(self):
        await self.channel_layer.group_add("all", self.channel_name)
        await self.accept()

    async def disconnect(self, code):
        await self.channel_layer.group_discard("all", self.channel_name)

    async def receive(self, text_data=None, bytes_data=None):
        users = await database_sync_to_async(User.objects.count)()
        name = self.scope["user"].get_username() or "nobody"
        await self.send(text_data=f"{text_data} {name} {users}")

    async def told(self, event):
        await self.send(text_data=f"told {event['text']}")


class SyncEcho(WebsocketConsumer):
    def receive(self, text_data=None, bytes_data=None):
        self.send(text_data=f"{text_data} {User.objects.count()}")
