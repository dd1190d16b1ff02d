"""What the project's coroutines do while the event loop waits for them.

``roots.py`` finds the coroutines that a server runs (async views, middleware, consumers,
the bodies of async streams), ``reading.py`` walks their source and that of the project's
functions that they call, ``values.py`` tells what an expression in it stands for,
``blocking.py`` knows what waits. Nothing is called. Sync views are not looked at.
"""

from deploytool.project.coroutines.facts import AsyncCode, OnLoop, Route, Stream
from deploytool.project.coroutines.inspecting import inspect_async_code

__all__ = ["AsyncCode", "OnLoop", "Route", "Stream", "inspect_async_code"]
