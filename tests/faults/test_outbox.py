"""The outbox while its process is killed, again and again: nothing is lost, and hardly anything is sent twice."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from contract.settings import Settings
from tests.support.processes import running
from tests.support.waiting import arrival, becomes, in_outbox, in_stream, leave, none_waits, open_context
from workers.outbox import PAGE_ROWS
from workers.worker import Context

pytestmark = [pytest.mark.slow, pytest.mark.fault]

ROWS = 1_500
KILLS = 3
SENT_BEFORE_A_KILL = 120
"""More than a page, so that a kill strikes in the middle of the work."""


@pytest.fixture
async def context(settings: Settings) -> AsyncIterator[Context]:
    """An empty outbox, and whatever else the loop needs."""
    async with open_context(msgspec.structs.replace(settings, log_level="error")) as opened:
        yield opened


async def sent(context: Context, after: str) -> str:
    """Wait until so many more entries are in the stream behind `after`; gives the place of the last."""
    for _ in range(SENT_BEFORE_A_KILL):
        after, _ = await arrival(context, "g2a", after)
    return after


async def test_a_process_that_is_killed_again_and_again_loses_nothing(context: Context) -> None:
    async with context.pool.acquire() as connection, connection.transaction():
        ids = [await leave(connection, "g2a") for _ in range(ROWS)]
    place = "0"
    for kill in range(KILLS):
        async with running(context.settings, "reaper") as process:
            place = await sent(context, place)
            process.kill()
            assert await process.wait() < 0, f"kill {kill} struck while it worked"
    left = await in_outbox(context)
    assert left, "there was something to do for whoever came after"
    async with running(context.settings, "reaper"), running(context.settings, "reaper"):
        await becomes(lambda: none_waits(context), "nothing waits any more")
    stream = await in_stream(context, "g2a")
    assert set(stream) == set(ids)
    assert len(stream) - len(ids) <= KILLS * PAGE_ROWS


async def test_a_process_that_is_asked_to_stop_finishes_its_page_and_sends_nothing_twice(context: Context) -> None:
    async with context.pool.acquire() as connection, connection.transaction():
        ids = [await leave(connection, "g2a") for _ in range(ROWS)]
    async with running(context.settings, "reaper") as process:
        await sent(context, "0")
        process.terminate()
        async with asyncio.timeout(10):
            assert await process.wait() == 0
    stream, left = await in_stream(context, "g2a"), await in_outbox(context)
    assert left, "it did not wait until all was done"
    assert sorted(stream + left) == sorted(ids)
