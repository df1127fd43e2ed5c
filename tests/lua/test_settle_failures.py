"""`settle.lua`: orders that Postgres refused, and commands that nobody can handle."""

import pytest

import lua
from contract.messages import Record, encode_record
from lua import Answer, Status
from tests.lua.lane import Lane, make_order, outcome

TTL_MS = 60_000


async def test_failed_gives_the_units_back_and_marks_the_record(lane: Lane) -> None:
    await lane.open(total=10, limit=5)
    order = make_order(quantity=3)
    await lane.settle([await lane.accepted(order)], outcome(order, lua.FAILED))
    assert (await lane.stock(), await lane.bought(), await lane.state(order)) == (10, 0, "failed")
    sale = await lane.sale()
    assert (sale["accepted"], sale["returned"]) == ("3", "3")
    assert 0 < await lane.redis.pttl(lane.keys.order(order.digest)) <= TTL_MS
    assert (await lane.figures()).failed == 1


async def test_failed_keeps_every_digit_of_the_greatest_quantity(lane: Lane) -> None:
    await lane.open(total=1_000_000_000, limit=1_000_000_000)
    order = make_order(quantity=1_000_000_000)
    await lane.settle([await lane.accepted(order)], outcome(order, lua.FAILED))
    assert (await lane.stock(), await lane.bought()) == (1_000_000_000, 0)


async def test_failed_without_units_gives_none_back(lane: Lane) -> None:
    await lane.open(total=10, limit=5)
    order = make_order(quantity=3)
    await lane.settle([await lane.accepted(order)], outcome(order, lua.FAILED_WITHOUT_UNITS))
    assert (await lane.stock(), await lane.bought(), await lane.state(order)) == (7, 3, "failed")
    assert (await lane.sale())["returned"] == "0"


@pytest.mark.parametrize("letter", [lua.FAILED, lua.FAILED_WITHOUT_UNITS])
async def test_failed_after_its_buyer_cancelled_gives_nothing_back_a_second_time(lane: Lane, letter: str) -> None:
    await lane.open(total=10, limit=5)
    order = make_order(quantity=3)
    entry = await lane.accepted(order)
    await lane.cancel(order)
    await lane.settle([entry], outcome(order, letter, kept=b"other"))
    assert (await lane.stock(), await lane.bought(), await lane.state(order)) == (10, 0, "cancelled")
    assert (await lane.sale())["returned"] == "3"


@pytest.mark.parametrize("marked", [False, True], ids=["by its end", "by its letter"])
async def test_failed_after_it_was_persisted_changes_nothing(lane: Lane, marked: bool) -> None:
    await lane.open(total=10)
    order = make_order(quantity=3)
    key = lane.keys.order(order.digest)
    await lane.settle([await lane.accepted(order)], outcome(order, lua.PERSISTED))
    if marked:
        # As the version before this one wrote it.
        await lane.redis.set(key, b"p" + (await lane.redis.get(key))[1:], keepttl=True)
    before = await lane.redis.get(key)
    await lane.redis.xadd(lane.keys.outbox, {"kind": "orders", "at": "1", order.order_id: "again"})
    await lane.settle([await lane.last_entry()], outcome(order, lua.FAILED, kept=b"other"))
    assert (await lane.stock(), await lane.state(order)) == (7, "persisted")
    assert await lane.redis.get(key) == before


async def test_failed_of_a_closed_epoch_gives_its_units_to_no_stock(lane: Lane) -> None:
    await lane.open(total=10)
    order = make_order(quantity=3)
    entry = await lane.accepted(order)
    await lane.open(total=4, limit=2)
    await lane.accepted(make_order("new"))
    await lane.settle([entry], outcome(order, lua.FAILED))
    assert (await lane.stock(), await lane.bought(), await lane.state(order)) == (3, 1, "failed")
    assert (await lane.sale())["returned"] == "0"


async def test_failed_with_another_record_to_keep_answers_its_key_with_the_first_order(lane: Lane) -> None:
    epoch = await lane.open(total=10)
    first, again = make_order(ms=0), make_order(ms=1)
    await lane.settle([await lane.accepted(first)], outcome(first, lua.PERSISTED))
    original = await lane.record(first)
    assert original is not None
    # Redis forgets the key, its buyer repeats it, Postgres remembers.
    await lane.redis.delete(lane.keys.order(first.digest))
    entry = await lane.accepted(again)
    kept = encode_record(Record("persisted", first.order_id, original.accepted_us, epoch, original.order))
    await lane.settle([entry], outcome(again, lua.FAILED, kept=kept))
    assert await lane.stock() == 9
    assert await lane.record(first) == original
    assert await lane.admit(again) == [Answer(Status.REPLAYED, first.order_id.encode())]
    assert 0 < await lane.redis.pttl(lane.keys.order(first.digest)) <= TTL_MS


@pytest.mark.parametrize(("which", "field"), [(0, "total"), (0, "product"), (0, "returned"), (1, ""), (0, "")])
async def test_failed_of_a_damaged_sale_settles_without_half_a_return(lane: Lane, which: int, field: str) -> None:
    await lane.open("ps5")
    await lane.open("xbox")
    hurt, sound = make_order("a"), make_order("b", product="xbox")
    await lane.admit(sound, hurt)
    await (lane.redis.hdel(lane.of()[which], field) if field else lane.redis.delete(lane.of()[which]))
    left = await lane.stock("ps5")
    outcomes = [outcome(sound, lua.FAILED), outcome(hurt, lua.FAILED)]
    assert await lane.settle([await lane.last_entry()], *outcomes) == 1
    assert (await lane.stock("ps5"), await lane.stock("xbox")) == (left, 10)
    assert (await lane.state(hurt), await lane.state(sound)) == ("failed", "failed")


async def test_a_dead_command_is_parked_whole_with_its_reason_and_its_entry(lane: Lane) -> None:
    raw = bytes(range(256))
    await lane.redis.xadd(lane.keys.outbox, {"kind": "nonsense", "at": "1", "what": raw})
    entry = await lane.last_entry()
    corpse = lua.Dead(0, "nonsense", "1", "what", raw, "the kind is not known")
    assert await lane.settle_raw([entry], [], [corpse]) == 1
    ((_, fields),) = await lane.redis.xrange(lane.keys.dead)
    assert fields == {
        b"kind": b"nonsense",
        b"at": b"1",
        b"name": b"what",
        b"value": raw,
        b"reason": b"the kind is not known",
        b"entry": entry.encode(),
    }
    assert (await lane.figures()).dead == 1


async def test_dead_and_sound_commands_of_one_entry_part_ways(lane: Lane) -> None:
    await lane.open()
    sound, dead = make_order("a"), make_order("b")
    await lane.admit(sound, dead)
    entry, fields = (await lane.entries())[-1]
    value = fields[dead.order_id.encode()]
    corpse = lua.Dead(0, "orders", "1", dead.order_id, value, "too old")
    assert await lane.settle_raw([entry], [outcome(sound, lua.PERSISTED)], [corpse]) == 1
    assert (await lane.state(sound), await lane.state(dead)) == ("persisted", "accepted")
    # Its unit stays taken and its record has no end: it may still become an order.
    assert await lane.stock() == 8
    assert await lane.redis.pttl(lane.keys.order(dead.digest)) == -1
