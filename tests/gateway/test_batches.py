"""How requests that wait are put into batches: nobody waits for the end of a crowd of others."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from contract.settings import Settings
from gateway.admission import BATCH_MAX, READS_SHARE, Admission
from lua import Answer, LaneKeys, Read, Status

PRODUCT = Read("", "p", "")


class Recorder:
    """A line that accepts every order with its place in the batch, and finds every read by its own."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, int]] = []
        self.records: list[list[str]] = []

    async def execute_command(self, *command: Any) -> list[Any]:
        arguments = command[3 + int(command[2]) :]
        products, _, orders, statuses, reads = arguments[7:12]
        self.batches.append((orders, reads))
        keys = command[3 : 3 + int(command[2])]
        self.records.append(list(keys[len(keys) - orders - statuses :]))
        answers = [(Status.ACCEPTED, place) for place in range(orders)] + [(Status.FOUND, i) for i in range(reads)]
        return [value for answer in answers for value in answer] + [1] * products + [0, 1]

    async def aclose(self) -> None:
        """Nothing to close."""


@pytest.fixture
def line() -> Recorder:
    return Recorder()


def door(line: Any) -> Admission:
    """An admission that needs no Redis here."""
    client: Any = None
    return Admission(client, Settings(), LaneKeys(0), line)


def orders(door: Admission, count: int) -> list[Coroutine[Any, Any, tuple[str, Answer]]]:
    """So many buyers, each with an order of its own."""
    return [door.order("p", 1, "u", f"key-{i}", f"{i:016x}", "") for i in range(count)]


async def look(door: Admission, read: Read = PRODUCT) -> Answer:
    """Somebody who looks."""
    return await door.read(read)


async def test_all_that_wait_at_one_moment_share_a_batch(line: Recorder) -> None:
    here = door(line)
    await asyncio.gather(*orders(here, 100), *(look(here) for _ in range(10)))
    assert line.batches == [(100, 10)]


async def test_reads_have_their_share_of_a_crowded_batch(line: Recorder) -> None:
    here = door(line)
    await asyncio.gather(*orders(here, 10 * BATCH_MAX), *(look(here) for _ in range(2 * READS_SHARE)))
    assert line.batches[:3] == [(BATCH_MAX, READS_SHARE), (BATCH_MAX, READS_SHARE), (BATCH_MAX, 0)]


async def test_a_crowd_of_reads_leaves_room_for_orders(line: Recorder) -> None:
    here = door(line)
    await asyncio.gather(*orders(here, 100), *(look(here) for _ in range(10 * BATCH_MAX)))
    assert line.batches[0] == (100, BATCH_MAX - 100)


async def test_reads_are_served_in_their_order_and_statuses_lead_within_a_batch(line: Recorder) -> None:
    here = door(line)
    asked = [Read("" if i % 2 else f"{i:016x}", "p" if i % 2 else "", str(i)) for i in range(2 * BATCH_MAX)]
    answers = await asyncio.gather(*(look(here, read) for read in asked))
    half = BATCH_MAX // 2
    # Those of a status come first in the call, and each keeps its place among its own.
    told = [answer.detail for answer in answers]
    assert told == [i // 2 + (half if i % 2 else 0) for i in range(BATCH_MAX)] * 2
    prefix = LaneKeys(0).order("")
    assert line.records == [
        [prefix + f"{i:016x}" for i in range(first, first + BATCH_MAX, 2)] for first in (0, BATCH_MAX)
    ]


async def test_each_order_gets_its_own_answer_and_an_id_of_its_own(line: Recorder) -> None:
    told = await asyncio.gather(*orders(door(line), 3 * BATCH_MAX))
    assert [answer.detail for _, answer in told] == [i % BATCH_MAX for i in range(3 * BATCH_MAX)]
    assert [order_id.replace("-", "")[16:] for order_id, _ in told] == [f"{i:016x}" for i in range(3 * BATCH_MAX)]


async def test_ids_of_one_key_differ_from_batch_to_batch_however_fast_they_follow(line: Recorder) -> None:
    here = door(line)
    ids = [(await here.order("p", 1, "u", "key", "8" * 16, ""))[0] for _ in range(50)]
    assert len(set(ids)) == 50
    assert ids == sorted(ids)


class BreaksOnce(Recorder):
    """A line that meets a bug of ours at the first call, and answers every later one."""

    async def execute_command(self, *command: Any) -> list[Any]:
        answer = await super().execute_command(*command)
        if len(self.batches) == 1:
            raise ZeroDivisionError
        return answer


async def test_a_bug_is_told_to_all_who_wait_and_the_door_works_again() -> None:
    here = door(BreaksOnce())
    waiting = asyncio.gather(*orders(here, BATCH_MAX + 1), look(here), return_exceptions=True)
    assert [type(answer) for answer in await waiting] == [ZeroDivisionError] * (BATCH_MAX + 2)
    assert (await look(here)).status == Status.FOUND
    assert (await here.order("p", 1, "u", "key", "8" * 16, ""))[1].status == Status.ACCEPTED
    await here.close()


async def test_one_who_gives_up_waiting_takes_nobody_along(line: Recorder) -> None:
    here = door(line)
    gone = asyncio.ensure_future(here.order("p", 1, "u", "key", "8" * 16, ""))
    stays = asyncio.ensure_future(here.order("p", 1, "u", "other", "9" * 16, ""))
    await asyncio.sleep(0)
    gone.cancel()
    assert (await stays)[1] == Answer(Status.ACCEPTED, 1)
    assert gone.cancelled()
