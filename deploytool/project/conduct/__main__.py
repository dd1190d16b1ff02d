"""Load the middleware as a server would, and write down how each conducts itself.

Run as ``python -P -u __main__.py REQUEST``, where REQUEST is a JSON object: ``interface``,
``application`` (what a server's command line would end with), ``result`` and ``trace`` (the
files to write) and ``timeout`` (seconds). Tracebacks of a hang or a crash go to ``trace``.
"""

import contextlib
import faulthandler
import json
import os
import sys
import warnings

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3))


def main() -> None:
    """Start the clock, set the project up, load the chain."""
    request = json.loads(sys.argv.pop())
    with open(request["trace"], "w", encoding="ascii") as trace:
        faulthandler.enable(trace)

        def start() -> None:
            """Start the clock anew: the limit is for each step."""
            faulthandler.dump_traceback_later(request["timeout"], exit=True, file=trace)

        start()
        # Settings look at sys.argv[1].
        sys.argv[1:] = [request["application"]]
        if ROOT not in sys.path:
            sys.path.append(ROOT)
        answer: dict[str, object] = {"entries": []}

        def write(**changes: object) -> None:
            answer.update(changes)
            partial = request["result"] + ".new"
            with open(partial, "w", encoding="utf-8") as file:
                json.dump(answer, file)
            os.replace(partial, request["result"])

        from deploytool.project.conduct.replay import Replay, described  # noqa: PLC0415

        try:
            import django  # noqa: PLC0415
            from django.conf import settings  # noqa: PLC0415

            write(before_setup=[str(each) for each in settings.MIDDLEWARE])
            django.setup()
            paths = list(settings.MIDDLEWARE)
            write(after_setup=[str(each) for each in paths])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = Replay(
                    paths, request["interface"], lambda entries: write(entries=entries), start
                )
                found.make()
                faulthandler.cancel_dump_traceback_later()
                found.read()
            write(entries=found.entries, finished=True)
        except BaseException as error:
            write(error=described(error))
        # At once, whatever threads and exit handlers the project has left.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(0)


if __name__ == "__main__":
    main()
