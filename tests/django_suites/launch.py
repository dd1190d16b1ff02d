"""Run Django's ``runtests.py`` with a chosen handler in place of Django's, and record each test.

Called by run.py with the interpreter of an environment that holds that Django::

    launch.py RECORD SIDE MODE SUITE...

SIDE: ``django`` leaves everything as it is, ``ours`` puts deploytool's handler in the place
of ``ASGIHandler`` and its chain into the handler of Django's ``AsyncClient``; ``broken`` is
ours with one fault, which the comparison has to find. MODE: ``plain`` changes nothing else,
``carried`` sends the requests of the synchronous ``Client`` through the asynchronous chain.

Nothing of Django's tests is changed; the working directory is their ``tests/``.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import runpy
import sys
import traceback
import unittest
from pathlib import Path

OUTCOMES = {
    "addSuccess": "ok",
    "addError": "error",
    "addFailure": "failure",
    "addSkip": "skipped",
    "addExpectedFailure": "expected failure",
    "addUnexpectedSuccess": "unexpected success",
}


def main() -> None:
    """Replace, run, record; exits with 0 whatever the outcome of the tests is."""
    record, side, mode, *suites = sys.argv[1:]
    # Under any other method the worker processes would not hold what is replaced here.
    multiprocessing.set_start_method("fork")
    answered = multiprocessing.Value("i", 0)
    sys.path.insert(0, os.getcwd())
    if side != "django":
        use_ours(answered, broken=side == "broken")
    if mode == "carried":
        carry()
    send_as_text()
    outcomes = record_outcomes()
    sys.argv = ["runtests.py", "--noinput", "--verbosity", "0", *suites]
    # Its exit status tells whether a test failed, which the record says better.
    with contextlib.suppress(SystemExit):
        runpy.run_path("runtests.py", run_name="__main__")
    Path(record).write_text(json.dumps({"answered": answered.value, "outcomes": outcomes}))


def use_ours(answered, *, broken: bool) -> None:
    """Put deploytool's handler in the place of Django's, and count what it answers."""
    import django.core.asgi
    import django.core.handlers.asgi
    import django.test
    import django.test.client

    from deploytool.handlers import chain
    from deploytool.handlers.asgi import ASGIHandler

    django.core.handlers.asgi.ASGIHandler = ASGIHandler
    django.core.asgi.ASGIHandler = ASGIHandler

    class AsyncClientHandler(chain.ChainMixin, django.test.client.AsyncClientHandler):
        pass

    class ClientHandler(chain.ChainMixin, django.test.client.ClientHandler):
        pass

    django.test.client.AsyncClientHandler = AsyncClientHandler
    django.test.client.ClientHandler = ClientHandler
    respond = chain.Run.respond

    async def counting(self, request):
        with answered.get_lock():
            answered.value += 1
        return await respond(self, request)

    chain.Run.respond = counting
    if broken:
        # process_exception() is never asked.
        async def no_response(*_):
            return None

        chain.ChainMixin._response_of_middleware = no_response


def carry() -> None:
    """Send what ``Client`` sends through the asynchronous chain of its handler."""
    import django.test.client
    from asgiref.sync import async_to_sync

    class Carried(django.test.client.ClientHandler):
        def load_middleware(self, is_async=True):
            super().load_middleware(is_async=True)

        def get_response(self, request):
            return async_to_sync(self.get_response_async)(request)

    django.test.client.ClientHandler = Carried


def send_as_text() -> None:
    """Let worker processes send of a failure its text alone.

    They pickle the exception, and of a subtest the whole test with its client and that
    client's handler, which not every one survives: then the whole run ends.
    """
    from django.test.runner import RemoteTestResult

    def plain(error):
        kind = AssertionError if issubclass(error[0], AssertionError) else RuntimeError
        return kind, kind("".join(traceback.format_exception(*error))), None

    def sending(original):
        def add(self, test, error):
            return original(self, test, plain(error))

        return add

    for name in ("addError", "addFailure"):
        setattr(RemoteTestResult, name, sending(getattr(RemoteTestResult, name)))
    add_subtest = RemoteTestResult.addSubTest

    def add_plain_subtest(self, test, subtest, error):
        light = unittest.case._SubTest(unittest.FunctionTestCase(print), str(subtest), {})
        return add_subtest(self, test, light, error and plain(error))

    RemoteTestResult.addSubTest = add_plain_subtest


def record_outcomes() -> list[tuple[str, str, str]]:
    """The list that each result (id, outcome, details) is added to while the tests run."""
    outcomes: list[tuple[str, str, str]] = []

    def recording(name: str):
        original = getattr(unittest.TextTestResult, name)

        def add(self, test, *details):
            shown = ""
            if details and name in ("addError", "addFailure"):
                shown = self._exc_info_to_string(details[0], test)
            elif details:
                shown = str(details[0])
            outcomes.append((test.id(), OUTCOMES[name], shown))
            return original(self, test, *details)

        return add

    for name in OUTCOMES:
        setattr(unittest.TextTestResult, name, recording(name))
    add_subtest = unittest.TextTestResult.addSubTest

    def add_failed_subtest(self, test, subtest, error):
        if error is not None:
            outcomes.append((test.id(), "failure", self._exc_info_to_string(error, test)))
        return add_subtest(self, test, subtest, error)

    unittest.TextTestResult.addSubTest = add_failed_subtest
    return outcomes


if __name__ == "__main__":
    main()
