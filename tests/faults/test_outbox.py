"""The outbox while its process is killed, again and again: nothing is lost, and hardly anything is sent twice."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from contract.settings import Settings
from tests.support.processes import running
from tests.support.waiting import arrival, becomes, in_outbox, in_stream, leave, open_context
from workers.outbox import PAGE_ROWS
from workers.worker import Context

pytestmark = [pytest.mark.slow, pytest.mark.fault]

ROWS = 3_000
KILLS = 3
SENT_BEFORE_A_KILL = 120
"""More than a page, so that a kill strikes in the middle of the work."""


@pytest.fixture
async def context(settings: Settings) -> AsyncIterator[Context]:
    """An empty outbox, and whatever else the loop needs."""
    async with open_context(msgspec.structs.replace(settings, log_level="error")) as opened:
        yield opened


async def sent(context: Context, count: int) -> None:
    """Wait until so many more entries are in the stream."""
    after = "0"
    for _ in range(count):
        after, _ = await arrival(context, "g2a", after)


async def test_a_process_that_is_killed_again_and_again_loses_nothing(context: Context) -> None:
    async with context.pool.acquire() as connection, connection.transaction():
        ids = [await leave(connection, "g2a") for _ in range(ROWS)]
    for kill in range(KILLS):
        async with running(context.settings, "reaper") as process:
            await sent(context, len(await in_stream(context, "g2a")) + SENT_BEFORE_A_KILL)
            process.kill()
            assert await process.wait() < 0, f"kill {kill} struck while it worked"
    left = await in_outbox(context)
    assert left, "there was something to do for whoever came after"
    async with running(context.settings, "reaper"), running(context.settings, "reaper"):

        async def drained() -> bool:
            return not await in_outbox(context)

        await becomes(drained, "nothing waits any more")
    stream = await in_stream(context, "g2a")
    assert set(stream) == set(ids)
    assert len(stream) - len(ids) <= KILLS * PAGE_ROWS


async def test_a_process_that_is_asked_to_stop_finishes_its_page_and_sends_nothing_twice(context: Context) -> None:
    async with context.pool.acquire() as connection, connection.transaction():
        ids = [await leave(connection, "g2a") for _ in range(ROWS)]
    async with running(context.settings, "reaper") as process:
        await sent(context, SENT_BEFORE_A_KILL)
        process.terminate()
        async with asyncio.timeout(10):
            assert await process.wait() == 0
    stream, left = await in_stream(context, "g2a"), await in_outbox(context)
    assert left, "it did not wait until all was done"
    assert sorted(stream + left) == sorted(ids)
