"""The number of lanes: all processes agree on it, no sale is hidden by another, and a gate at rest takes any."""

import asyncio
from typing import Any, cast, get_type_hints

import pytest
from redis.exceptions import OutOfMemoryError

import lua
from contract.settings import Settings
from lua import CancelStatus, LaneKeys, LanesDiffer, Status, agree_on_lanes, every_lane, lanes_in_force
from lua.lanes import LANES_MAX
from tests.lua.lane import Lane, make_order, outcome

PRODUCTS = [f"product-{i}" for i in range(8)]


def of(redis: lua.Client, product: str, lanes: int) -> Lane:
    """The lane that a product is sold in."""
    return Lane(redis, keys=LaneKeys(lua.lane_of(product, lanes), lanes))


async def close(lane: Lane, product: str = "ps5") -> None:
    """What an operator does to close a sale, and what the worker does then."""
    await lane.open(product, total=0)
    await lane.settle([entry for entry, _ in await lane.entries()])


def test_products_are_spread_over_all_lanes_and_one_lane_has_them_all() -> None:
    names = [f"product-{i}" for i in range(1_000)]
    for lanes in (1, 3, 64):
        counts = [sum(lua.lane_of(name, lanes) == lane for name in names) for lane in range(lanes)]
        assert sum(counts) == len(names)
        assert min(counts) > 0


def test_a_product_has_its_lane_for_ever() -> None:
    assert [lua.lane_of(name, 3) for name in PRODUCTS] == [0, 0, 0, 1, 1, 2, 2, 1]


def test_an_order_is_answered_for_by_its_own_lane_or_by_another_where_that_is_gone() -> None:
    assert [lua.lane_of_order(lane, 3) for lane in range(3)] == [0, 1, 2]
    assert {lua.lane_of_order(lane, 2) for lane in range(4096)} == {0, 1}


def test_no_setting_allows_a_lane_that_nobody_looks_at() -> None:
    (bounds,) = get_type_hints(Settings, include_extras=True)["lanes"].__metadata__
    assert bounds.le == LANES_MAX


@pytest.mark.parametrize("lanes", [1, 3])
async def test_whoever_starts_first_sets_the_number_and_others_agree(redis: lua.Client, lanes: int) -> None:
    assert await lanes_in_force(redis) is None
    assert await asyncio.gather(*(agree_on_lanes(redis, lanes) for _ in range(8))) == [lanes] * 8
    assert await lanes_in_force(redis) == lanes


async def test_a_process_that_starts_in_a_full_redis_agrees_with_those_before_it(redis: lua.Client) -> None:
    await agree_on_lanes(redis, 3)
    await cast(Any, redis).config_set("maxmemory", "1mb")
    try:
        with pytest.raises(OutOfMemoryError):
            await cast(Any, redis).set("another", "key")
        assert await agree_on_lanes(redis, 3) == 3
    finally:
        await cast(Any, redis).config_set("maxmemory", "0")


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (3, 2)])
async def test_another_number_is_refused_while_a_sale_is_open_and_nothing_is_changed(
    redis: lua.Client, before: int, after: int
) -> None:
    await agree_on_lanes(redis, before)
    lane = of(redis, "ps5", before)
    await lane.open(total=5)
    await lane.settle([await lane.last_entry()])
    contents = await lane.contents()
    with pytest.raises(LanesDiffer) as caught:
        await agree_on_lanes(redis, after)
    assert await lane.contents() == contents
    assert str(caught.value).startswith(
        f"FLUXGATE_LANES is {after}, but the sales in Redis are spread over {before}: set it to {before}; or close "
    )
    assert await agree_on_lanes(redis, before) == before


async def test_another_number_is_refused_while_the_worker_has_not_finished(redis: lua.Client) -> None:
    lane = of(redis, "ps5", 1)
    await lane.open(total=0)
    with pytest.raises(LanesDiffer):
        await agree_on_lanes(redis, 2)
    await lane.settle([await lane.last_entry()])
    assert await agree_on_lanes(redis, 2) == 2


