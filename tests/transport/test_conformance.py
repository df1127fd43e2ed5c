"""What every stream promises: at least once, in order, to one consumer of a group at a time, until it is settled."""

import asyncio

import pytest

from chaos.waiting import until
from contract.transport import Stream
from contract.transport.redis_streams import CLAIM_BATCH, LostEntries
from tests.transport.conftest import Backend

SHORT_MS = 1
BETWEEN = 20 * CLAIM_BATCH
"""More entries than any one look at what is pending gives."""


async def ready(backend: Backend, consumer: str = "one") -> Stream:
    """A stream whose group exists."""
    stream = backend.stream(consumer)
    await stream.ensure_group()
    return stream


async def fill(backend: Backend, count: int) -> list[str]:
    """Append entries; gives their ids."""
    return [await backend.append({"n": str(i)}) for i in range(count)]


async def claimed(stream: Stream, idle_ms: int = 10) -> list[str]:
    """The ids of what can be claimed once it is idle long enough."""
    found: list[str] = []

    async def some() -> bool:
        found.extend(delivery.entry_id for delivery in await stream.claim(idle_ms))
        return bool(found)

    await until(some)
    return found


async def test_entries_come_in_their_order_with_their_fields(backend: Backend) -> None:
    stream = await ready(backend)
    ids = await fill(backend, 5)
    deliveries = await stream.read(10, SHORT_MS)
    assert [delivery.entry_id for delivery in deliveries] == ids
    assert [delivery.fields for delivery in deliveries] == [{b"n": b"%d" % i} for i in range(5)]
    assert {delivery.deliveries for delivery in deliveries} == {1}


async def test_entries_of_before_the_group_are_not_skipped(backend: Backend) -> None:
    ids = await fill(backend, 3)
    stream = await ready(backend)
    assert [delivery.entry_id for delivery in await stream.read(10, SHORT_MS)] == ids


async def test_a_read_gives_no_more_than_it_was_asked_for(backend: Backend) -> None:
    stream = await ready(backend)
    ids = await fill(backend, 5)
    assert [len(await stream.read(2, SHORT_MS)) for _ in range(4)] == [2, 2, 1, 0]
    assert len(ids) == 5


async def test_a_read_of_nothing_gives_nothing_and_one_that_waits_gets_what_comes(backend: Backend) -> None:
    stream = await ready(backend)
    assert await stream.read(10, SHORT_MS) == []
    waiting = asyncio.create_task(stream.read(10, 1_500))
    entry = await backend.append({"n": "0"})
    assert [delivery.entry_id for delivery in await waiting] == [entry]


async def test_two_consumers_of_a_group_share_the_entries(backend: Backend) -> None:
    one, two = await ready(backend, "one"), await ready(backend, "two")
    ids = await fill(backend, 4)
    first, second = await one.read(2, SHORT_MS), await two.read(10, SHORT_MS)
    assert [delivery.entry_id for delivery in first + second] == ids


async def test_each_group_gets_every_entry(backend: Backend) -> None:
    ids = await fill(backend, 3)
    for group in ("orders", "another"):
        stream = backend.stream(group=group)
        await stream.ensure_group()
        assert [delivery.entry_id for delivery in await stream.read(10, SHORT_MS)] == ids


async def test_making_sure_of_a_group_twice_changes_nothing(backend: Backend) -> None:
    stream = await ready(backend)
    await fill(backend, 2)
    await stream.read(1, SHORT_MS)
    await stream.ensure_group()
    assert len(await stream.read(10, SHORT_MS)) == 1


async def test_what_a_dead_consumer_held_is_claimed_after_its_lease_in_order(backend: Backend) -> None:
    dies, lives = await ready(backend, "dies"), await ready(backend, "lives")
    ids = await fill(backend, 5)
    await dies.read(10, SHORT_MS)
    assert await lives.claim(60_000) == []
    assert await claimed(lives) == ids


async def test_what_was_settled_never_comes_again(backend: Backend) -> None:
    dies, lives = await ready(backend, "dies"), await ready(backend, "lives")
    first, second, third = await fill(backend, 3)
    await dies.read(10, SHORT_MS)
    await backend.settle(second)
    assert await claimed(lives) == [first, third]


async def test_a_consumer_claims_what_it_held_itself_too(backend: Backend) -> None:
    stream = await ready(backend)
    ids = await fill(backend, 2)
    await stream.read(10, SHORT_MS)
    assert await claimed(stream) == ids


