"""The ASGI handler behind ``deploytool.asgi``; it knows nothing of the rest of the app.

``asgi.py`` is the handler, ``chain.py`` how the middleware are called, ``travel.py`` how a
request moves between the event loop and its thread, ``inline.py`` which of Django's own
hooks need no thread, ``leases.py`` where the threads come from, ``databases.py`` what a
thread's connections need between two requests, ``disconnect.py`` how a client that leaves
is noticed and ``receivers.py`` what Django does when a request starts and ends.
"""
