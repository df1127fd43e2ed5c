"""The loop of the command bus with several commands at once: none of them holds up, repeats or ends another."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

import lua
from contract.bus import BusCommand
from contract.settings import Settings
from tests.support.desk import command, open_desk, read, serving
from tests.workers.test_bus import NAME, SERVICE, echo, outbox, waiting
from workers import bus
from workers.service import Desk, Ending, Service, replied


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """What the handlers use."""
    async with open_desk(settings, SERVICE) as opened:
        yield opened


async def test_two_deliveries_at_once_change_once(desk: Desk) -> None:
    own = command("add", {"amount": 1})
    for _ in range(8):
        assert await lua.submit(desk.redis, NAME, msgspec.json.encode(own), 10)
    async with serving(desk, SERVICE, 4) as ask:
        again = await ask(own)
        assert again == await ask(own)
    assert len(await outbox(desk)) == 1


async def test_a_command_whose_worker_died_is_taken_over_after_the_lease(desk: Desk) -> None:
    own = command("add", {"amount": 1})
    assert await lua.submit(desk.redis, NAME, msgspec.json.encode(own), 10)
    assert len(await read(desk, SERVICE, consumer="dead")) == 1
    async with serving(desk, SERVICE):
        async with asyncio.timeout(10):
            while await waiting(desk):
                # The stream tells nobody when an entry leaves it, so it is asked again.
                await asyncio.sleep(0.02)
    assert len(await outbox(desk)) == 1


async def test_one_slow_command_does_not_hold_up_the_others(desk: Desk) -> None:
    held, started = asyncio.Event(), asyncio.Event()

    async def hold(_desk: Desk, _own: BusCommand) -> Ending:
        started.set()
        await held.wait()
        return replied("at last")

    service = Service(NAME, {"echo": echo, "hold": hold}, query_file="bus")
    async with serving(desk, service) as ask:
        slow = asyncio.ensure_future(ask(command("hold")))
        await started.wait()
        replies = await asyncio.gather(*(ask(command("echo")) for _ in range(40)))
        assert {reply.status for reply in replies} == {200}
        assert not slow.done()
        held.set()
        assert (await slow).status == 200


async def test_a_command_that_cannot_be_settled_comes_back_and_takes_no_other_with_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    invalidate, failed = lua.invalidate, asyncio.Event()

    async def fail_once(redis: lua.Client, patterns: Any) -> Any:
        if not failed.is_set():
            failed.set()
            raise ZeroDivisionError
        return await invalidate(redis, patterns)

    monkeypatch.setattr(lua, "invalidate", fail_once)
    async with serving(desk, SERVICE) as ask:
        slow = asyncio.ensure_future(ask(command("add", {"amount": 1})))
        await failed.wait()
        assert (await ask(command("echo"))).status == 200
        assert (await slow).status == 201
    assert len(await outbox(desk)) == 1


async def test_a_worker_that_stops_leaves_a_command_that_takes_too_long_to_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus, "FINISH_WITHIN_S", 0.1)
    started, ended = asyncio.Event(), asyncio.Event()

    async def hang(_desk: Desk, _own: BusCommand) -> Ending:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    own = command("hang")
    assert await lua.submit(desk.redis, NAME, msgspec.json.encode(own), 10)
    async with asyncio.timeout(5), serving(desk, Service(NAME, {"hang": hang}, query_file="bus")):
        await started.wait()
    assert ended.is_set()
    # It was neither answered nor taken out of its stream.
    assert await waiting(desk) == 1
