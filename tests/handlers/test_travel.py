"""A visit to a leased thread is to the code in it what asgiref's own way is."""

from __future__ import annotations

import asyncio
import sys
from contextvars import ContextVar
from threading import current_thread

import pytest
from asgiref.local import Local
from asgiref.sync import ThreadSensitiveContext, async_to_sync

from deploytool.handlers.leases import ThreadPool
from deploytool.handlers.travel import IN_THREAD, ON_LOOP, Journey

value: ContextVar[str] = ContextVar("value", default="")
local = Local()


@pytest.fixture(params=["leased", "asgiref"])
def travel(request):
    """Runs a coroutine in a journey: to a leased thread, or to one that asgiref starts."""

    async def travel(traveller):
        pool = ThreadPool(1, 10)
        async with ThreadSensitiveContext():
            lease = pool.lease() if request.param == "leased" else None
            try:
                return await Journey(staying=True).run(traveller)
            finally:
                assert pool.threads == (request.param == "leased")
                if lease is not None:
                    await lease.end()

    return travel


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 20))


def test_context_comes_along_and_back(travel):
    async def traveller():
        value.set("from the loop")
        local.value = "local"
        await IN_THREAD
        seen = value.get(), local.value, current_thread() is not loop_thread
        value.set("from the thread")
        local.value = "local, too"
        await ON_LOOP
        return *seen, value.get(), local.value

    loop_thread = current_thread()
    expected = ("from the loop", "local", True, "from the thread", "local, too")
    assert run(travel(traveller())) == expected


def test_async_code_in_the_thread_runs_on_the_loop(travel):
    async def traveller():
        loop = asyncio.get_running_loop()

        async def here():
            return asyncio.get_running_loop() is loop

        await IN_THREAD
        return async_to_sync(here)()

    assert run(travel(traveller()))


def test_errors_of_the_thread(travel):
    async def traveller():
        await IN_THREAD
        raise LookupError("in the thread")

    with pytest.raises(LookupError, match="in the thread"):
        run(travel(traveller()))


def test_what_is_handled_around_it_is_known_in_the_thread(travel):
    async def traveller():
        await IN_THREAD
        return sys.exc_info()[0]

    async def handling():
        try:
            raise KeyError
        except KeyError:
            return await travel(traveller())

    assert run(handling()) is KeyError


@pytest.mark.parametrize("withstands", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_cancelled_while_async_code_runs_for_the_thread(travel, withstands, fails):
    """As asgiref has it: what goes on regardless makes the visit go on."""
    trace = []

    async def traveller():
        started = asyncio.Event()
        cancelling.append(started)

        async def patient():
            started.set()
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                trace.append("cancelled")
                if not withstands:
                    raise

        await IN_THREAD
        async_to_sync(patient)()
        trace.append("went on")
        if fails:
            raise LookupError
        await ON_LOOP
        return "there"

    cancelling = []

    async def main():
        task = asyncio.create_task(travel(traveller()))
        while not cancelling:
            await asyncio.sleep(0)
        await cancelling[0].wait()
        task.cancel()
        return await task

    if not withstands:
        with pytest.raises(asyncio.CancelledError):
            run(main())
        assert trace == ["cancelled"]
    elif fails:
        with pytest.raises(LookupError):
            run(main())
    else:
        assert run(main()) == "there"
        assert trace == ["cancelled", "went on"]
