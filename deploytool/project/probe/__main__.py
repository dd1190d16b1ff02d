"""Import one application as a server would, and write down what it is.

Run as ``python -P -u __main__.py REQUEST``, where REQUEST is a JSON object: ``module``,
``attribute`` (null to look for it), ``role`` (wsgi or asgi), ``result`` and ``trace`` (the
files to write), ``timeout`` (seconds) and ``salt`` (hexadecimal, for the digest of the secret).
``runs`` names another module of this package than ``run``, with a request of its own.
Tracebacks of a hang or a crash go to ``trace``.
"""

import faulthandler
import importlib.util
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
NAME = "_deploytool_probe"


def main() -> None:
    """Start the clock, load the package beside this file under its private name, run it."""
    request = json.loads(sys.argv.pop())
    with open(request["trace"], "w", encoding="ascii") as trace:
        # Faulthandler's own thread needs no interpreter lock, so that a hang in C code or
        # under gevent is seen as well; it ends the process.
        faulthandler.enable(trace)
        faulthandler.dump_traceback_later(request["timeout"], exit=True, file=trace)
        spec = importlib.util.spec_from_file_location(
            NAME, os.path.join(HERE, "__init__.py"), submodule_search_locations=[HERE]
        )
        if spec is None:
            raise ImportError(HERE)
        sys.modules[NAME] = importlib.util.module_from_spec(spec)
        # A server's command line ends with the application, and settings look at sys.argv[1].
        sys.argv[1:] = [f"{request['module']}:{request.get('attribute') or 'application'}"]
        importlib.import_module(f"{NAME}.{request.get('runs', 'run')}").run(request, trace)


if __name__ == "__main__":
    main()
