from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer


def message_saved(sender, instance, created, **kwargs):
    if created:
        async_to_sync(get_channel_layer().group_send)(
            f"chat_{instance.room}", {"type": "chat.saved", "id": instance.pk}
        )
