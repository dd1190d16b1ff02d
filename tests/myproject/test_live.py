"""The demonstration's live parts, below the pages: who answered, the clock, what may be said."""

from __future__ import annotations

import json
import re

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncRequestFactory, RequestFactory

from myproject.live import clock
from myproject.live.answer import answer_to
from myproject.live.chat import TEXT_LENGTH, RefusedError, read_text
from myproject.live.views import clock_events


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("gunicorn/27.0.1", "gunicorn 27.0.1"),
        ("WSGIServer/0.2 CPython/3.13.0", "WSGIServer 0.2"),
        ("something-unknown", "something-unknown"),
    ],
)
def test_a_wsgi_server_says_its_name(said, shown):
    answer = answer_to(RequestFactory(SERVER_SOFTWARE=said).get("/"))
    assert (answer["interface"], answer["server"]) == ("WSGI", shown)
    assert answer["loop"] is None


def test_a_client_cannot_name_the_server():
    request = AsyncRequestFactory().get("/", headers={"Server-Software": "evil/1"})
    request.META["SERVER_SOFTWARE"] = "evil/1"
    assert "evil" not in answer_to(request)["server"]


def test_an_asgi_answer_shows_the_loop():
    async def view():
        return answer_to(AsyncRequestFactory().get("/"))

    answer = async_to_sync(view)()
    assert (answer["interface"], answer["loop"]) == ("ASGI", "asyncio")


def ticks_in(parts: list[str]) -> list[dict]:
    return [
        json.loads(data)
        for part in parts
        for data in re.findall(r"^data: (.*)$", part, re.MULTILINE)
    ]


def test_the_clock_ticks_each_second_and_counts_who_watches():
    async def watch(parts, count):
        return [(await anext(parts)) for _ in range(count)]

    async def two_watch():
        first, second = clock.ticks(), clock.ticks()
        seen = await watch(first, 3)
        seen += (await watch(second, 2))[1:]
        await second.aclose()
        seen += await watch(first, 1)
        await first.aclose()
        return seen

    opening, *events = async_to_sync(two_watch)()
    assert opening.startswith(":")
    assert all(event.startswith("event: tick\n") and event.endswith("\n\n") for event in events)
    ticks = ticks_in(events)
    assert [tick["viewers"] for tick in ticks] == [1, 1, 2, 1]
    assert ticks[0]["time"] < ticks[1]["time"] < ticks[3]["time"] or "00:00:00" in str(ticks)


def test_the_clock_is_an_event_stream_that_no_proxy_holds_back():
    async def view():
        return await clock_events(AsyncRequestFactory().get("/clock/events/"))

    response = async_to_sync(view)()
    assert response.is_async
    assert response["Content-Type"] == "text/event-stream"
    assert (response["X-Accel-Buffering"], response["Cache-Control"]) == ("no", "no-cache")


def test_the_clock_ends_after_one_tick_under_wsgi():
    response = async_to_sync(clock_events)(RequestFactory().get("/clock/events/"))
    assert not response.streaming
    assert len(ticks_in([response.content.decode()])) == 1
    assert response.content.startswith(b"retry: ")


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        ('{"text": " Hello "}', "Hello"),
        (json.dumps({"text": "x" * TEXT_LENGTH}), "x" * TEXT_LENGTH),
        (json.dumps({"text": "\N{PILE OF POO}" * TEXT_LENGTH}), "\N{PILE OF POO}" * TEXT_LENGTH),
        ('{"text": "\\ud83d"}', "?"),
    ],
)
def test_what_may_be_said(frame, text):
    assert read_text(frame) == text


@pytest.mark.parametrize(
    "frame",
    [
        None,
        "",
        "Hello",
        "[]",
        "1",
        "{}",
        '{"text": 1}',
        '{"text": "   "}',
        json.dumps({"text": "x" * (TEXT_LENGTH + 1)}),
        "[" * 6000,
        "x" * 100_000,
    ],
)
def test_what_may_not_be_said(frame):
    with pytest.raises(RefusedError):
        read_text(frame)