async def test_another_number_is_refused_while_a_dead_letter_lies_in_any_lane(redis: lua.Client) -> None:
    await agree_on_lanes(redis, 3)
    letter = await cast(Any, redis).xadd(LaneKeys(2).dead, {"kind": "orders"})
    with pytest.raises(LanesDiffer):
        await agree_on_lanes(redis, 1)
    await cast(Any, redis).xdel(LaneKeys(2).dead, letter)
    assert await agree_on_lanes(redis, 1) == 1


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (2, 64), (64, 2)])
async def test_a_gate_whose_sales_are_closed_takes_another_number(redis: lua.Client, before: int, after: int) -> None:
    await agree_on_lanes(redis, before)
    for product in PRODUCTS:
        lane = of(redis, product, before)
        await lane.open(product, total=5)
        await close(lane, product)
    assert await agree_on_lanes(redis, after) == after
    assert await lanes_in_force(redis) == after
    numbers = [await cast(Any, redis).get(keys.lanes) for keys in every_lane(LANES_MAX)]
    assert numbers == [b"%d" % after] * after + [None] * (LANES_MAX - after)
    for product in PRODUCTS:
        assert await of(redis, product, before).redis.exists(*LaneKeys(0).product("x")) == 0
        assert await of(redis, product, before).stock(product) is None
        lane = of(redis, product, after)
        await lane.open(product, total=1)
        assert (await lane.admit(make_order(product, product=product)))[0].status == Status.ACCEPTED


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1)])
async def test_processes_that_start_together_change_the_number_together(
    redis: lua.Client, before: int, after: int
) -> None:
    await agree_on_lanes(redis, before)
    for product in PRODUCTS:
        await close(of(redis, product, before), product)
    assert await asyncio.gather(*(agree_on_lanes(redis, after) for _ in range(8))) == [after] * 8


async def test_data_from_before_lanes_had_a_number_is_one_lane(redis: lua.Client) -> None:
    lane = of(redis, "ps5", 1)
    await lane.open(total=5)
    await lane.settle([await lane.last_entry()])
    await lane.redis.delete(lane.keys.lanes)
    assert await lanes_in_force(redis) == 1
    with pytest.raises(LanesDiffer):
        await agree_on_lanes(redis, 3)
    assert await agree_on_lanes(redis, 1) == 1


async def test_a_gateway_left_running_with_the_old_number_can_open_nothing(redis: lua.Client) -> None:
    await agree_on_lanes(redis, 1)
    await agree_on_lanes(redis, 3)
    stale = of(redis, "ps5", 1)
    contents = await stale.contents()
    with pytest.raises(LanesDiffer, match="FLUXGATE_LANES is 1, but the sales in Redis are spread over 3"):
        await stale.open()
    assert not await lua.mark_lost(redis, stale.keys, "ps5", 1_700_000_000_000_000, 5)
    assert await stale.contents() == contents


async def test_a_sale_that_is_opened_between_the_look_and_the_change_is_kept(redis: lua.Client) -> None:
    """As if a gateway had opened it after the products of the lane were listed."""
    lane = of(redis, "ps5", 1)

    class Late:
        """A client whose list of sales is older than the sale."""

        def __getattr__(self, name: str) -> Any:
            return getattr(redis, name)

        async def hkeys(self, name: str) -> list[bytes]:
            listed = await cast(Any, redis).hkeys(name)
            if not listed:
                await lane.open(total=5)
                await lane.settle([await lane.last_entry()])
            return listed

    await agree_on_lanes(redis, 1)
    with pytest.raises(LanesDiffer):
        await agree_on_lanes(cast(Any, Late()), 2)
    assert await lane.stock() == 5
    assert await lanes_in_force(redis) == 1


async def test_a_change_that_was_cut_short_is_finished_or_undone_by_the_next_start(redis: lua.Client) -> None:
    for asked in (3, 2):
        await cast(Any, redis).flushall()
        await agree_on_lanes(redis, 3)
        await cast(Any, redis).set(LaneKeys(2).lanes, 2)
        assert await agree_on_lanes(redis, asked) == asked
        assert await lanes_in_force(redis) == asked


@pytest.mark.parametrize(("product", "lane"), [("product-0", 0), ("product-3", 1)])
async def test_an_order_from_before_the_change_is_cancelled_into_no_stock(
    redis: lua.Client, product: str, lane: int
) -> None:
    await agree_on_lanes(redis, 1)
    old = of(redis, product, 1)
    await old.open(product, total=5)
    order = make_order(product=product)
    await old.settle([await old.last_entry(), await old.accepted(order)], outcome(order, lua.PERSISTED, entry=1))
    await close(old, product)
    await agree_on_lanes(redis, 3)
    new = of(redis, product, 3)
    assert new.keys.lane == lane
    await new.open(product, total=4)
    assert await old.cancel(order) == (CancelStatus.CANCELLED, 1)
    assert await new.stock(product) == 4


async def test_figures_are_summed_over_the_lanes(redis: lua.Client) -> None:
    for product in PRODUCTS:
        await of(redis, product, 3).open(product, total=5)
        await of(redis, product, 3).accepted(make_order(product, product=product))
    figures = lua.sum_figures([await lua.read_figures(redis, keys) for keys in every_lane(3)])
    assert (figures.accepted, figures.backlog) == (8, 16)
    assert sorted(figures.sales) == [(product, 4, 5) for product in PRODUCTS]
