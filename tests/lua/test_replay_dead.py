"""`replay_dead.lua`: a dead-lettered command is in exactly one of the two streams at every moment."""

import asyncio

import pytest
from redis.exceptions import ResponseError

import lua
from contract.messages import OrderAccepted, decode_entry
from tests.lua.lane import Lane, make_order


async def bury(lane: Lane, order: lua.Order) -> str:
    """Have an order accepted and dead-lettered; gives its dead entry."""
    entry = await lane.accepted(order)
    fields = (await lane.entries())[-1][1]
    at, value = fields[b"at"].decode(), fields[order.order_id.encode()]
    await lane.settle_raw([entry], [], [lua.Dead(0, "orders", at, order.order_id, value, "reason")])
    return (await lane.redis.xrevrange(lane.keys.dead))[0][0].decode()


async def test_a_replayed_command_is_in_the_outbox_as_it_was(lane: Lane) -> None:
    epoch = await lane.open()
    order = make_order()
    dead = await bury(lane, order)
    record = await lane.record(order)
    assert record is not None
    assert await lua.replay_dead(lane.redis, lane.keys, dead)
    (command,) = decode_entry((await lane.entries())[-1][1])
    assert isinstance(command, OrderAccepted)
    assert (command.order_id, command.epoch, command.accepted_us) == (order.order_id, epoch, record.accepted_us)
    assert await lane.redis.xlen(lane.keys.dead) == 0
    figures = await lane.figures()
    assert (figures.backlog, figures.dead) == (2, 0)


async def test_a_command_is_replayed_once_however_many_ask(lane: Lane) -> None:
    await lane.open()
    dead = await bury(lane, make_order())
    answers = await asyncio.gather(*(lua.replay_dead(lane.redis, lane.keys, dead) for _ in range(10)))
    assert sorted(answers) == [False] * 9 + [True]
    assert len(await lane.entries()) == 2


async def test_an_unknown_entry_changes_nothing(lane: Lane) -> None:
    await lane.open()
    await bury(lane, make_order())
    before = await lane.contents()
    assert not await lua.replay_dead(lane.redis, lane.keys, "1-1")
    assert await lane.contents() == before


async def test_half_an_id_names_no_entry(lane: Lane) -> None:
    # "7" would find 7-1 and delete 7-0: the command would stand in both streams.
    fields = {"kind": "orders", "at": "1", "name": "name", "value": "value", "reason": "reason", "entry": "1-1"}
    await lane.redis.xadd(lane.keys.dead, fields, id="7-1")
    before = await lane.contents()
    assert not await lua.replay_dead(lane.redis, lane.keys, "7")
    assert await lane.contents() == before
    assert await lua.replay_dead(lane.redis, lane.keys, "7-1")


@pytest.mark.parametrize("text", ["", "nonsense", "1-2-3", "-1"])
async def test_what_is_no_id_is_refused_and_changes_nothing(lane: Lane, text: str) -> None:
    await lane.open()
    await bury(lane, make_order())
    before = await lane.contents()
    with pytest.raises(ResponseError, match="Invalid stream ID"):
        await lua.replay_dead(lane.redis, lane.keys, text)
    assert await lane.contents() == before


async def test_a_dead_entry_that_lacks_its_command_stays_where_it_is(lane: Lane) -> None:
    await lane.redis.xadd(lane.keys.dead, {"reason": "written by hand"}, id="7-1")
    before = await lane.contents()
    with pytest.raises(ResponseError):
        await lua.replay_dead(lane.redis, lane.keys, "7-1")
    assert await lane.contents() == before
