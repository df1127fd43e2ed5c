"""`settle.lua`: what becomes of an entry after the worker's commit, exactly once for each entry."""

import asyncio

import lua
from tests.lua.lane import GROUP, Lane, make_order, many, outcome

TTL_MS = 60_000


async def test_persisted_gives_the_record_its_end_and_deletes_the_entry(lane: Lane) -> None:
    await lane.open()
    opened = await lane.last_entry()
    order = make_order()
    entry = await lane.accepted(order)
    assert await lane.settle([opened, entry], outcome(order, lua.PERSISTED, entry=1)) == 2
    assert await lane.state(order) == "persisted"
    assert 0 < await lane.redis.pttl(lane.keys.order(order.digest)) <= TTL_MS
    assert await lane.entries() == []
    figures = await lane.figures()
    assert (figures.persisted, figures.failed, figures.backlog) == (1, 0, 0)


async def test_settling_acknowledges_what_a_consumer_holds(lane: Lane) -> None:
    await lane.open()
    await lane.redis.xgroup_create(lane.keys.outbox, GROUP, id="0")
    await lane.redis.xreadgroup(GROUP, "worker", {lane.keys.outbox: ">"})
    await lane.settle([await lane.last_entry()])
    assert (await lane.redis.xpending(lane.keys.outbox, GROUP))["pending"] == 0


async def test_settling_twice_applies_nothing_the_second_time(lane: Lane) -> None:
    await lane.open(total=10, limit=5)
    order = make_order(quantity=2)
    entry = await lane.accepted(order)
    assert await lane.settle([entry], outcome(order, lua.FAILED)) == 1
    assert (await lane.stock(), await lane.bought()) == (10, 0)
    before = await lane.contents()
    assert await lane.settle([entry], outcome(order, lua.FAILED)) == 0
    assert await lane.contents() == before


async def test_two_settlers_of_one_entry_give_its_units_back_once(lane: Lane) -> None:
    await lane.open(total=100)
    orders = many(20, quantity=2)
    await lane.admit(*orders)
    entry = await lane.last_entry()
    outcomes = [outcome(order, lua.FAILED) for order in orders]
    settled = await asyncio.gather(*(lane.settle([entry], *outcomes) for _ in range(10)))
    assert sorted(settled) == [0] * 9 + [1]
    assert await lane.stock() == 100
    assert (await lane.figures()).failed == 20


async def test_an_entry_that_somebody_deleted_changes_nothing(lane: Lane) -> None:
    await lane.open()
    gone, kept = make_order("a"), make_order("b")
    first, second = await lane.accepted(gone), await lane.accepted(kept)
    await lane.redis.xdel(lane.keys.outbox, first)
    corpse = lua.Dead(0, "orders", "1", "name", b"value", "reason")
    outcomes = [outcome(gone, lua.FAILED), outcome(kept, lua.PERSISTED, entry=1)]
    assert await lane.settle_raw([first, second], outcomes, [corpse]) == 1
    assert (await lane.state(gone), await lane.state(kept)) == ("accepted", "persisted")
    assert await lane.stock() == 8
    assert await lane.redis.xlen(lane.keys.dead) == 0


async def test_the_backlog_counts_commands_and_is_nothing_once_the_outbox_is_empty(lane: Lane) -> None:
    await lane.open()
    opened = await lane.last_entry()
    orders = many(5)
    await lane.admit(*orders)
    entry = await lane.last_entry()
    assert (await lane.figures()).backlog == 6
    await lane.settle([opened])
    assert (await lane.figures()).backlog == 5
    # A counter that somebody has put out of step is right again when nothing waits any more.
    await lane.redis.hset(lane.keys.figures, "backlog", 77)
    await lane.settle([entry], *(outcome(order, lua.PERSISTED) for order in orders))
    assert (await lane.figures()).backlog == 0


async def test_the_backlog_never_falls_below_nothing(lane: Lane) -> None:
    await lane.open()
    first = await lane.last_entry()
    await lane.accepted(make_order())
    await lane.redis.hset(lane.keys.figures, "backlog", 0)
    await lane.settle([first])
    assert (await lane.figures()).backlog == 0


async def test_persisted_leaves_a_cancelled_record_without_end(lane: Lane) -> None:
    await lane.open()
    order = make_order()
    entry = await lane.accepted(order)
    await lane.cancel(order)
    await lane.settle([entry], outcome(order, lua.PERSISTED))
    assert await lane.state(order) == "cancelled"
    assert await lane.redis.pttl(lane.keys.order(order.digest)) == -1


async def test_a_cancellation_that_postgres_knows_gives_the_record_its_end(lane: Lane) -> None:
    await lane.open()
    order = make_order()
    entry = await lane.accepted(order)
    await lane.cancel(order)
    both = [entry, await lane.last_entry()]
    await lane.settle(both, outcome(order, lua.PERSISTED), outcome(order, lua.CANCELLED, entry=1))
    assert await lane.state(order) == "cancelled"
    assert 0 < await lane.redis.pttl(lane.keys.order(order.digest)) <= TTL_MS


async def test_an_outcome_of_another_order_of_the_same_key_leaves_the_record_alone(lane: Lane) -> None:
    await lane.open()
    older, newer = make_order(ms=0), make_order(ms=1)
    entry = await lane.accepted(newer)
    record = await lane.redis.get(lane.keys.order(newer.digest))
    await lane.settle([entry], outcome(older, lua.FAILED, kept=b"other"))
    assert await lane.redis.get(lane.keys.order(newer.digest)) == record
    assert await lane.stock() == 9


async def test_a_record_that_has_gone_is_not_made_anew(lane: Lane) -> None:
    await lane.open()
    order = make_order()
    entry = await lane.accepted(order)
    await lane.redis.delete(lane.keys.order(order.digest))
    assert await lane.settle([entry], outcome(order, lua.PERSISTED)) == 1
    assert await lane.record(order) is None


async def test_thousands_of_outcomes_are_settled_in_one_call(lane: Lane) -> None:
    await lane.open(total=4_000)
    orders = many(4_000)
    for i in range(0, 4_000, 250):
        await lane.admit(*orders[i : i + 250])
    entries = [name for name, _ in await lane.entries()]
    outcomes = [outcome(order, lua.PERSISTED, entry=1 + i // 250) for i, order in enumerate(orders)]
    assert await lane.settle(entries, *outcomes) == 17
    figures = await lane.figures()
    assert (figures.persisted, figures.backlog) == (4_000, 0)


async def test_settling_nothing_writes_nothing(lane: Lane) -> None:
    assert await lane.settle([]) == 0
    assert await lane.contents() == {}
