"""How requests that wait are put into batches: nobody waits for the end of a crowd of others."""

import asyncio
from typing import Any

import pytest

import lua
from contract.messages import Order
from contract.settings import Settings
from gateway import admission
from gateway.admission import BATCH_MAX, READS_SHARE, Admission
from lua import Answer, Read, Status, Verdict

Batch = tuple[list[lua.Order], list[Read]]


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[Batch]:
    """The batches that were sent, in their order; each is answered at once, its orders by their own ids."""
    sent: list[Batch] = []

    async def admit(_client: Any, _keys: Any, _limits: Any, orders: list[lua.Order], reads: list[Read]) -> Verdict:
        sent.append((orders, reads))
        answers = [Answer(Status.ACCEPTED, order.digest) for order in orders]
        return Verdict([*answers, *(Answer(Status.FOUND, read) for read in reads)], 0, 1)

    monkeypatch.setattr(admission.lua, "admit", admit)
    return sent


def door() -> Admission:
    """An admission that needs no Redis here."""
    client: Any = None
    return Admission(client, Settings())


def ask(door: Admission, count: int) -> list[asyncio.Future[Answer]]:
    """Ask for so many orders."""
    return [door.order(Order("p", "u", 1, f"key-{i}"), "")[1] for i in range(count)]


async def test_all_that_wait_at_one_moment_share_a_batch(batches: list[Batch]) -> None:
    here = door()
    await asyncio.gather(*ask(here, 100), *(here.read(Read("", "p", "")) for _ in range(10)))
    assert [(len(orders), len(reads)) for orders, reads in batches] == [(100, 10)]


async def test_reads_have_their_share_of_a_crowded_batch(batches: list[Batch]) -> None:
    here = door()
    crowd = ask(here, 10 * BATCH_MAX)
    reads = [here.read(Read("", "p", "")) for _ in range(READS_SHARE)]
    await asyncio.gather(*reads, *crowd)
    assert [(len(orders), len(reads)) for orders, reads in batches][:2] == [
        (BATCH_MAX - READS_SHARE, READS_SHARE),
        (BATCH_MAX, 0),
    ]


async def test_a_crowd_of_reads_leaves_room_for_orders(batches: list[Batch]) -> None:
    here = door()
    crowd = [here.read(Read("", "p", "")) for _ in range(10 * BATCH_MAX)]
    await asyncio.gather(*ask(here, BATCH_MAX - READS_SHARE), *crowd)
    assert [(len(orders), len(reads)) for orders, reads in batches][:2] == [
        (BATCH_MAX - READS_SHARE, READS_SHARE),
        (0, BATCH_MAX),
    ]


async def test_reads_are_served_in_their_order_and_statuses_lead_within_a_batch(batches: list[Batch]) -> None:
    here = door()
    asked = [Read("" if i % 2 else f"{i:016x}", "p" if i % 2 else "", str(i)) for i in range(2 * BATCH_MAX)]
    answers = await asyncio.gather(*(here.read(read) for read in asked))
    assert [answer.detail for answer in answers] == asked
    assert [sorted(int(read.client) for read in reads) for _, reads in batches] == [
        list(range(BATCH_MAX)),
        list(range(BATCH_MAX, 2 * BATCH_MAX)),
    ]
    for _, reads in batches:
        assert [bool(read.digest) for read in reads] == [True] * (BATCH_MAX // 2) + [False] * (BATCH_MAX // 2)


async def test_each_order_gets_its_own_answer(batches: list[Batch]) -> None:
    here = door()
    wanted = [here.order(Order("p", "u", 1, f"key-{i}"), "") for i in range(3 * BATCH_MAX)]
    answers = await asyncio.gather(*(decided for _, decided in wanted))
    ids = [order_id.replace("-", "")[16:] for order_id, _ in wanted]
    assert [answer.detail for answer in answers] == ids


class BreaksOnce:
    """A line that meets a bug of ours at the first call, and answers every later one."""

    calls = 0

    async def execute_command(self, *_command: Any) -> list[int]:
        self.calls += 1
        if self.calls == 1:
            raise ZeroDivisionError
        return [Status.UNKNOWN_PRODUCT, 0, 0, 1]


async def test_a_bug_is_told_to_all_who_wait_and_the_door_works_again() -> None:
    client: Any = None
    here = Admission(client, Settings(), line=BreaksOnce())
    told = await asyncio.gather(*(here.read(Read("", "p", "")) for _ in range(BATCH_MAX + 1)), return_exceptions=True)
    assert [type(answer) for answer in told] == [ZeroDivisionError] * (BATCH_MAX + 1)
    with pytest.raises(ZeroDivisionError):
        await here.close()
    assert (await here.read(Read("", "p", ""))).status == Status.UNKNOWN_PRODUCT
    await here.close()
