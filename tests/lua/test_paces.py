"""Rates that an upstream tells, and the buckets of slow ones."""

from typing import Any

import pytest

import lua
from lua import Bucket
from lua.keys import pace_key
from tests.lua.clocked import Clocked

NOW_US = 1_795_000_000_000_000
SECOND_US = 1_000_000


async def test_a_rate_is_known_to_all_for_a_while(redis: Any) -> None:
    assert await lua.learned_pace(redis, "a seller") is None
    await lua.learn_pace(redis, "a seller", 0.0056, 100)
    assert await lua.learned_pace(redis, "a seller") == 0.0056
    assert await lua.learned_pace(redis, "another") is None
    assert 0 < await redis.ttl(pace_key("a seller")) <= 100
    assert "seller" not in pace_key("a seller")


@pytest.mark.parametrize("rate_per_s", [0.0056, 0.0167, 0.5, 2.0, 3.3, 700.0])
async def test_a_rate_loses_nothing_by_being_slow_or_by_being_asked_often(redis: Any, rate_per_s: float) -> None:
    clock: Any = Clocked(redis, NOW_US)
    bucket = Bucket("a seller", 1 / rate_per_s, 2)
    taken: list[int] = []
    while len(taken) < 30:
        wait_s = await lua.take_tokens(clock, [bucket])
        if wait_s <= 0:
            taken.append(clock.now_us)
        # Asked seven times for each turn, and in the moment when it is there.
        clock.now_us += max(1, round(min(wait_s, 1 / rate_per_s / 7) * SECOND_US)) if wait_s else 0
    turns_s = (taken[-1] - taken[1]) / SECOND_US
    assert turns_s == pytest.approx(28 / rate_per_s, rel=1e-6, abs=28e-6)


async def test_an_emptied_bucket_gains_its_next_token_in_its_time(redis: Any) -> None:
    clock: Any = Clocked(redis, NOW_US)
    bucket = Bucket("a seller", 60.0, 20)
    await lua.take_tokens(clock, [bucket])
    await lua.empty_bucket(clock, bucket)
    assert await lua.take_tokens(clock, [bucket]) == pytest.approx(60)
    clock.now_us += 60 * SECOND_US
    assert await lua.take_tokens(clock, [bucket]) == 0
    assert await lua.take_tokens(clock, [bucket]) == pytest.approx(60)


async def test_to_empty_a_bucket_again_wins_and_loses_no_time(redis: Any) -> None:
    clock: Any = Clocked(redis, NOW_US)
    bucket = Bucket("a seller", 60.0, 1)
    for _ in range(3):
        await lua.empty_bucket(clock, bucket)
        assert await lua.take_tokens(clock, [bucket]) == pytest.approx(60)
        clock.now_us += 30 * SECOND_US
    assert await lua.take_tokens(clock, [bucket]) == pytest.approx(30)
