import json
import logging

from asgiref.sync import async_to_sync
from channels.consumer import SyncConsumer
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer, WebsocketConsumer

from .models import Message

logger = logging.getLogger(__name__)


class ChatConsumer(AsyncJsonWebsocketConsumer):
    async def connect(self):
        self.user = self.scope["user"]
        if not self.user.is_authenticated:
            await self.close()
            return
        self.room = self.scope["url_route"]["kwargs"]["room"]
        self.group = f"chat_{self.room}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()
        for message in await self.history():
            await self.send_json(message)

    async def disconnect(self, code):
        if hasattr(self, "group"):
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive_json(self, content, **kwargs):
        await Message.objects.acreate(room=self.room, text=content["text"], author=self.user)
        await self.channel_layer.group_send(
            self.group, {"type": "chat.message", "text": content["text"]}
        )

    async def chat_message(self, event):
        await self.send_json({"text": event["text"]})

    async def chat_saved(self, event):
        logger.info("message %s", event["id"])

    @database_sync_to_async
    def history(self):
        messages = Message.objects.filter(room=self.room).select_related("author")[:50]
        return [{"text": each.text, "author": each.author.username} for each in messages]


class TickerConsumer(WebsocketConsumer):
    def connect(self):
        async_to_sync(self.channel_layer.group_add)("ticker", self.channel_name)
        self.accept()

    def disconnect(self, code):
        async_to_sync(self.channel_layer.group_discard)("ticker", self.channel_name)

    def receive(self, text_data=None, bytes_data=None):
        count = Message.objects.count()
        self.send(text_data=json.dumps({"count": count, "echo": text_data}))

    def tick(self, event):
        self.send(text_data=event["text"])


class NotFoundConsumer(WebsocketConsumer):
    def connect(self):
        self.close(code=4404)


class Thumbnails(SyncConsumer):
    def generate(self, message):
        logger.info("thumbnail of %s", message["id"])
