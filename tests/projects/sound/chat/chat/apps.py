from django.apps import AppConfig
from django.db.models.signals import post_save


class ChatConfig(AppConfig):
    name = "chat"

    def ready(self):
        from . import notify

        post_save.connect(notify.message_saved, sender="chat.Message", dispatch_uid="notify")
