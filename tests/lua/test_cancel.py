"""`cancel.lua`: units return exactly once, whoever repeats or races the cancellation."""

import asyncio

import pytest

import lua
from contract.messages import OrderCancelled, decode_entry
from lua import CancelStatus
from tests.lua.lane import Lane, make_order, outcome


async def test_cancelled_gives_the_units_back_and_tells_the_worker(lane: Lane) -> None:
    epoch = await lane.open(total=10, limit=5)
    order = make_order(quantity=3)
    await lane.accepted(order)
    assert await lane.cancel(order) == (CancelStatus.CANCELLED, 1)
    assert (await lane.stock(), await lane.bought(), await lane.state(order)) == (10, 0, "cancelled")
    assert (await lane.sale())["returned"] == "3"
    (command,) = decode_entry((await lane.entries())[-1][1])
    assert isinstance(command, OrderCancelled)
    assert (command.order_id, command.epoch, command.order.quantity) == (order.order_id, epoch, 3)
    figures = await lane.figures()
    assert (figures.cancelled, figures.backlog) == (1, 3)


async def test_cancelled_again_is_the_same_answer_and_gives_nothing_back(lane: Lane) -> None:
    await lane.open(total=10)
    order = make_order()
    await lane.accepted(order)
    await lane.cancel(order)
    before = await lane.contents()
    assert await lane.cancel(order) == (CancelStatus.CANCELLED, 0)
    assert await lane.contents() == before


async def test_cancelled_by_fifty_at_once_gives_the_units_back_once(lane: Lane) -> None:
    await lane.open(total=10)
    order = make_order(quantity=2)
    await lane.accepted(order)
    answers = await asyncio.gather(*(lane.cancel(order) for _ in range(50)))
    assert sorted(detail for _, detail in answers) == [0] * 49 + [1]
    assert await lane.stock() == 10


async def test_cancelled_after_it_was_persisted_has_a_record_without_end_until_the_worker_knows(lane: Lane) -> None:
    await lane.open()
    order = make_order()
    await lane.settle([await lane.accepted(order)], outcome(order, lua.PERSISTED))
    assert await lane.redis.pttl(lane.keys.order(order.digest)) > 0
    assert await lane.cancel(order) == (CancelStatus.CANCELLED, 1)
    assert await lane.redis.pttl(lane.keys.order(order.digest)) == -1
    await lane.settle([await lane.last_entry()], outcome(order, lua.CANCELLED))
    assert 0 < await lane.redis.pttl(lane.keys.order(order.digest)) <= 60_000
    assert await lane.cancel(order) == (CancelStatus.CANCELLED, 0)


async def test_cancelled_after_the_version_before_marked_it_as_persisted(lane: Lane) -> None:
    await lane.open()
    order = make_order()
    await lane.settle([await lane.accepted(order)], outcome(order, lua.PERSISTED))
    key = lane.keys.order(order.digest)
    await lane.redis.set(key, b"p" + (await lane.redis.get(key))[1:], keepttl=True)
    assert await lane.cancel(order) == (CancelStatus.CANCELLED, 1)
    assert (await lane.stock(), await lane.state(order)) == (10, "cancelled")


@pytest.mark.parametrize("letter", ["d", "e"])
async def test_forbidden_names_the_state_of_a_delivered_or_failed_order(lane: Lane, letter: str) -> None:
    await lane.open()
    order = make_order()
    await lane.accepted(order)
    await lane.redis.setrange(lane.keys.order(order.digest), 0, letter)
    before = await lane.contents()
    assert await lane.cancel(order) == (CancelStatus.FORBIDDEN, letter.encode())
    assert await lane.contents() == before


async def test_absent_when_there_is_no_record(lane: Lane) -> None:
    await lane.open()
    before = await lane.contents()
    assert await lane.cancel(make_order()) == (CancelStatus.ABSENT, 0)
    assert await lane.contents() == before


async def test_absent_when_the_record_is_of_another_order_of_the_same_key(lane: Lane) -> None:
    await lane.open()
    order = make_order(ms=0)
    await lane.accepted(order)
    before = await lane.contents()
    assert await lane.cancel(make_order(ms=1)) == (CancelStatus.ABSENT, 0)
    assert await lane.contents() == before


async def test_units_of_a_closed_epoch_go_back_to_no_stock(lane: Lane) -> None:
    old = await lane.open(total=10, limit=5)
    order = make_order(quantity=2)
    await lane.accepted(order)
    await lane.open(total=4, limit=5)
    await lane.accepted(make_order("new"))
    assert await lane.cancel(order) == (CancelStatus.CANCELLED, 1)
    assert (await lane.stock(), await lane.bought(), (await lane.sale())["returned"]) == (3, 1, "0")
    (command,) = decode_entry((await lane.entries())[-1][1])
    assert isinstance(command, OrderCancelled)
    assert command.epoch == old


@pytest.mark.parametrize(("which", "field"), [(0, "total"), (0, "product"), (0, "returned"), (1, ""), (0, "")])
async def test_cancelled_in_a_damaged_sale_makes_no_half_return(lane: Lane, which: int, field: str) -> None:
    await lane.open()
    order = make_order()
    await lane.accepted(order)
    await (lane.redis.hdel(lane.of()[which], field) if field else lane.redis.delete(lane.of()[which]))
    left = await lane.stock()
    assert await lane.cancel(order) == (CancelStatus.CANCELLED, 1)
    assert await lane.stock() == left
    assert await lane.state(order) == "cancelled"
    assert (await lane.entries())[-1][1][b"kind"] == b"cancelled"


async def test_a_stock_that_is_no_number_stays_as_it_is(lane: Lane) -> None:
    await lane.open()
    order = make_order()
    await lane.accepted(order)
    await lane.redis.set(lane.of()[1], "nine")
    assert await lane.cancel(order) == (CancelStatus.CANCELLED, 1)
    assert await lane.redis.get(lane.of()[1]) == b"nine"
