"""The loop of the outbox: it wakes for what is told of and for what is due, and outlives its connections."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest

import lua
import sql
from contract.settings import Settings
from tests.support.waiting import (
    arrival,
    arrivals,
    at_work,
    becomes,
    in_stream,
    leave,
    none_waits,
    open_context,
)
from workers import outbox
from workers.worker import Context

HOUR_S = 3600.0

Submit = Callable[..., Awaitable[bool]]


@pytest.fixture
async def context(settings: Settings) -> AsyncIterator[Context]:
    """An empty outbox, and whatever else the loop needs."""
    async with open_context(settings) as opened:
        yield opened


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a notification nobody looks for an hour."""
    monkeypatch.setattr(outbox, "FALLBACK_S", HOUR_S)


async def listens(context: Context) -> None:
    """Wait until somebody listens; until then a notification reaches nobody, and the first look finds what was left."""

    async def heard() -> bool:
        return bool(await listeners(context))

    await becomes(heard, "somebody listens")


async def listeners(context: Context) -> list[int]:
    """The Postgres processes of those that have looked, and wait for notifications."""
    rows = await context.pool.fetch(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'fluxgate outbox' AND state = 'idle'"
        " AND query LIKE '%due_in_s%'"
    )
    return [row["pid"] for row in rows]


@pytest.mark.usefixtures("patient")
async def test_it_leaves_when_it_is_due_and_not_before(context: Context) -> None:
    async with at_work(partial(outbox.run, context)):
        own = await leave(context.pool, "g2a", after_s=0.2)
        (due_ms,) = await context.pool.fetchrow("SELECT (extract(epoch FROM due_at) * 1000)::bigint FROM outbox")
        place, command_id = await arrival(context, "g2a")
    assert command_id == own
    assert int(place.split("-")[0]) >= due_ms


@pytest.mark.usefixtures("patient")
async def test_a_notification_wakes_the_loop(context: Context) -> None:
    async with at_work(partial(outbox.run, context)):
        await listens(context)
        own = await leave(context.pool, "g2a")
        assert (await arrival(context, "g2a"))[1] == own


@pytest.mark.usefixtures("patient")
async def test_a_connection_that_breaks_is_opened_again_and_listens(context: Context) -> None:
    async with at_work(partial(outbox.run, context)):
        await listens(context)
        (broken,) = await listeners(context)
        await context.pool.execute("SELECT pg_terminate_backend($1)", broken)

        async def healed() -> bool:
            return await listeners(context) not in ([], [broken])

        await becomes(healed, "somebody listens again")
        own = await leave(context.pool, "g2a")
        assert (await arrival(context, "g2a"))[1] == own


@pytest.mark.usefixtures("patient")
async def test_a_connection_that_does_not_answer_is_given_up(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "COMMAND_TIMEOUT_S", 0.2)
    async with at_work(partial(outbox.run, context)):
        await listens(context)
        (silent,) = await listeners(context)
        async with context.pool.acquire() as connection, connection.transaction():
            own = await leave(connection, "g2a")
            await connection.execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
            await context.pool.execute("SELECT pg_notify('outbox', '')")

            async def gone() -> bool:
                query = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)"
                return not await context.pool.fetchval(query, silent)

            await becomes(gone, "the silent connection is given up")
        assert (await arrival(context, "g2a"))[1] == own


@pytest.mark.usefixtures("patient")
async def test_what_came_while_nobody_listened_is_found(context: Context) -> None:
    own = await leave(context.pool, "g2a")
    async with at_work(partial(outbox.run, context)):
        assert (await arrival(context, "g2a"))[1] == own


async def test_without_any_notification_a_row_leaves_within_the_fallback(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "FALLBACK_S", 0.05)
    monkeypatch.setattr(outbox, "CHANNEL", "nobody tells here")
    async with at_work(partial(outbox.run, context)):
        await listens(context)
        own = await leave(context.pool, "g2a")
        assert (await arrival(context, "g2a"))[1] == own


async def test_a_crash_between_sending_and_commit_sends_again_with_the_same_id(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = await leave(context.pool, "g2a")
    real: Submit = lua.submit

    async def submit_and_lose_postgres(*given: Any) -> bool:
        monkeypatch.setattr(lua, "submit", real)
        taken = await real(*given)
        (pid,) = await context.pool.fetchrow(
            "SELECT pid FROM pg_stat_activity WHERE query LIKE '%FOR UPDATE SKIP%' AND state = 'idle in transaction'"
        )
        await context.pool.execute("SELECT pg_terminate_backend($1)", pid)
        return taken

    monkeypatch.setattr(lua, "submit", submit_and_lose_postgres)
    async with at_work(partial(outbox.run, context)):
        assert await arrivals(context, "g2a", 2) == [own, own]
        await becomes(lambda: none_waits(context), "nothing waits any more")
    assert await in_stream(context, "g2a") == [own, own]
