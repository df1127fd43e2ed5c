"""The rate that all processes share: no minute sees more than it may, and a sync leaves room for purchases."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

import lua
from contract.settings import Settings
from contract.transport import open_redis
from tests.lua.clocked import Clocked
from tests.support.servers import Servers, emptied_redis
from workers.clients.rate import MINUTE_S, Rate, TooBusy

NOW_US = 1_795_000_000_000_000
SECOND_US = 1_000_000


@pytest.fixture
async def redis(servers: Servers) -> AsyncIterator[lua.Client]:
    async with emptied_redis(servers.redis_url) as client:
        yield client


def most_in_a_minute(taken_us: list[int]) -> int:
    """The most tokens that were taken in any 60 s."""
    most, first = 0, 0
    for last, now in enumerate(taken_us):
        while taken_us[first] <= now - MINUTE_S * SECOND_US:
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest.mark.slow
@pytest.mark.parametrize("per_minute", [20, 600])
async def test_no_minute_sees_more_than_it_may_however_many_processes_there_are(redis: Any, per_minute: int) -> None:
    clock = Clocked(redis, NOW_US)
    rates = [Rate(clock, "g2a", per_minute) for _ in range(4)]
    taken: list[int] = []
    steps = random.Random(per_minute)
    # Two minutes, in which four processes want far more than there is.
    while clock.now_us < NOW_US + 2 * MINUTE_S * SECOND_US:
        rate = steps.choice(rates)
        if not await lua.take_tokens(clock, rate.buckets(1.0)):
            taken.append(clock.now_us)
        clock.now_us += round(steps.expovariate(40) * SECOND_US)
    most = most_in_a_minute(taken)
    assert most <= per_minute
    assert most >= 0.9 * per_minute, "the rate is not used"


async def test_clients_that_race_get_no_more_than_the_bucket_holds_and_gains(servers: Servers, redis: Any) -> None:
    clients = [open_redis(Settings(redis_url=servers.redis_url)) for _ in range(4)]
    rates = [Rate(client, "g2a", 6_000) for client in clients]
    burst = rates[0].buckets(1.0)[0].burst
    began = await lua.now_ms(redis)
    waits = await asyncio.gather(*(lua.take_tokens(rate._redis, rate.buckets(1.0)) for rate in rates * 200))
    seconds = (await lua.now_ms(redis) - began + 1) / 1000
    assert burst <= sum(wait == 0 for wait in waits) <= burst + seconds * (6_000 - burst) / MINUTE_S + 1
    for client in clients:
        await client.aclose()


async def test_who_takes_a_share_leaves_the_rest(redis: Any) -> None:
    clock = Clocked(redis, NOW_US)
    rate = Rate(clock, "g2a", 600)
    sync = purchases = 0
    # A sync asks first, always, and as often as it can; a purchase comes every second.
    for step in range(MINUTE_S * 20):
        sync += not await lua.take_tokens(clock, rate.buckets(0.5))
        if step % 20 == 0:
            purchases += not await lua.take_tokens(clock, rate.buckets(1.0))
        clock.now_us += SECOND_US // 20
    assert purchases == MINUTE_S
    assert 0.9 * 300 <= sync <= 300


async def test_who_waits_gets_a_token_when_there_is_one(redis: Any) -> None:
    clock = Clocked(redis, NOW_US)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.now_us += round(seconds * SECOND_US)

    rate = Rate(clock, "g2a", 600, clock=lambda: clock.now_us / SECOND_US, sleep=sleep)
    for _ in range(600):
        await rate.take(1.0, 10.0)
    assert clock.now_us - NOW_US >= (600 - 30) / 9.5 * SECOND_US
    assert all(0 < seconds < 0.2 for seconds in slept)


async def test_who_would_wait_too_long_is_told_so_at_once(redis: Any) -> None:
    clock = Clocked(redis, NOW_US)
    rate = Rate(clock, "g2a", 60, clock=lambda: clock.now_us / SECOND_US, sleep=pytest.fail)
    for _ in range(3):
        await rate.take(1.0, 0.5)
    with pytest.raises(TooBusy) as busy:
        await rate.take(1.0, 0.5)
    assert busy.value.after_s == pytest.approx(60 / 57, abs=0.01)


async def test_upstreams_have_rates_of_their_own(redis: Any) -> None:
    for name in ("g2a", "amazon"):
        assert [await lua.take_tokens(redis, Rate(redis, name, 20).buckets(1.0)) == 0 for _ in range(2)] == [
            True,
            False,
        ]
