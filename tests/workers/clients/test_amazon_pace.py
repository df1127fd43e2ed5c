"""Turns of Amazon's rate: shared by all processes, by seller and operation, and as Amazon has told last."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

import lua
from contract.settings import Settings
from contract.transport import open_redis
from lua.keys import pace_key
from tests.lua.clocked import Clocked
from tests.support.servers import Servers, emptied_redis
from workers.clients.amazon import AmazonFault
from workers.clients.amazon_pace import LEARNED_S, MARGIN, PACES, RATE_MAX, RATE_MIN, WAIT_MAX_S, Paces

NOW_US = 1_795_000_000_000_000
SECOND_US = 1_000_000


@pytest.fixture
async def redis(servers: Servers) -> AsyncIterator[lua.Client]:
    async with emptied_redis(servers.redis_url) as client:
        yield client


class Time:
    """Paces on a clock of the test's own; to sleep moves it."""

    def __init__(self, redis: Any) -> None:
        self.clock: Any = Clocked(redis, NOW_US)
        self.slept: list[float] = []
        self.paces = Paces(self.clock, clock=lambda: self.clock.now_us / SECOND_US, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.now_us += round(seconds * SECOND_US)

    async def wait_s(self, seller: str, operation: str) -> float:
        """What a fault says about how long to wait; 0 where there was a turn."""
        try:
            await self.paces.take(seller, operation)
        except AmazonFault as fault:
            return fault.after_s if fault.kind == "waiting" else -1.0
        return 0.0


@pytest.mark.parametrize("operation", sorted(set(PACES) - {"getInventorySummaries"}))
async def test_a_seller_has_the_burst_at_once_and_then_a_turn_in_its_time(redis: Any, operation: str) -> None:
    time, pace = Time(redis), PACES[operation]
    assert [await time.wait_s("A1", operation) for _ in range(pace.burst)] == [0.0] * pace.burst
    turn_s = await time.wait_s("A1", operation)
    assert turn_s == pytest.approx(MARGIN / pace.rate_per_s, rel=1e-6)
    time.clock.now_us += round((turn_s - WAIT_MAX_S) * SECOND_US) + 1
    # Now it is near enough to be waited for.
    assert await time.wait_s("A1", operation) == 0.0
    assert sum(time.slept) >= WAIT_MAX_S * 0.999
    assert await time.wait_s("A1", operation) == pytest.approx(turn_s, abs=2 * WAIT_MAX_S)


async def test_a_turn_that_comes_soon_is_waited_for(redis: Any) -> None:
    time = Time(redis)
    assert [await time.wait_s("A1", "getInventorySummaries") for _ in range(12)] == [0.0] * 12
    assert 4.5 <= sum(time.slept) <= 10 * 0.5 * MARGIN * 1.2


async def test_sellers_and_operations_have_turns_of_their_own(redis: Any) -> None:
    time = Time(redis)
    while not await time.wait_s("A1", "getOrders"):
        pass
    assert await time.wait_s("A2", "getOrders") == 0.0
    assert await time.wait_s("A1", "getOrderItems") == 0.0


async def test_a_turn_that_was_not_used_is_given_back(redis: Any) -> None:
    time = Time(redis)
    while not await time.wait_s("A1", "searchOrders"):
        pass
    await time.paces.give_back("A1", "searchOrders")
    assert await time.wait_s("A1", "searchOrders") == 0.0
    assert await time.wait_s("A1", "searchOrders") > 100


async def test_where_amazon_says_that_there_is_none_left_there_is_none_left_for_anybody(redis: Any) -> None:
    time, other = Time(redis), Time(redis)
    assert await time.paces.empty("A1", "getOrders") == pytest.approx(MARGIN / 0.0167)
    assert await other.wait_s("A1", "getOrders") == pytest.approx(MARGIN / 0.0167, rel=1e-3)
    assert await other.wait_s("A2", "getOrders") == 0.0


async def test_what_amazon_tells_of_the_rate_is_kept_to_by_all_processes(redis: Any) -> None:
    time, other = Time(redis), Time(redis)
    await time.paces.learn("A1", "getOrders", "0.5")
    assert await other.paces.of("A1", "getOrders") == (0.5, 20, "getOrders")
    assert await other.paces.of("A2", "getOrders") == PACES["getOrders"]
    while not (wait_s := await other.wait_s("A1", "getOrders")):
        pass
    assert wait_s == pytest.approx(2 * MARGIN)
    await time.paces.learn("A1", "getOrders", "0.25")
    assert await other.wait_s("A1", "getOrders") == pytest.approx(4 * MARGIN)
    assert 0 < await redis.ttl(pace_key("amazon A1 getOrders")) <= LEARNED_S


@pytest.mark.parametrize(
    "said",
    [
        "string",
        "",
        "-1",
        "0",
        "NaN",
        "nan",
        "inf",
        "-inf",
        "1e309",
        "0,5",
        "0.5, 2",
        "1e-9",
        "1e9",
        "None",
        "0x1",
        "\u0665e9",
    ],
)
async def test_what_can_be_no_rate_is_not_believed(redis: Any, said: str) -> None:
    paces = Paces(redis)
    await paces.learn("A1", "getOrders", said)
    assert await paces.of("A1", "getOrders") == PACES["getOrders"]


@pytest.mark.parametrize("said", [f"{RATE_MIN}", f"{RATE_MAX}", "0.0167", " 2 ", "5e-1", "15.0"])
async def test_what_can_be_a_rate_is_believed(redis: Any, said: str) -> None:
    paces = Paces(redis)
    await paces.learn("A1", "getOrders", said)
    assert (await paces.of("A1", "getOrders")).rate_per_s == float(said)


async def test_a_rate_that_cannot_be_kept_costs_nothing_but_the_news(servers: Servers) -> None:
    gone = open_redis(Settings(redis_url="redis://127.0.0.1:1/0"))
    await Paces(gone).learn("A1", "getOrders", "0.5")
    await gone.aclose()


async def test_processes_that_race_get_no_more_turns_than_there_are(servers: Servers, redis: Any) -> None:
    clients = [open_redis(Settings(redis_url=servers.redis_url)) for _ in range(4)]
    paces = [Paces(client) for client in clients]

    async def take(own: Paces) -> bool:
        try:
            await own.take("A1", "searchOrders")
        except AmazonFault:
            return False
        return True

    taken = await asyncio.gather(*(take(own) for own in paces * 20))
    assert sum(taken) == PACES["searchOrders"].burst
    for client in clients:
        await client.aclose()
