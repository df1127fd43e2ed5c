"""Sends commands that wait in Postgres for their time to the streams of their workers.

Consumes  the rows of `outbox` that are due, for every worker of the bus; wakes when one is told of, or becomes due
Calls     nothing
Writes    deletes what is on its way
Emits     each command to the stream of its worker; again, with the same id, where it died before its commit
Fails     by waiting: a row stays until its stream has taken it. Rows of a worker whose stream is full or broken wait,
          and hold up no other's; rows of a worker that this version does not know are left for one that does. Any
          number of processes share the work: what one of them has locked, the others pass over
"""

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from redis.exceptions import RedisError

import lua
from contract.bus import SERVICES
from sql import Connection, Pool, load_queries, open_connection
from workers.consumer import until_it_works
from workers.faults import is_transient
from workers.worker import Context

CHANNEL = "outbox"
"""What `leave_command` notifies."""
PAGE_ROWS = 100
"""Rows that one transaction locks, while it sends them: a tenth of a second, and no worker waits for another's more."""
FALLBACK_S = 5.0
"""The longest between two looks, should no notification have come."""
LOCKED_PAUSE_S = 0.05
"""Before the next look when all that is due is with another process: it sends a page in about that time."""
FULL_PAUSE_S = 1.0
"""How long a stream that takes nothing is left alone; its worker makes room for hundreds meanwhile."""

CLOSED_WITHIN_S = 2.0
"""How long a connection that was given up may take to say goodbye."""


class Waiting(NamedTuple):
    """The rows of one worker: how many are due, how many are due later, how late the oldest is, in seconds, and how
    many have been tried before and wait for another attempt."""

    worker: str
    due: int
    later: int
    late_s: float
    again: int


class Page(NamedTuple):
    """How many rows have left, and whether their stream took no more."""

    sent: int
    full: bool


async def run(context: Context, stop: asyncio.Event) -> None:
    """Send what is due until `stop` is set."""
    while not stop.is_set():
        await until_it_works(lambda: _serve(context, stop), context, stop)


async def read_waiting(pool: Pool) -> list[Waiting]:
    """What waits, by worker."""
    return [Waiting(*row) for row in await pool.fetch(load_queries("outbox")["read_waiting"])]


async def publish_waiting(context: Context) -> None:
    """Tell in Redis what waits for the workers that there are; the metrics have it from there."""
    rows = [row._asdict() for row in await read_waiting(context.pool) if row.worker in SERVICES]
    await lua.publish_deferred(context.redis, msgspec.json.encode(rows))


async def tell_unknown(context: Context) -> None:
    """Say in the log which commands wait for workers that there are not."""
    for waiting in await read_waiting(context.pool):
        if waiting.worker not in SERVICES:
            context.log.error("commands wait for a worker that there is not", **waiting._asdict())


async def _serve(context: Context, stop: asyncio.Event) -> None:
    """Send what is due until the stop, or until the connection is gone.

    One connection listens and claims, so a break shows at the next look, if not at once.
    """
    told = asyncio.Event()
    shut: dict[str, float] = {}

    def wake(*_: Any) -> None:
        told.set()

    async def look() -> float | None:
        if connection.is_closed():
            return None
        try:
            return await send_due(context, connection, shut)
        except TimeoutError:
            # What is cut off may look open for ever. A Postgres that is there is told to drop what it was asked for.
            await connection.close(timeout=CLOSED_WITHIN_S)
            raise

    # Not of the pool, which takes a broken connection back, and lets nobody ask what became of it.
    connection = await open_connection(context.settings.postgres_at, name="outbox")
    try:
        connection.add_termination_listener(wake)
        await connection.add_listener(CHANNEL, wake)
        while not stop.is_set():
            told.clear()
            pause_s = await until_it_works(look, context, stop)
            if pause_s is None:
                return
            await _any_within((told, stop), pause_s)
    finally:
        connection.terminate()


async def send_due(context: Context, connection: Connection, shut: dict[str, float]) -> float:
    """Send at most one page for each worker; gives the seconds until the next look.

    `shut` holds until when (time of the loop) a worker's stream is left alone, and is kept up to date here.
    """
    now = asyncio.get_running_loop().time()
    open_now = [worker for worker in SERVICES if shut.get(worker, 0.0) <= now]
    pauses = [FALLBACK_S, *(until - now for until in shut.values() if until > now)]
    for worker, due_in_s in await connection.fetch(load_queries("outbox")["read_next_due"], open_now):
        if due_in_s > 0:
            pauses.append(due_in_s)
            continue
        try:
            page = await send_page(context, connection, worker)
        except RedisError as error:
            if is_transient(error):
                raise
            context.log.error("a stream is broken", worker=worker, error=str(error))
            page = Page(0, True)
        if page.full:
            context.log.warning("a stream takes no more", worker=worker, sent=page.sent, pause_s=FULL_PAUSE_S)
            shut[worker] = now + FULL_PAUSE_S
        pauses.append(FULL_PAUSE_S if page.full else 0.0 if page.sent else LOCKED_PAUSE_S)
    return min(pauses)


async def send_page(context: Context, connection: Connection, worker: str) -> Page:
    """Send the rows of a worker that have been due for longest, at most PAGE_ROWS."""
    queries = load_queries("outbox")
    sent: list[Any] = []
    full = False
    fault: Exception | None = None
    async with connection.transaction():
        for command_id, command in await connection.fetch(queries["claim_due"], worker, PAGE_ROWS):
            try:
                full = not await lua.submit(context.redis, worker, command, context.settings.backlog_max)
            except Exception as error:
                # What left before it is deleted all the same: a page that fails time and again must not be sent so.
                fault = error
            if full or fault:
                break
            sent.append(command_id)
        await connection.execute(queries["delete_sent"], sent)
    if fault:
        raise fault
    return Page(len(sent), full)


async def _any_within(events: Iterable[asyncio.Event], seconds: float) -> None:
    """Wait for any of these events, at most `seconds`."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
