"""How each middleware conducts itself, found out without calling one.

Runs in a process of its own (``__main__.py``): the chain is loaded as Django loads it
(``replay.py``), and the source of what Django would call is read for the very objects that
were made (``interpreting.py``): which branch their attributes choose, what they return, and
what they do to a response that streams. The caller's side is ``deploytool.project.chain``.
"""
