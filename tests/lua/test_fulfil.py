"""`fulfil.lua`: between a delivery and a cancellation the record decides, once and for ever."""

import asyncio
from typing import Any

import pytest

import lua
from lua import CancelStatus, FulfilStatus
from tests.lua.lane import Lane, make_order, outcome


async def fulfil(lane: Lane, order: lua.Order, ttl_s: int = 0) -> tuple[FulfilStatus, Any]:
    return await lua.fulfil(lane.redis, lane.keys, digest=order.digest, order_id=order.order_id, ttl_s=ttl_s)


async def test_fulfilled_cannot_be_cancelled_and_keeps_its_units(lane: Lane) -> None:
    await lane.open(total=10, limit=5)
    order = make_order(quantity=3)
    await lane.accepted(order)
    assert await fulfil(lane, order) == (FulfilStatus.FULFILLED, 1)
    before = await lane.contents()
    assert await lane.cancel(order) == (CancelStatus.FORBIDDEN, b"d")
    assert await lane.contents() == before
    assert (await lane.stock(), await lane.bought(), await lane.state(order)) == (7, 3, "fulfilled")


async def test_fulfilled_again_is_the_same_answer_and_changes_nothing(lane: Lane) -> None:
    await lane.open()
    order = make_order()
    await lane.accepted(order)
    await fulfil(lane, order)
    before = await lane.contents()
    assert await fulfil(lane, order) == (FulfilStatus.FULFILLED, 0)
    assert await lane.contents() == before


@pytest.mark.parametrize("first", ["settled", "fulfilled"])
async def test_fulfilled_has_a_record_without_end_until_postgres_knows(lane: Lane, first: str) -> None:
    await lane.open()
    order = make_order()
    entry = await lane.accepted(order)
    if first == "settled":
        await lane.settle([entry], outcome(order, lua.PERSISTED))
    await fulfil(lane, order)
    if first == "fulfilled":
        await lane.settle([entry], outcome(order, lua.PERSISTED))
    key = lane.keys.order(order.digest)
    assert await lane.redis.pttl(key) == -1
    assert await fulfil(lane, order, ttl_s=60) == (FulfilStatus.FULFILLED, 0)
    assert 0 < await lane.redis.pttl(key) <= 60_000
    await lane.redis.pexpire(key, 1_000)
    await fulfil(lane, order, ttl_s=60)
    assert await lane.redis.pttl(key) <= 1_000, "what has an end already must not live for ever by repetition"


async def test_forbidden_names_the_state_of_a_cancelled_order(lane: Lane) -> None:
    await lane.open(total=10)
    order = make_order()
    await lane.accepted(order)
    await lane.cancel(order)
    before = await lane.contents()
    assert await fulfil(lane, order) == (FulfilStatus.FORBIDDEN, b"x")
    assert await lane.contents() == before


async def test_absent_when_there_is_no_record_or_its_key_has_a_younger_order(lane: Lane) -> None:
    await lane.open()
    order = make_order()
    assert await fulfil(lane, order) == (FulfilStatus.ABSENT, 0)
    await lane.accepted(make_order(ms=1))
    before = await lane.contents()
    assert await fulfil(lane, order) == (FulfilStatus.ABSENT, 0)
    assert await lane.contents() == before


async def test_fulfilled_or_cancelled_at_one_moment_is_one_of_the_two(lane: Lane) -> None:
    await lane.open(total=1000)
    for number in range(50):
        order = make_order(f"key-{number}", ms=number)
        await lane.accepted(order)
        left = await lane.stock() or 0
        both = (fulfil(lane, order), lane.cancel(order))
        answers = await asyncio.gather(*(both if number % 2 else reversed(both)))
        kinds = {status.name for status, _ in answers}
        assert kinds in ({"FULFILLED", "FORBIDDEN"}, {"CANCELLED", "FORBIDDEN"})
        assert await lane.stock() == left + ("CANCELLED" in kinds)


async def test_an_order_that_is_delivered_answers_a_repeated_key_as_before(lane: Lane) -> None:
    await lane.open()
    order = make_order()
    await lane.accepted(order)
    await fulfil(lane, order)
    assert await lane.admit(order) == [(lua.Status.REPLAYED, order.order_id.encode())]
