"""The checks about streams: each fault found at its line, and what looks like it not."""

from __future__ import annotations

import pytest

from tests.checks.project import MIDDLEWARE, deploycheck, found, make_project
from tests.support import facts

MODELS = """
    from django.db import models


    class Event(models.Model):
        text = models.TextField()
    """

VIEWS = """
    import asyncio
    import contextlib
    import itertools
    import time

    from django.http import FileResponse, HttpResponse, StreamingHttpResponse

    from app.models import Event


    def home(request):
        return HttpResponse("home")


    def sse(body, **headers):
        return StreamingHttpResponse(body, content_type="text/event-stream", headers=headers)


    def finite():  # finite
        for number in range(3):
            yield f"data: {number}\\n\\n"
            time.sleep(1)


    def events(request):
        return sse(finite())


    def report(request):
        def lines():  # report
            for event in Event.objects.iterator():
                yield f"{event.text}\\n"

        response = StreamingHttpResponse(lines(), content_type="text/csv")
        response["Content-Disposition"] = 'attachment; filename="report.csv"'
        return response


    def tokens(request):
        def body():  # tokens
            for word in ("a", "b"):
                yield word

        return StreamingHttpResponse(body(), content_type="text/plain")


    def whole(request):
        return StreamingHttpResponse(["a", "b"])


    def ticks():  # ticks
        while True:
            yield "data: x\\n\\n"
            time.sleep(1)


    def counting():  # counting
        for number in itertools.count():
            try:
                yield f"data: {number}\\n\\n"
            except GeneratorExit:
                return


    class Endless:
        def get_stream(self):
            return sse(counting())


    def endless(request):
        return sse(ticks())


    def endless_too(request):
        return Endless().get_stream()


    def blocks(path):  # blocks
        with open(path, "rb") as file:
            while True:
                block = file.read(4096)
                if not block:
                    break
                yield block


    def reads(request):
        return StreamingHttpResponse(blocks("x"), content_type="application/zip")


    def download(request):  # download
        return FileResponse(open("x", "rb"))


    async def afinite():  # afinite
        for number in range(3):
            yield f"data: {number}\\n\\n"
            await asyncio.sleep(1)


    async def aevents(request):
        return sse(afinite())


    async def aticks():  # aticks
        while True:
            yield "data: x\\n\\n"
            await asyncio.sleep(1)


    async def aendless(request):
        return sse(aticks())


    async def swallows():
        while True:
            try:
                yield "data: x\\n\\n"
                await asyncio.sleep(1)
            except BaseException:  # swallows
                pass


    async def swallows_bare():
        while True:
            try:
                await asyncio.sleep(1)
                yield "data: x\\n\\n"
            except:  # swallows bare
                print("lost")


    async def suppresses():
        while True:
            with contextlib.suppress(asyncio.CancelledError):  # suppresses
                await asyncio.sleep(1)
            yield "data: x\\n\\n"


    async def sound():
        try:
            while True:
                try:
                    yield "data: x\\n\\n"
                    await asyncio.sleep(1)
                except Exception:
                    print("lost")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.sleep(2), 1)
                try:
                    await asyncio.sleep(1)
                except BaseException:
                    print("left")
                    raise
                try:
                    await asyncio.sleep(1)
                except asyncio.CancelledError:
                    break
        except asyncio.CancelledError:
            pass
        finally:
            print("tidy")


    async def queries():
        for event in Event.objects.all():  # queries
            yield event.text


    async def aqueries():
        async for event in Event.objects.all():
            yield event.text


    def view_of(function):
        def view(request):
            return sse(function())

        return view


    async def swallowing(request):
        return sse(swallows())


    async def swallowing_bare(request):
        return sse(swallows_bare())


    def suppressing(request):
        return sse(suppresses())


    def soundly(request):
        return sse(sound())


    def querying(request):
        return sse(queries())


    async def aquerying(request):
        return sse(aqueries())


    def identity(request):
        return StreamingHttpResponse(
            afinite(),
            content_type="text/event-stream",
            headers={"Content-Encoding": "identity"},
        )
    """

NAMES = (
    *("home", "events", "report", "tokens", "whole", "endless", "endless_too", "reads"),
    *("download", "aevents", "aendless", "swallowing", "swallowing_bare", "suppressing"),
    *("soundly", "querying", "aquerying", "identity"),
)
URLS = f"""
    from django.urls import path

    from app import views

    urlpatterns = [path(name, getattr(views, name)) for name in {NAMES!r}]
    """


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    files = {"app/models.py": MODELS, "app/views.py": VIEWS, "site1/urls.py": URLS}
    return make_project(
        tmp_path_factory.mktemp("streams"),
        files,
        middleware=(*MIDDLEWARE, "app.middleware.Compressing"),
        settings="DATABASES['default']['ATOMIC_REQUESTS'] = True",
    )


@pytest.fixture(scope="module", autouse=True)
def middleware(project):
    (project / "app/middleware.py").write_text(
        "from django.middleware.gzip import GZipMiddleware\n\n\n"
        "class Compressing(GZipMiddleware):\n    pass\n"
    )


