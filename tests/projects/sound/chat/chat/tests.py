import time

from django.test import TestCase


class ChatTests(TestCase):
    async def test_room(self):
        time.sleep(0)
        await self.async_client.get("/chat/a/")
