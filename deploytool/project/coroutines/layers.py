"""The channel layers that consumers have, by the classes that the settings name for them.

No layer is made: it might connect to its service.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.module_loading import import_string

from deploytool.project.definitions import is_a

if TYPE_CHECKING:
    from types import FunctionType


def layer_of(consumer: type) -> type | None:
    """The class of ``self.channel_layer`` of a consumer of Channels; None of anything else."""
    known = any(
        (base.__module__, base.__name__) == ("channels.consumer", "AsyncConsumer")
        for base in consumer.__mro__
    )
    return _class(getattr(consumer, "channel_layer_alias", None)) if known else None


def layer_made_by(function: FunctionType, call: ast.Call) -> type | None:
    """The class of what ``get_channel_layer()`` gives; None for another function."""
    if (function.__module__, function.__name__) != ("channels.layers", "get_channel_layer"):
        return None
    given = [*call.args, *(each.value for each in call.keywords)]
    if not given:
        return _class("default")
    return _class(given[0].value) if isinstance(given[0], ast.Constant) else None


def _class(alias: object) -> type | None:
    try:
        found: object = import_string(settings.CHANNEL_LAYERS[alias]["BACKEND"])
    except Exception:  # the settings may hold anything, and a check of its own says so
        return None
    return found if is_a(found, type) else None
