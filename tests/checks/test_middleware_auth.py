"""The check of the middleware that signs people in, and middleware that cannot be read."""

from __future__ import annotations

from pathlib import Path

import django

from tests.checks.project import MIDDLEWARE, deploycheck, found, make_project

SOURCE = (Path(__file__).parent / "remote_users.py").read_text("utf-8")
CLASSES = ("Prefixed", "Unprefixed", "OwnSync", "OwnBoth")
# Django 6.1 asks for the header as it is written, and heeds the asynchronous hook alone.
WRONG = ("Unprefixed", "OwnSync") if django.VERSION >= (6, 1) else ("Prefixed",)


def test_a_header_that_no_asgi_request_has(tmp_path):
    listed = (*MIDDLEWARE, *(f"app.auth.{name}" for name in CLASSES))
    project = make_project(tmp_path, {"app/auth.py": SOURCE}, middleware=listed)
    got = found(project, 126, "--interface", "asgi")
    told = {each["message"].split()[0].removeprefix("app.auth."): each for each in got}
    assert {each["level"] for each in got} == {"ERROR"}
    assert {each["path"] for each in got} == {"app/auth.py"}
    source = SOURCE.splitlines()
    assert {name: each["line"] for name, each in told.items()} == {
        name: source.index(f"class {name}(RemoteUserMiddleware):") + 1 for name in WRONG
    }
    hints = {"Unprefixed": "'HTTP_X_REMOTE_USER'", "Prefixed": "'X_REMOTE_USER'"}
    for name, each in told.items():
        assert hints.get(name, "Override aprocess_request() too.") in each["hint"]
    assert found(project, 126, "--interface", "wsgi") == []


def test_the_default_header_can_be_sent_by_clients(tmp_path):
    remote = "django.contrib.auth.middleware.RemoteUserMiddleware"
    project = make_project(tmp_path, middleware=(*MIDDLEWARE, remote))
    (finding,) = found(project, 126, "--interface", "asgi")
    assert (finding["level"], finding["path"]) == ("WARNING", "site1/settings.py")
    assert "where the proxy does not remove it" in finding["message"]


ODD = """
    import sys
    import time

    print("{not JSON")
    sys.stderr.write("noise")


    class Noisy:
        def __init__(self, get_response):
            print('{"entries": 1}')
            self.get_response = get_response

        def __call__(self, request):
            return self.get_response(request)


    class Exits(Noisy):
        def __init__(self, get_response):
            sys.exit(3)


    class Opaque:
        def __init__(self, get_response):
            pass

        def __getattribute__(self, name):
            raise RuntimeError(name)

        def __call__(self, request):
            return eval("request")


    class Recursive(Noisy):
        def __call__(self, request):
            return self.again(request)

        def again(self, request):
            for _ in range(10):
                response = self.again(request)
            return response or self(request)


    class Hangs:
        def __init__(self, get_response):
            time.sleep(600)
    """


def odd_line(text):
    return [line.strip() for line in ODD.strip().splitlines()].index(text) + 1


def test_code_that_cannot_be_made_or_read_ends_in_a_finding_or_in_none(tmp_path):
    names = ("Noisy", "Exits", "Opaque", "Recursive")
    listed = (*MIDDLEWARE, *(f"app.odd.{name}" for name in names))
    project = make_project(tmp_path / "1", {"app/odd.py": ODD}, middleware=listed)
    findings = deploycheck(project, "--interface", "asgi")["findings"]
    assert "deploytool.W001" not in [each["id"] for each in findings]
    # Django's handler cannot make these two either: it asks Opaque for its hooks.
    exits, opaque = (each for each in findings if each["id"] == "deploytool.E102")
    assert exits["message"].startswith("app.odd.Exits cannot be made: SystemExit")
    assert (exits["path"], exits["line"]) == ("app/odd.py", odd_line("sys.exit(3)"))
    assert opaque["message"].startswith("app.odd.Opaque cannot be made: RuntimeError")
    about = [each["message"].split()[0] for each in findings if each["level"] != "INFO"]
    assert not {"app.odd.Noisy", "app.odd.Recursive"} & set(about)

    settings = "DEPLOYTOOL = {'ENTRYPOINT_TIMEOUT': 5}"
    listed = ("app.odd.Hangs", *MIDDLEWARE)
    hangs = make_project(tmp_path / "2", {"app/odd.py": ODD}, middleware=listed, settings=settings)
    (finding,) = found(hangs, 102, "--interface", "wsgi")
    assert (finding["level"], finding["path"]) == ("ERROR", "app/odd.py")
    assert finding["line"] == odd_line("time.sleep(600)")
    assert "did not end within 5 s" in finding["message"]
