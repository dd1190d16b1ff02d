"""The checks: whether anything about a project is at odds with how it will be served.

A rule is one function under ``@rule`` in one of the modules of this package; all of them
are found by being there. ``case.py`` is what a rule looks at, ``rule.py`` what a rule is,
``running.py`` runs them all, ``registered.py`` is their place in Django's own registry,
``given.py`` tells that place what to judge.
"""
