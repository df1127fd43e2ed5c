"""Stocks, orders and limits at the ends of the whole numbers: no digit is lost up to 2^53, nothing is sold beyond."""

import pytest

import lua
from lua import Answer, CancelStatus, Status
from tests.lua.lane import Lane, look, make_order, outcome

EXACT_MAX = 2**53 - 1
"""The greatest number up to which Lua counts every one."""
UNITS = (10**9, 2**31 - 1, 2**31, 2**32 - 1, 2**32 + 1, 10**15 + 1, EXACT_MAX)


@pytest.mark.parametrize("units", UNITS)
async def test_the_last_unit_of_any_stock_is_sold_and_no_other(lane: Lane, units: int) -> None:
    await lane.open(total=units)
    most, last, beyond = make_order("a", quantity=units - 1), make_order("b"), make_order("c")
    assert await lane.admit(most, make_order("d", quantity=2), last, beyond) == [
        Answer(Status.ACCEPTED, 0),
        Answer(Status.SOLD_OUT, 1),
        Answer(Status.ACCEPTED, 0),
        Answer(Status.SOLD_OUT, 0),
    ]
    assert (await lane.stock(), (await lane.sale())["accepted"]) == (0, str(units))


@pytest.mark.parametrize("units", UNITS)
async def test_a_limit_of_any_size_counts_every_unit(lane: Lane, units: int) -> None:
    await lane.open(total=units, limit=units - 1)
    answers = await lane.admit(make_order("a", quantity=units - 2), make_order("b", quantity=2), make_order("c"))
    assert answers == [Answer(Status.ACCEPTED, 0), Answer(Status.LIMIT_REACHED, units - 1), Answer(Status.ACCEPTED, 0)]
    assert await lane.bought() == units - 1
    assert await lane.admit(make_order("d")) == [Answer(Status.LIMIT_REACHED, units - 1)]


@pytest.mark.parametrize("units", UNITS)
async def test_units_of_any_number_come_back_whole(lane: Lane, units: int) -> None:
    await lane.open(total=units, limit=units)
    cancelled, failed = make_order("a", quantity=units // 2), make_order("b", quantity=units - units // 2)
    await lane.admit(cancelled, failed)
    entry = await lane.last_entry()
    assert await lane.cancel(cancelled) == (CancelStatus.CANCELLED, 1)
    await lane.settle([entry], outcome(cancelled, lua.PERSISTED), outcome(failed, lua.FAILED))
    assert (await lane.stock(), await lane.bought()) == (units, 0)
    sale = await lane.sale()
    assert (sale["accepted"], sale["returned"]) == (str(units), str(units))
    assert await lane.admit(reads=[look("ps5")]) == [Answer(Status.FOUND, f"{units}:{units}".encode())]
    (books,) = (await lua.snapshot(lane.redis, lane.keys)).sales
    assert (books.total, books.accepted, books.returned, books.left) == (units, units, units, units)


@pytest.mark.parametrize("units", UNITS)
async def test_one_batch_adds_up_what_it_takes_from_one_stock(lane: Lane, units: int) -> None:
    await lane.open(total=units)
    third = units // 3
    orders = [make_order(f"key-{i}", quantity=third) for i in range(3)]
    again = [orders[0], make_order("key-1", quantity=third, ms=1)]
    answers = await lane.admit(*orders, *again)
    assert [answer.status for answer in answers] == [Status.ACCEPTED] * 3 + [Status.REPLAYED] * 2
    assert await lane.stock() == units - 3 * third
    assert (await lane.sale())["accepted"] == str(3 * third)


async def test_a_sale_whose_books_cannot_be_counted_exactly_any_more_stops_and_takes_nothing(lane: Lane) -> None:
    await lane.open(total=10)
    # Orders and cancellations of the greatest quantity in turn, millions of times, would come here.
    await lane.redis.hset(lane.of()[0], "accepted", 2 * EXACT_MAX + 1)
    before = await lane.contents()
    assert await lane.admit(make_order()) == [Answer(Status.NOT_READY, 0)]
    after = await lane.contents()
    assert {key for key in after if after[key] != before.get(key)} == {lane.keys.figures.encode()}
