from channels.generic.websocket import JsonWebsocketConsumer

from chat.models import Message  # cannot be imported before the apps are loaded


class ChatConsumer(JsonWebsocketConsumer):
    def receive_json(self, content):
        user = self.scope.get("user")
        self.send_json({"model": Message.__name__, "said": content, "user": str(user)})
