"""A key of another type fails every script before its first write: there is no rollback in Redis, so none is needed."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.exceptions import ResponseError

import lua
from lua.lanes import renumber
from tests.lua.lane import GROUP, Lane, look, make_order, outcome

Play = Callable[[Lane], Awaitable[Any]]
LIVE = make_order("live", quantity=2)
CORPSE = lua.Dead(0, "orders", "1", "name", b"value", "reason")


async def _admit(lane: Lane) -> None:
    batch = [make_order("new", client="10.0.0.1"), make_order("new-2", product="xbox", client="10.0.0.2")]
    await lane.admit(*batch, reads=[look("ps5")], client_rate_per_s=100)


async def _open(lane: Lane) -> None:
    await lane.open(total=3)


async def _cancel(lane: Lane) -> None:
    await lane.cancel(LIVE)


async def _settle(lane: Lane) -> None:
    first = (await lane.redis.xrange(lane.keys.outbox))[0][0].decode() if await _is_stream(lane) else "1-1"
    await lane.settle_raw([first], [outcome(LIVE, lua.FAILED)], [CORPSE])


async def _replay_dead(lane: Lane) -> None:
    await lua.replay_dead(lane.redis, lane.keys, "1-1")


async def _forget_consumers(lane: Lane) -> None:
    await lua.forget_consumers(lane.redis, lane.keys, GROUP, -1)


async def _mark_lost(lane: Lane) -> None:
    await lua.mark_lost(lane.redis, lane.keys, "unknown", 1_700_000_000_000_000, 1)


async def _renumber(lane: Lane) -> None:
    await renumber(lane.redis, lua.LaneKeys(0, 2), False)


async def _snapshot(lane: Lane) -> None:
    await lua.snapshot(lane.redis, lane.keys)


async def _is_stream(lane: Lane) -> bool:
    return await lane.redis.type(lane.keys.outbox) == b"stream"


SALE, STOCK, BUYERS = range(3)
KEYS: dict[str, Callable[[Lane], str]] = {
    "lanes": lambda lane: lane.keys.lanes,
    "bucket": lambda lane: lane.keys.bucket,
    "client": lambda lane: lane.keys.client("10.0.0.2"),
    "outbox": lambda lane: lane.keys.outbox,
    "dead": lambda lane: lane.keys.dead,
    "figures": lambda lane: lane.keys.figures,
    "sales": lambda lane: lane.keys.sales,
    "sale": lambda lane: lane.of()[SALE],
    "stock": lambda lane: lane.of()[STOCK],
    "buyers": lambda lane: lane.of()[BUYERS],
    "record": lambda lane: lane.keys.order(LIVE.digest),
    "new record": lambda lane: lane.keys.order(make_order("new-2").digest),
}
TOUCHED: list[tuple[Play, str]] = [
    (_admit, "bucket, client, outbox, figures, sale, stock, buyers, new record"),
    (_open, "sale, stock, outbox, figures, sales, lanes"),
    (_cancel, "outbox, figures, record, sale, stock, buyers"),
    (_settle, "outbox, dead, figures, sale, stock, buyers, record"),
    (_replay_dead, "outbox, dead, figures"),
    (_forget_consumers, "outbox"),
    (_mark_lost, "sales, lanes"),
    (_renumber, "lanes, outbox, dead, sales"),
    (_snapshot, "outbox, sales, sale, stock"),
]
CASES = [
    pytest.param(play, name, id=f"{play.__name__[1:]}-{name}") for play, names in TOUCHED for name in names.split(", ")
]


async def _prepare(lane: Lane) -> None:
    await lane.open("ps5", total=10, limit=5)
    await lane.open("xbox", total=10, limit=5)
    await lane.accepted(LIVE)
    await lane.redis.xgroup_create(lane.keys.outbox, GROUP)
    await lane.redis.xgroup_createconsumer(lane.keys.outbox, GROUP, "idle")
    fields = {"kind": "orders", "at": "1", "name": "name", "value": "value", "reason": "reason", "entry": "1-1"}
    await lane.redis.xadd(lane.keys.dead, fields, id="1-1")


@pytest.mark.parametrize(("play", "name"), CASES)
async def test_a_key_of_another_type_fails_the_script_before_any_write(lane: Lane, play: Play, name: str) -> None:
    await _prepare(lane)
    key = KEYS[name](lane)
    await lane.redis.delete(key)
    await lane.redis.sadd(key, "a set is what no script of ours uses")
    before = await lane.contents()
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await play(lane)
    assert await lane.contents() == before


@pytest.mark.parametrize("play", [play for play, _ in TOUCHED if play not in (_snapshot, _renumber)])
async def test_the_same_call_writes_when_all_keys_are_sound(lane: Lane, play: Play) -> None:
    await _prepare(lane)
    before = await lane.contents()
    await play(lane)
    assert await lane.contents() != before


async def test_opening_a_sale_clears_away_whatever_lies_where_its_buyers_belong(lane: Lane) -> None:
    await lane.redis.sadd(lane.of()[BUYERS], "damage")
    await lane.open(limit=1)
    await lane.accepted(make_order())
    assert await lane.bought() == 1
