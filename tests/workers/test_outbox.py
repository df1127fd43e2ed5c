"""The outbox: what waits in Postgres leaves when it is due, in order, at least once, and in nobody's way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, cast

import msgspec
import pytest
from redis.exceptions import ResponseError

import lua
from contract.bus import BusCommand, new_command_id
from contract.settings import Settings
from sql import load_queries
from tests.support.waiting import (
    arrival,
    arrivals,
    at_work,
    becomes,
    in_outbox,
    in_stream,
    leave,
    none_waits,
    open_context,
    with_settings,
)
from workers import outbox
from workers.once import tell
from workers.outbox import FALLBACK_S, FULL_PAUSE_S, LOCKED_PAUSE_S, PAGE_ROWS, Page, send_due, send_page
from workers.worker import Context

FIRST, SECOND, THIRD = 1, 2, 3

Submit = Callable[..., Awaitable[bool]]


@pytest.fixture
async def context(settings: Settings) -> AsyncIterator[Context]:
    """An empty outbox, and whatever else the loop needs."""
    async with open_context(settings) as opened:
        yield opened


async def send(context: Context, shut: dict[str, float] | None = None) -> float:
    async with context.pool.acquire() as connection:
        return await send_due(context, connection, {} if shut is None else shut)


async def page(context: Context, worker: str) -> Page:
    async with context.pool.acquire() as connection:
        return await send_page(context, connection, worker)


async def test_what_is_due_leaves_in_the_order_in_which_it_became_due(context: Context) -> None:
    ids = {order: await leave(context.pool, "g2a", after_s=-10.0 + order) for order in (THIRD, FIRST, SECOND)}
    async with context.pool.acquire() as connection:
        # By way of the index they would come in order unasked.
        await connection.execute("SET enable_indexscan = off; SET enable_bitmapscan = off")
        await send_due(context, connection, {})
    assert await in_stream(context, "g2a") == [ids[FIRST], ids[SECOND], ids[THIRD]]
    assert await in_outbox(context) == []


async def test_what_is_due_later_waits_and_the_next_look_is_when_it_is_due(context: Context) -> None:
    own = await leave(context.pool, "g2a", after_s=3.0)
    assert 2.0 < await send(context) <= 3.0
    assert (await in_stream(context, "g2a"), await in_outbox(context)) == ([], [own])
    await context.pool.execute("UPDATE outbox SET due_at = now() + interval '1 hour'")
    assert await send(context) == FALLBACK_S, "no look is left out for an hour"


async def test_several_at_once_send_everything_exactly_once_while_nothing_breaks(context: Context) -> None:
    wanted = 5 * PAGE_ROWS
    async with context.pool.acquire() as connection, connection.transaction():
        ids = [await leave(connection, "g2a") for _ in range(wanted)]
    async with at_work(*[partial(outbox.run, context)] * 3):
        await arrivals(context, "g2a", wanted)
        await becomes(lambda: none_waits(context), "nothing waits any more")
    assert sorted(await in_stream(context, "g2a")) == sorted(ids)


async def test_what_another_holds_is_passed_over_and_looked_at_again_soon(context: Context) -> None:
    locked = await leave(context.pool, "g2a", after_s=-2)
    async with context.pool.acquire() as other, other.transaction():
        await other.fetch(load_queries("outbox")["claim_due"], "g2a", 1)
        assert await send(context) == LOCKED_PAUSE_S
        free = await leave(context.pool, "g2a", after_s=-1)
        await send(context)
        assert await in_stream(context, "g2a") == [free]
    await send(context)
    assert await in_stream(context, "g2a") == [free, locked], "its holder gave it up"


async def test_a_full_stream_keeps_its_rows_waiting_and_nobody_elses(context: Context) -> None:
    narrow = with_settings(context, backlog_max=2)
    mine = [await leave(context.pool, "g2a", after_s=-60 + i) for i in range(4)]
    other = await leave(context.pool, "webhooks")
    shut: dict[str, float] = {}
    await send(narrow, shut)
    assert (await in_stream(context, "g2a"), await in_outbox(context)) == (mine[:2], mine[2:])
    assert await in_stream(context, "webhooks") == [other]
    assert 0 < await send(narrow, shut) <= FULL_PAUSE_S
    assert await in_outbox(context) == mine[2:]


async def test_a_stream_that_has_room_again_gets_what_waited_in_order(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "FULL_PAUSE_S", 0.05)
    mine = [await leave(context.pool, "g2a", after_s=-60 + i) for i in range(5)]
    taken: list[str] = []
    after = "0"
    async with at_work(partial(outbox.run, with_settings(context, backlog_max=2))):
        for _ in mine:
            after, command_id = await arrival(context, "g2a", after)
            taken.append(command_id)
            await cast(Any, context.redis).xdel(lua.commands_key("g2a"), after)
    assert taken == mine


async def test_a_worker_that_there_is_not_is_told_of_and_its_rows_are_left_alone(context: Context) -> None:
    strange = await leave(context.pool, "nobody", after_s=-7)
    known = await leave(context.pool, "g2a")
    await send(context)
    assert await in_outbox(context) == [strange]
    assert await in_stream(context, "g2a") == [known]
    assert await send(context) == FALLBACK_S, "nobody turns round and round for it"
    await outbox.tell_unknown(context)
    ((sentence, values),) = context.log.lines
    assert sentence == "commands wait for a worker that there is not"
    assert (values["worker"], values["due"], values["late_s"] >= 7) == ("nobody", 1, True)


async def test_a_broken_stream_is_told_of_and_holds_up_no_other(context: Context) -> None:
    await cast(Any, context.redis).set(lua.commands_key("g2a"), "no stream")
    stays = await leave(context.pool, "g2a", after_s=-9)
    goes = await leave(context.pool, "webhooks")
    shut: dict[str, float] = {}
    await send(context, shut)
    assert (await in_stream(context, "webhooks"), await in_outbox(context)) == ([goes], [stays])
    assert context.log.sentences()[0] == "a stream is broken"
    assert set(shut) == {"g2a"}


async def test_what_left_before_a_fault_is_not_sent_again(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = [await leave(context.pool, "g2a", after_s=-9 + i) for i in range(2)]
    real: Submit = lua.submit

    async def submit_once(*given: Any) -> bool:
        if await in_stream(context, "g2a"):
            raise ResponseError("nothing more")
        return await real(*given)

    monkeypatch.setattr(lua, "submit", submit_once)
    with pytest.raises(ResponseError):
        await page(context, "g2a")
    assert (await in_stream(context, "g2a"), await in_outbox(context)) == ([first], [second])


async def test_a_page_is_bounded(context: Context) -> None:
    async with context.pool.acquire() as connection, connection.transaction():
        for _ in range(PAGE_ROWS + 1):
            await leave(connection, "g2a")
    assert await page(context, "g2a") == Page(PAGE_ROWS, False)
    assert await page(context, "g2a") == Page(1, False)


async def test_a_command_that_is_left_anew_while_it_is_being_sent_is_not_lost(context: Context) -> None:
    own = await leave(context.pool, "g2a")
    async with context.pool.acquire() as sender:
        async with sender.transaction():
            await sender.fetch(load_queries("outbox")["claim_due"], "g2a", 1)
            # It is in the stream now; its handler is quicker than the commit, and wants it back later.
            again = asyncio.create_task(leave(context.pool, "g2a", 60.0, own))
            await becomes(lambda: waits_or_is_done(context, again), "it was left anew, or waits for the sender")
            await sender.execute(load_queries("outbox")["delete_sent"], [own])
        await again
    assert await in_outbox(context) == [own]


async def waits_or_is_done(context: Context, task: asyncio.Task[Any]) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%INTO outbox%'"
    return task.done() or bool(await context.pool.fetchval(waiting))


async def test_a_command_that_waits_already_keeps_its_time(context: Context) -> None:
    own = await leave(context.pool, "g2a", 60.0)
    await leave(context.pool, "g2a", 0.0, own)
    assert await send(context) == FALLBACK_S
    assert await in_outbox(context) == [own]


async def test_what_waits_is_counted_by_worker(context: Context) -> None:
    await leave(context.pool, "g2a", after_s=-30)
    await leave(context.pool, "g2a", after_s=-1)
    await leave(context.pool, "g2a", after_s=60)
    await leave(context.pool, "auth", after_s=60)
    auth, g2a = await outbox.read_waiting(context.pool)
    assert auth == ("auth", 0, 1, 0.0, 0)
    assert g2a[:3] == ("g2a", 2, 1)
    assert 30 <= g2a.late_s < 60


async def test_what_was_tried_before_and_waits_for_another_attempt_is_counted(context: Context) -> None:
    for attempt in (1, 2, 7):
        own = BusCommand(id=new_command_id(), kind="mail", attempt=attempt)
        async with context.pool.acquire() as connection:
            await tell(connection, "auth", own, after_s=60)
    assert await outbox.read_waiting(context.pool) == [("auth", 0, 3, 0.0, 2)]


async def test_what_waits_is_told_in_redis_for_the_workers_that_there_are(context: Context) -> None:
    for worker in ("g2a", "stranger"):
        await leave(context.pool, worker, after_s=60)
    await outbox.publish_waiting(context)
    told = msgspec.json.decode(await lua.read_deferred(context.redis) or b"")
    assert told == [{"worker": "g2a", "due": 0, "later": 1, "late_s": 0, "again": 0}]
    assert 0 < await cast(Any, context.redis).ttl("fluxgate:deferred") <= 60
