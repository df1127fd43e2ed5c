"""What gateway processes know of the keys that have orders: told by one script, looked up in another way, and equal."""

import lua
from contract.order_ids import make_order_id
from tests.lua.lane import Lane, make_order


async def heard(lane: Lane, *orders: lua.Order) -> list[bytes]:
    """What is published to the gateway processes while these orders are decided."""
    async with lane.redis.pubsub() as channel:
        await channel.subscribe(lane.keys.gates)
        await channel.get_message(timeout=5)
        await lane.admit(*orders)
        await lane.redis.publish(lane.keys.gates, b"end")
        told: list[bytes] = []
        while (message := await channel.get_message(timeout=5)) and message["data"] != b"end":
            told.append(message["data"])
    return told


async def test_the_accepted_orders_of_a_batch_are_told_in_one_message(lane: Lane) -> None:
    await lane.open(total=2)
    orders = [make_order(key) for key in ("a", "b", "c")]
    [message] = await heard(lane, *orders)
    assert lua.accepted_tails(message) == [lua.tail_of(order.digest) for order in orders[:2]]


async def test_a_batch_that_accepts_nothing_tells_nothing(lane: Lane) -> None:
    await lane.open(total=0)
    assert await heard(lane, make_order("a")) == []


async def test_what_is_looked_up_is_what_was_told(lane: Lane) -> None:
    await lane.open(total=3_000)
    orders = [make_order(f"key-{i}", ms=i) for i in range(2_500)]
    told: set[str] = set()
    for first in range(0, len(orders), 250):
        for message in await heard(lane, *orders[first : first + 250]):
            told.update(lua.accepted_tails(message) or [])
    assert await lua.known_tails(lane.redis, lane.keys, 10_000) == told
    assert len(told) == len(orders)


async def test_another_lane_is_not_looked_at_and_too_many_keys_are_not(lane: Lane) -> None:
    await lane.open()
    order = make_order("a")
    await lane.admit(order)
    await lane.redis.set(lua.LaneKeys(1).order(make_order("b").digest), b"a")
    assert await lua.known_tails(lane.redis, lane.keys, 100) == {lua.tail_of(order.digest)}
    assert await lua.known_tails(lane.redis, lane.keys, 1) is None


async def test_an_id_ends_with_the_tail_of_its_digest(lane: Lane) -> None:
    order = make_order("a")
    assert make_order_id(1, 0, order.digest).endswith(lua.tail_of(order.digest))


async def test_other_news_is_no_order(lane: Lane) -> None:
    assert lua.accepted_tails(b"sps5") is None