@pytest.fixture(scope="module")
def asgi(project, middleware):
    return deploycheck(project, "--interface", "asgi")["findings"]


@pytest.fixture(scope="module")
def wsgi(project, middleware):
    return deploycheck(project, "--interface", "wsgi")["findings"]


def lines(project, findings, identifier):
    """The comments at the lines of the findings of this id."""
    text = (project / "app/views.py").read_text().splitlines()
    places = [each for each in findings if each["id"] == f"deploytool.{identifier}"]
    assert all(each["path"] == "app/views.py" for each in places)
    return sorted(text[each["line"] - 1].partition("# ")[2] for each in places)


def test_a_sync_iterator_is_found_under_asgi(project, asgi, wsgi):
    assert lines(project, asgi, "W600") == ["finite", "tokens"]
    assert lines(project, asgi, "I600") == ["blocks", "report"]
    assert lines(project, wsgi, "W600") == lines(project, wsgi, "I600") == []
    [finding] = [
        each for each in asgi if each["id"].endswith("W600") and "events" in each["message"]
    ]
    assert "before it sends the first byte" in finding["message"]
    assert "Make the generator async" in finding["hint"]


def test_an_endless_stream_is_found_on_the_other_interface(project, asgi, wsgi):
    assert lines(project, asgi, "E601") == ["counting", "ticks"]
    assert "aticks" in lines(project, wsgi, "E601")
    assert not {"ticks", "counting", "blocks", "afinite"} & set(lines(project, wsgi, "E601"))
    [finding] = [
        each for each in asgi if each["id"].endswith("E601") and "ticks()" in each["message"]
    ]
    assert finding["level"] == "ERROR"
    assert "no client ever gets an answer" in finding["message"]
    assert "Make ticks() async" in finding["hint"]


def test_an_async_iterator_is_found_under_wsgi(project, asgi, wsgi):
    assert lines(project, asgi, "W602") == []
    assert {"afinite", ""} <= set(lines(project, wsgi, "W602"))
    assert "aticks" not in lines(project, wsgi, "W602")


def test_event_streams_are_held_against_the_threads(project, asgi, wsgi, tmp_path):
    assert lines(project, asgi, "I603") == lines(project, asgi, "W603") == []
    assert "finite" in lines(project, wsgi, "I603")
    assert "tokens" not in lines(project, wsgi, "I603")
    few = make_project(
        tmp_path,
        {
            "app/views.py": """
                from django.http import StreamingHttpResponse


                def events():
                    yield "data: x"


                def home(request):
                    return StreamingHttpResponse(events(), content_type="text/event-stream")
                """
        },
        settings='DEPLOYTOOL = {"WORKERS": 2, "THREADS": 1, "INTERFACE": "wsgi"}',
    )
    [finding] = found(few, 603)
    assert finding["id"] == "deploytool.W603"
    assert "1 thread in each of 2 workers" in finding["message"]
    assert "Once 2 streams are open" in finding["message"]


def test_compression_is_found_on_a_django_that_does_not_flush(project):
    identifiers = facts(
        project,
        "from dataclasses import replace\n"
        "from deploytool.checks.registered import make_case\n"
        "from deploytool.checks.streaming import compressed_stream\n"
        "from deploytool.plan import Options\n"
        "from deploytool.project import inspect_project\n"
        "project = inspect_project()\n"
        "def judged(django):\n"
        "    changed = replace(project, machine=replace(project.machine, django=django))\n"
        "    found = compressed_stream(make_case(changed, Options()))\n"
        "    return [each.message for each in found]",
        "[judged(version) for version in ('5.2.8', '6.0', '6.1', '6.1.3', '7.0')]",
    )
    older, also, newer, newest, next_one = identifiers
    assert any("app.views.aevents" in message for message in older)
    assert all("app.middleware.Compressing" in message for message in older)
    assert not any("identity" in m or "tokens" in m or "report" in m for m in older)
    assert len(also) == len(older)
    assert newer == newest == next_one == []


def test_a_swallowed_cancellation_is_found_under_asgi(project, asgi, wsgi):
    assert lines(project, asgi, "W605") == ["suppresses", "swallows", "swallows bare"]
    assert lines(project, wsgi, "W605") == []
    [finding] = [each for each in asgi if "except BaseException" in each["message"]]
    assert "the loop goes on" in finding["message"]
    assert "Catch Exception instead" in finding["hint"]


def test_a_sync_query_in_an_async_body_is_found(project, asgi, wsgi):
    assert lines(project, asgi, "E606") == ["queries"]
    [finding] = [each for each in asgi if each["id"] == "deploytool.E606"]
    assert "after status 200 has gone out" in finding["message"]
    assert "async for" in finding["hint"]
    assert lines(project, wsgi, "E606") == ["queries"]
    assert lines(project, asgi, "E150") == []


def test_atomic_requests_and_a_body_that_queries(project, asgi):
    assert lines(project, asgi, "I607") == ["report"]


def test_a_file_response_is_found_under_asgi(project, asgi, wsgi):
    assert lines(project, asgi, "I608") == ["download"]
    assert lines(project, wsgi, "I608") == []
