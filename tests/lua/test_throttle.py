"""`throttle.lua`: a token from every bucket or from none, whoever races, and no bucket above its rim."""

import asyncio
from typing import Any

import pytest
from redis.exceptions import ResponseError

import lua
from lua import Bucket
from lua.keys import throttle_key
from tests.lua.clocked import Clocked

PAIR = Bucket("an account from an address", 60.0, 2)
ACCOUNT = Bucket("an account", 10.0, 5)
NOW_US = 1_795_000_000_000_000
SECOND_US = 1_000_000


async def taken(redis: Any, bucket: Bucket) -> int:
    """How many tokens are missing in a bucket, found out by taking the rest."""
    left = 0
    while not await lua.take_tokens(redis, [bucket]):
        left += 1
    return bucket.burst - left


async def test_a_full_bucket_lets_through_as_many_as_it_holds_and_then_says_how_long_to_wait(redis: Any) -> None:
    clock = Clocked(redis, NOW_US)
    assert [await lua.take_tokens(clock, [PAIR]) for _ in range(3)] == [0, 0, pytest.approx(60, abs=0.001)]


async def test_a_bucket_gains_one_token_in_its_time(redis: Any) -> None:
    clock = Clocked(redis, NOW_US)
    for _ in range(2):
        await lua.take_tokens(clock, [PAIR])
    clock.now_us += 30 * SECOND_US
    assert await lua.take_tokens(clock, [PAIR]) == pytest.approx(30, abs=0.001)
    clock.now_us += 30 * SECOND_US
    assert await lua.take_tokens(clock, [PAIR]) == 0
    assert await lua.take_tokens(clock, [PAIR]) > 0


async def test_one_empty_bucket_costs_the_others_nothing_and_the_longest_wait_is_told(redis: Any) -> None:
    for _ in range(2):
        assert await lua.take_tokens(redis, [PAIR, ACCOUNT]) == 0
    for _ in range(20):
        assert await lua.take_tokens(redis, [PAIR, ACCOUNT]) > 50
    assert await taken(redis, ACCOUNT) == 2


async def test_a_crowd_takes_no_more_than_there_is(redis: Any) -> None:
    waits = await asyncio.gather(*(lua.take_tokens(redis, [ACCOUNT]) for _ in range(50)))
    assert sum(wait == 0 for wait in waits) == ACCOUNT.burst


async def test_what_is_given_back_can_be_taken_again_and_fills_no_bucket_above_its_rim(redis: Any) -> None:
    await lua.take_tokens(redis, [PAIR, ACCOUNT])
    for _ in range(10):
        await lua.give_back(redis, [PAIR, ACCOUNT])
    assert (await taken(redis, PAIR), await taken(redis, ACCOUNT)) == (0, 0)


async def test_buckets_of_others_are_left_alone(redis: Any) -> None:
    for _ in range(2):
        await lua.take_tokens(redis, [PAIR])
    assert await lua.take_tokens(redis, [PAIR._replace(whom="another")]) == 0


async def test_a_bucket_is_forgotten_when_it_is_full_again(redis: Any) -> None:
    clock = Clocked(redis, NOW_US)
    await lua.take_tokens(clock, [PAIR, ACCOUNT])
    assert clock.ttl_ms(throttle_key(PAIR.whom)) == pytest.approx(120_000, rel=0.05)
    assert clock.ttl_ms(throttle_key(ACCOUNT.whom)) == pytest.approx(50_000, rel=0.05)


async def test_a_key_of_another_type_costs_no_other_bucket_a_token(redis: Any) -> None:
    await redis.sadd(throttle_key(PAIR.whom), "a set is what no script of ours uses")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await lua.take_tokens(redis, [ACCOUNT, PAIR])
    assert await taken(redis, ACCOUNT) == 0


async def test_who_is_marked_is_known_for_a_time_and_nobody_else(redis: Any) -> None:
    assert not await lua.is_known(redis, PAIR.whom)
    await lua.mark_known(redis, PAIR.whom, 100)
    assert await lua.is_known(redis, PAIR.whom)
    assert not await lua.is_known(redis, ACCOUNT.whom)
    assert not await lua.take_tokens(redis, [PAIR])  # the mark and the bucket are two things
    (name,) = [name for name in await redis.keys("*") if await redis.type(name) == b"string"]
    assert 0 < await redis.ttl(name) <= 100


async def test_no_account_and_no_address_stands_in_a_key(redis: Any) -> None:
    await lua.take_tokens(redis, [Bucket("ann@shop.example 203.0.113.7", 1.0, 1)])
    await lua.mark_known(redis, "ann@shop.example 203.0.113.7", 100)
    names = b" ".join(await redis.keys("*"))
    assert b"ann" not in names
    assert b"203" not in names
