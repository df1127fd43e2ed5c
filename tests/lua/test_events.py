"""Events: published where somebody listens, in a form that a line and its tabs take apart."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

import lua
from tests.lua.lane import Lane, make_order, outcome

SILENCE_S = 0.05


class Watcher:
    """A subscriber of the lane's events."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    async def lines(self) -> list[str]:
        """The lines of the next message; none when there is no message."""
        message = await self._channel.get_message(ignore_subscribe_messages=True, timeout=SILENCE_S)
        return message["data"].decode().split("\n") if message else []


@pytest.fixture
async def watcher(lane: Lane) -> AsyncIterator[Watcher]:
    """Subscribed before the test begins."""
    async with lane.redis.pubsub() as channel:
        await channel.subscribe(lane.keys.events)
        await channel.get_message(timeout=5)
        yield Watcher(channel)


async def test_opening_a_sale_tells_its_stock(lane: Lane, watcher: Watcher) -> None:
    await lane.open(total=1_000_000_000)
    assert await watcher.lines() == ["inventory\t1000000000\t1000000000\tps5"]


async def test_a_batch_tells_each_stock_that_changed_once_and_each_order(lane: Lane, watcher: Watcher) -> None:
    await lane.open("ps5", total=5)
    await lane.open("xbox", total=5)
    await watcher.lines()
    await watcher.lines()
    orders = [make_order("a"), make_order("b", quantity=2), make_order("c", quantity=9), make_order("d", product="no")]
    await lane.admit(*orders)
    assert await watcher.lines() == [
        "inventory\t2\t5\tps5",
        f"order\taccepted\t{orders[0].order_id}\tps5",
        f"order\taccepted\t{orders[1].order_id}\tps5",
    ]


async def test_a_batch_that_accepted_nothing_tells_nothing(lane: Lane, watcher: Watcher) -> None:
    await lane.open(total=0)
    await watcher.lines()
    await lane.admit(make_order())
    assert await watcher.lines() == []


async def test_a_cancellation_tells_stock_and_order(lane: Lane, watcher: Watcher) -> None:
    await lane.open(total=1_000_000_000)
    order = make_order()
    await lane.accepted(order)
    await watcher.lines()
    await watcher.lines()
    await lane.cancel(order)
    assert await watcher.lines() == ["inventory\t1000000000\t1000000000\tps5"]
    assert await watcher.lines() == [f"order\tcancelled\t{order.order_id}\tps5"]


async def test_settling_tells_what_became_of_orders_and_which_stock_grew(lane: Lane, watcher: Watcher) -> None:
    await lane.open(total=5)
    kept, failed = make_order("a"), make_order("b")
    await lane.admit(kept, failed)
    await watcher.lines()
    await watcher.lines()
    await lane.settle([await lane.last_entry()], outcome(kept, lua.PERSISTED), outcome(failed, lua.FAILED))
    assert await watcher.lines() == [
        f"order\tpersisted\t{kept.order_id}\tps5",
        f"order\tfailed\t{failed.order_id}\tps5",
        "inventory\t4\t5\tps5",
    ]


@pytest.mark.parametrize("listening", [True, False])
async def test_admit_and_settle_publish_only_where_somebody_listens(lane: Lane, listening: bool) -> None:
    await lane.open()
    order = make_order()
    if listening:
        channel = lane.redis.pubsub()
        await channel.subscribe(lane.keys.events)
        await channel.get_message(timeout=5)
    await lane.redis.config_resetstat()
    entry = await lane.accepted(order)
    await lane.settle([entry], outcome(order, lua.PERSISTED))
    published = (await lane.redis.info("commandstats")).get("cmdstat_publish", {}).get("calls", 0)
    published -= 1  # that the key has an order, which every gateway process wants to know
    if listening:
        await channel.aclose()
    assert published == (2 if listening else 0)