async def test_what_a_consumer_was_given_and_has_not_settled_can_be_read_again(backend: Backend) -> None:
    one, two = await ready(backend, "one"), await ready(backend, "two")
    first, second, third, fourth = await fill(backend, 4)
    assert await one.read_again(10) == []
    await one.read(3, SHORT_MS)
    await two.read(10, SHORT_MS)
    await backend.settle(second)
    again = await one.read_again(10)
    assert [delivery.entry_id for delivery in again] == [first, third]
    assert again[0].fields == {b"n": b"0"}
    assert [delivery.entry_id for delivery in await one.read_again(1)] == [first]
    assert [delivery.entry_id for delivery in await two.read_again(10)] == [fourth]


async def test_deliveries_are_counted(backend: Backend) -> None:
    stream = await ready(backend)
    await fill(backend, 3)
    await stream.read(10, SHORT_MS)
    for times in (2, 3, 4):
        assert [delivery.deliveries for delivery in await stream.claim(0)] == [times] * 3


async def test_deliveries_are_counted_also_among_many_that_the_consumer_holds(backend: Backend) -> None:
    dies, busy = await ready(backend, "dies"), await ready(backend, "busy")
    (first,) = await fill(backend, 1)
    await dies.read(1, SHORT_MS)
    await fill(backend, BETWEEN)
    await busy.read(BETWEEN, SHORT_MS)
    (last,) = await fill(backend, 1)
    await dies.read(1, SHORT_MS)
    for entry in (first, last):
        await backend.age(entry, "dies", 60_000)
    due = await busy.claim(30_000)
    assert [(delivery.entry_id, delivery.deliveries) for delivery in due] == [(first, 3), (last, 3)]


async def test_a_claim_of_very_many_comes_in_parts(backend: Backend) -> None:
    dies, lives = await ready(backend, "dies"), await ready(backend, "lives")
    ids = await fill(backend, 3 * CLAIM_BATCH)
    await dies.read(1_000, SHORT_MS)
    found: list[str] = []

    async def all_of_them() -> bool:
        found.extend(delivery.entry_id for delivery in await lives.claim(200))
        return len(found) >= len(ids)

    await until(all_of_them)
    assert found == ids


async def test_an_entry_that_vanished_unsettled_is_noticed(backend: Backend) -> None:
    dies, lives = await ready(backend, "dies"), await ready(backend, "lives")
    first, second = await fill(backend, 2)
    await dies.read(10, SHORT_MS)
    await backend.delete_behind_our_back(first)
    with pytest.raises(LostEntries, match=first):
        await lives.claim(0)
    # The loss is told once; what is still there is delivered.
    assert await claimed(lives) == [second]


@pytest.mark.parametrize("what", ["destroy_group", "destroy_data"])
async def test_a_group_that_somebody_removed_is_made_again_from_the_start(backend: Backend, what: str) -> None:
    stream = await ready(backend)
    await fill(backend, 2)
    await stream.read(10, SHORT_MS)
    await getattr(backend, what)()
    if what == "destroy_data":
        await fill(backend, 2)
    assert await stream.read(10, SHORT_MS) == []
    assert len(await stream.read(10, SHORT_MS)) == 2


@pytest.mark.parametrize("look", ["claim", "read_again"])
@pytest.mark.parametrize("what", ["destroy_group", "destroy_data"])
async def test_no_look_at_what_is_pending_fails_for_want_of_its_group(backend: Backend, what: str, look: str) -> None:
    stream = await ready(backend)
    await fill(backend, 2)
    await stream.read(10, SHORT_MS)
    await getattr(backend, what)()
    assert await getattr(stream, look)(10) == []
    await fill(backend, 1)
    assert len(await stream.read(10, SHORT_MS)) == (3 if what == "destroy_group" else 1)


async def test_entries_until_a_place_come_in_pages_and_stay_undelivered(backend: Backend) -> None:
    stream = await ready(backend)
    ids = await fill(backend, 7)
    pages: list[list[str]] = []
    after = ""
    while page := await stream.entries_until(ids[4], 2, after):
        pages.append([delivery.entry_id for delivery in page])
        after = page[-1].entry_id
    assert pages == [ids[0:2], ids[2:4], ids[4:5]]
    assert await stream.entries_until("0-0", 10) == []
    assert len(await stream.entries_until("+", 10)) == 7
    assert len(await stream.read(10, SHORT_MS)) == 7
