"""`snapshot.lua`: the books of a lane, and the place in the outbox that they are as of."""

import asyncio

import lua
from lua import SaleBooks
from tests.lua.lane import Lane, make_order


async def test_an_empty_lane_has_no_sales_and_the_first_place_of_all(lane: Lane) -> None:
    assert await lua.snapshot(lane.redis, lane.keys) == lua.Snapshot("0-0", [])
    assert await lane.contents() == {}


async def test_each_sale_stands_with_its_books(lane: Lane) -> None:
    first = await lane.open("ps5", total=10)
    second = await lane.open("xbox", total=1_000_000_000)
    orders = [make_order("a", quantity=3), make_order("b", product="xbox")]
    await lane.admit(*orders)
    await lane.cancel(orders[1])
    last, sales = await lua.snapshot(lane.redis, lane.keys)
    assert last == await lane.last_entry()
    assert sorted(sales) == [
        SaleBooks("ps5", first, 10, 3, 0, 7),
        SaleBooks("xbox", second, 1_000_000_000, 1, 1, 1_000_000_000),
    ]


async def test_the_place_is_the_last_entry_ever_also_when_it_has_been_settled(lane: Lane) -> None:
    await lane.open()
    entry = await lane.last_entry()
    await lane.settle([entry])
    assert (await lua.snapshot(lane.redis, lane.keys)).last_entry == entry


async def test_what_is_missing_or_damaged_is_none(lane: Lane) -> None:
    sale, stock, _ = lane.of()
    epoch = await lane.open(total=10)
    await lane.redis.set(stock, "12.5")
    assert (await lua.snapshot(lane.redis, lane.keys)).sales == [SaleBooks("ps5", epoch, 10, 0, 0, None)]
    await lane.redis.delete(stock)
    await lane.redis.hset(sale, "returned", "some")
    assert (await lua.snapshot(lane.redis, lane.keys)).sales == [SaleBooks("ps5", epoch, 10, 0, None, None)]
    await lane.redis.delete(sale)
    assert (await lua.snapshot(lane.redis, lane.keys)).sales == [SaleBooks("ps5", None, None, None, None, None)]


async def test_left_and_taken_agree_in_every_snapshot_of_a_running_sale(lane: Lane) -> None:
    await lane.open(total=1_000)

    async def sell() -> None:
        for i in range(50):
            order = make_order(f"key-{i}", quantity=3)
            await lane.accepted(order)
            if i % 3 == 0:
                await lane.cancel(order)

    selling = asyncio.create_task(sell())
    looks = 0
    while not selling.done():
        (books,) = (await lua.snapshot(lane.redis, lane.keys)).sales
        assert books.left is not None
        assert books.accepted is not None
        assert books.returned is not None
        assert books.left + books.accepted - books.returned == 1_000
        looks += 1
    await selling
    assert looks > 1
