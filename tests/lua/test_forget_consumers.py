"""`forget_consumers.lua`: who has ended is forgotten, and never anybody who holds an entry."""

import lua
from contract.transport import Stream
from tests.lua.lane import GROUP, Lane, make_order

HOUR_MS = 3_600_000


async def forget(lane: Lane, idle_ms: int) -> int:
    return await lua.forget_consumers(lane.redis, lane.keys, GROUP, idle_ms)


async def consumers(lane: Lane) -> list[str]:
    return sorted(info["name"].decode() for info in await lane.redis.xinfo_consumers(lane.keys.outbox, GROUP))


async def test_only_consumers_that_hold_nothing_and_were_not_seen_for_long_are_forgotten(lane: Lane) -> None:
    await lane.open()
    await lane.accepted(make_order())
    streams = [Stream(lane.redis, lane.keys.outbox, GROUP, name) for name in ("holds", "idle", "settles")]
    for stream in streams:
        await stream.ensure_group()
        await stream.read(1, 1)
    assert await forget(lane, HOUR_MS) == 0
    await lane.settle([(await lane.entries())[1][0]])
    assert await consumers(lane) == ["holds", "idle", "settles"]
    assert await forget(lane, -1) == 2
    assert await consumers(lane) == ["holds"]
    assert len(await streams[1].claim(0)) == 1, "what it holds can still be claimed"


async def test_without_a_group_or_an_outbox_there_is_nobody_to_forget(lane: Lane) -> None:
    assert await forget(lane, -1) == 0
    assert await lane.contents() == {}
    await lane.open()
    before = await lane.contents()
    assert await forget(lane, -1) == 0
    assert await lane.contents() == before
