"""The chat's end of a WebSocket."""

from __future__ import annotations

import json
import os
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.utils import timezone

from myproject.live.chat import RefusedError, read_text, visitor_name


class ChatConsumer(AsyncWebsocketConsumer):
    """One visitor of the chat: what they say goes to everybody, themselves included."""

    groups = ["chat"]

    async def connect(self) -> None:
        # In a thread: the session and the user are loaded from the database when asked.
        self.name = await database_sync_to_async(visitor_name)(
            self.scope["user"], self.scope["session"]
        )
        await self.accept()
        await self.tell(type="welcome", name=self.name, process=os.getpid())

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            text = read_text(text_data)
        except RefusedError as refused:
            await self.tell(type="refused", reason=str(refused))
            return
        await self.channel_layer.group_send(
            "chat",
            {
                "type": "chat.message",
                "sender": self.channel_name,
                "name": self.name,
                "text": text,
                "time": timezone.now().isoformat(timespec="seconds"),
            },
        )

    async def chat_message(self, event: dict[str, Any]) -> None:
        """Somebody said something: pass it to this visitor."""
        await self.tell(
            type="message",
            name=event["name"],
            text=event["text"],
            time=event["time"],
            own=event["sender"] == self.channel_name,
        )

    async def tell(self, **message: object) -> None:
        """Send ``message`` to this visitor's browser as JSON."""
        await self.send(text_data=json.dumps(message))
