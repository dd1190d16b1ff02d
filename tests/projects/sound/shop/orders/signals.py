import logging

from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_save
from django.dispatch import receiver

logger = logging.getLogger(__name__)


@receiver(user_logged_in)
def log_login(sender, request, user, **kwargs):
    logger.info("%s logged in", user.pk)


@receiver(post_save, sender="catalog.Product")
def forget_categories(sender, **kwargs):
    from django.core.cache import cache

    cache.delete("categories")
