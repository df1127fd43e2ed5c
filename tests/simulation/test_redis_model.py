"""The modelled Redis is one: the same calls on it and on a real Valkey, with the same answers and the same data."""

import asyncio
import random
from collections.abc import Awaitable
from typing import Any

import pytest
from redis.exceptions import ResponseError

import lua
from chaos.waiting import until
from contract.transport import Delivery, Stream
from contract.transport.redis_streams import LostEntries
from tests.simulation.nemesis import POISON
from tests.simulation.network import Link, Weather
from tests.simulation.redis_history import Call, Player
from tests.simulation.redis_model import RedisModel
from tests.simulation.sides import GROUP, KEYS, Impatient, Modelled, Real, Side

HISTORIES = 12
STEPS = 60
LOOK_EVERY = 5
"""Steps between two looks at all data, each of which is many calls."""
LONG_MS = 1_500
"""A read that nobody wakes; within the time that a client waits for a reply."""


@pytest.mark.slow
async def test_the_same_calls_give_the_same_answers_and_the_same_data(redis: lua.Client) -> None:
    for seed in range(HISTORIES):
        await play(seed, redis)


async def play(seed: int, redis: lua.Client) -> None:
    """One history on both."""
    await redis.flushall()
    step = 0
    sides = [Side(Real(redis)), Side(Modelled(RedisModel(lambda: float(step)), Impatient()))]
    player = Player(seed)
    for side in sides:
        await lua.open_sale(side.client, KEYS, "ps5", 5, 0)
    for step in range(1, STEPS):
        name, call = player.draw()
        told = [await tell(side, call) for side in sides]
        assert told[0] == told[1], f"seed {seed}, step {step}: {name}"
        if step % LOOK_EVERY == 0:
            real, modelled = [await side.picture() for side in sides]
            assert real == modelled, f"seed {seed}, step {step}: after {name}"


async def tell(side: Side, call: Call) -> Any:
    """What a call gives, or how it fails."""
    try:
        return side.plain(await call(side))
    except (ResponseError, LostEntries) as error:
        return side.plain(error)


@pytest.mark.parametrize("which", ["real", "modelled"])
async def test_a_reader_that_waits_is_woken_by_an_entry_and_by_the_end_of_its_group(
    redis: lua.Client, which: str
) -> None:
    link = Link(Weather(random.Random(0)))
    link.weather.calm = True
    model = RedisModel(asyncio.get_running_loop().time)
    client: Any = Real(redis) if which == "real" else Modelled(model, link)
    stream = Stream(client, KEYS.outbox, GROUP, "one")
    await stream.ensure_group()

    async def blocked() -> bool:
        if which == "real":
            return (await redis.info("clients"))["blocked_clients"] > 0
        waited_on = model.stream(KEYS.outbox)
        return waited_on is not None and waited_on.waiting != []

    async def woken_by(event: Awaitable[Any]) -> list[Delivery]:
        reading = asyncio.create_task(stream.read(10, LONG_MS))
        await until(blocked)
        await event
        async with asyncio.timeout(LONG_MS / 2000):
            return await reading

    (delivery,) = await woken_by(client.xadd(KEYS.outbox, dict(POISON[0])))
    assert delivery.fields == POISON[0]
    assert await woken_by(client.xgroup_destroy(KEYS.outbox, GROUP)) == []
    assert len(await stream.read(10, 1)) == 1, "its group has been made again, from the start"
