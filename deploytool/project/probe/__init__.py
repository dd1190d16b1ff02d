"""The inspection of one entry point in a fresh interpreter: what runs there.

``__main__.py`` is started by file path and loads the modules beside it as a package of
a private name, so that nothing of them is on ``sys.path`` or takes a name that the
project uses. They import the standard library only; whatever else they recognise, they
recognise by its class.
"""
