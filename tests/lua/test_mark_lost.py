"""`mark_lost.lua`: a sale that only Postgres remembers is shut, not forgotten, until somebody opens it anew."""

import lua
from lua import Answer, Status
from tests.lua.lane import Lane, look, make_order
from tests.lua.test_open_sale import opening

EPOCH = 1_700_000_000_123_456


async def test_orders_of_a_lost_sale_are_told_to_wait_instead_of_not_found(lane: Lane) -> None:
    assert await lane.admit(make_order()) == [Answer(Status.UNKNOWN_PRODUCT, 0)]
    assert await lua.mark_lost(lane.redis, lane.keys, "ps5", EPOCH, 10)
    answers = await lane.admit(make_order(), reads=[look("ps5")])
    assert answers == [Answer(Status.NOT_READY, 0)] * 2
    assert await lane.stock() is None


async def test_a_sale_that_redis_knows_is_left_alone(lane: Lane) -> None:
    await lane.open(total=3)
    before = await lane.contents()
    assert not await lua.mark_lost(lane.redis, lane.keys, "ps5", EPOCH, 10)
    assert await lane.contents() == before


async def test_a_sale_of_which_only_the_stock_is_known_is_left_alone(lane: Lane) -> None:
    await lane.redis.set(lane.of()[1], 5)
    before = await lane.contents()
    assert not await lua.mark_lost(lane.redis, lane.keys, "ps5", EPOCH, 10)
    assert await lane.contents() == before


async def test_opening_a_lost_sale_anew_closes_its_epoch_with_an_unknown_rest(lane: Lane) -> None:
    await lua.mark_lost(lane.redis, lane.keys, "ps5", EPOCH, 10)
    await lane.open(total=5)
    command = await opening(lane)
    assert (command.closed_epoch, command.closed_left, command.closed_returned) == (EPOCH, -1, 0)
    assert await lane.admit(make_order()) == [Answer(Status.ACCEPTED, 0)]


async def test_the_epoch_of_a_lost_sale_is_noted_for_the_books(lane: Lane) -> None:
    await lua.mark_lost(lane.redis, lane.keys, "ps5", EPOCH, 10)
    (books,) = (await lua.snapshot(lane.redis, lane.keys)).sales
    assert (books.epoch, books.total, books.left) == (EPOCH, 10, None)
