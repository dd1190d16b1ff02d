"""Faults in the spellings of those who make them, and sound code that is close to them."""

from __future__ import annotations

from tests.checks.project import MIDDLEWARE, deploycheck, make_project


def line_of(project, path, comment):
    """The number of the one line of a file that ends with a comment."""
    lines = (project / path).read_text("utf-8").splitlines()
    (number,) = [i for i, line in enumerate(lines, 1) if line.endswith(f"# {comment}")]
    return number


def places(report, *numbers):
    """Number, level, path and line of each finding with one of these numbers."""
    return {
        (int(each["id"][-3:]), each["level"], each["path"], each["line"])
        for each in report["findings"]
        if each["id"].startswith("deploytool.") and int(each["id"][-3:]) in numbers
    }


ASYNC_MIDDLEWARE = """
    from asgiref.sync import markcoroutinefunction
    from django.http import HttpResponseForbidden


    class AsyncOnly:
        async_capable = True
        sync_capable = False

        def __init__(self, get_response):
            self.get_response = get_response
            markcoroutinefunction(self)


    class Cart(AsyncOnly):
        async def __call__(self, request):
            request.cart = request.session.get("cart", {})  # session
            return await self.get_response(request)


    class Members(AsyncOnly):
        async def __call__(self, request):
            if not request.user.is_authenticated:  # user
                return HttpResponseForbidden()
            return await self.get_response(request)


    class Seen:
        def __init__(self, get_response):
            self.get_response = get_response

        def __call__(self, request):
            request.session["seen"] = True
            return self.get_response(request)


    class Named(AsyncOnly):
        async def __call__(self, request):
            response = await self.get_response(request)
            response["X-User"] = str(request.user.pk)
            return response


    class Awaits(AsyncOnly):
        async def __call__(self, request):
            request.member = await request.auser()
            return await self.get_response(request)
    """


def test_what_async_middleware_loads_before_the_rest_of_the_chain(tmp_path):
    """It is lazy still, whatever asks for it further in, or in the middleware itself later."""
    project = make_project(
        tmp_path,
        {"app/middleware.py": ASYNC_MIDDLEWARE},
        middleware=(*MIDDLEWARE, "app.middleware.Cart", "app.middleware.Members"),
    )
    path = "app/middleware.py"
    assert places(deploycheck(project, "--interface", "asgi"), 151, 152) == {
        (152, "ERROR", path, line_of(project, path, "session")),
        (151, "ERROR", path, line_of(project, path, "user")),
    }


def test_a_loaded_session_does_not_make_the_user_known_and_a_view_may(tmp_path):
    project = make_project(
        tmp_path,
        {"app/middleware.py": ASYNC_MIDDLEWARE},
        middleware=(
            *MIDDLEWARE,
            "app.middleware.Awaits",
            "app.middleware.Seen",
            "app.middleware.Cart",
            "app.middleware.Members",
            "app.middleware.Named",
        ),
    )
    path = "app/middleware.py"
    assert places(deploycheck(project, "--interface", "asgi"), 151, 152) == {
        (151, "ERROR", path, line_of(project, path, "user"))
    }
