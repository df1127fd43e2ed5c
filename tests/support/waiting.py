"""The outbox and the schedules in the test's own process: real servers, and what they say in their log."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, cast

import msgspec

import lua
from contract.bus import FIELD, BusCommand, decode_command, new_command_id
from contract.settings import Settings
from contract.transport import open_redis
from sql import Connection, Pool, load_queries, open_pool
from workers.once import tell
from workers.worker import Context

CONNECTIONS = 24
"""Enough for several processes in one."""
ARRIVES_WITHIN_S = 60.0
"""What comes at all comes in a moment, but for a machine with much else to do."""
PROBE_S = 0.01


class Said:
    """A log that keeps what it was told: the sentence, and what belongs to it."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def bind(self, **_: Any) -> "Said":
        """The same log: what is bound to it is of no interest here."""
        return self

    def _keep(self, sentence: str, **values: Any) -> None:
        self.lines.append((sentence, values))

    debug = info = warning = error = exception = _keep

    def sentences(self) -> list[str]:
        """The sentences in order."""
        return [sentence for sentence, _ in self.lines]


@contextlib.asynccontextmanager
async def open_context(settings: Settings) -> AsyncGenerator[Context]:
    """A context with an empty outbox and no schedules."""
    redis = open_redis(settings, connections=CONNECTIONS, block_s=ARRIVES_WITHIN_S)
    pool = await open_pool(settings.postgres_at, name="test", connections=CONNECTIONS)
    try:
        await pool.execute("TRUNCATE outbox, schedules")
        yield Context(settings, redis, pool, lua.LaneKeys(0), load_queries("reconcile"), Said())
    finally:
        await pool.close()
        await redis.aclose()


async def leave(own: Pool | Connection, worker: str, after_s: float = 0.0, command_id: str = "") -> str:
    """Leave a command in the outbox, as a handler does; gives its id."""
    command = BusCommand(id=command_id or new_command_id(), kind="test")
    async with contextlib.AsyncExitStack() as stack:
        connection = await stack.enter_async_context(own.acquire()) if hasattr(own, "acquire") else own
        await tell(connection, worker, command, after_s=after_s)
    return command.id


async def in_outbox(context: Context) -> list[str]:
    """The ids of the commands that wait, by due time."""
    return [str(row["command_id"]) for row in await context.pool.fetch("SELECT * FROM outbox ORDER BY due_at")]


async def none_waits(context: Context) -> bool:
    """Whether the outbox is empty."""
    return not await context.pool.fetchval("SELECT EXISTS (SELECT FROM outbox)")


async def in_stream(context: Context, worker: str) -> list[str]:
    """The ids of the commands in the stream of a worker, in order."""
    entries = await cast(Any, context.redis).xrange(lua.commands_key(worker))
    return [decode_command(fields[FIELD.encode()]).id for _, fields in entries]


async def arrival(context: Context, worker: str, after: str = "0") -> tuple[str, str]:
    """Wait for the first entry behind `after` in the stream of a worker; gives its place and the command's id."""
    key = lua.commands_key(worker)
    reply = await cast(Any, context.redis).xread({key: after}, count=1, block=int(ARRIVES_WITHIN_S * 1000))
    assert reply, f"nothing came for {worker}"
    entry_id, fields = reply[0][1][0]
    return entry_id.decode(), decode_command(fields[FIELD.encode()]).id


async def arrivals(context: Context, worker: str, count: int) -> list[str]:
    """Wait for as many entries in the stream of a worker; gives the ids of their commands in order."""
    after, found = "0", list[str]()
    while len(found) < count:
        after, command_id = await arrival(context, worker, after)
        found.append(command_id)
    return found


@contextlib.asynccontextmanager
async def at_work(*works: Callable[[asyncio.Event], Awaitable[None]]) -> AsyncGenerator[asyncio.Event]:
    """Loops that run inside the block, each given the event that stops all of them."""
    stop = asyncio.Event()

    async def run(work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
        await work(stop)

    async with asyncio.TaskGroup() as tasks:
        for work in works:
            tasks.create_task(run(work))
        try:
            yield stop
        finally:
            stop.set()


async def becomes(true: Callable[[], Awaitable[object]], what: str) -> None:
    """Wait until something in a server is true, of which it tells nobody."""
    try:
        async with asyncio.timeout(ARRIVES_WITHIN_S):
            while not await true():
                await asyncio.sleep(PROBE_S)
    except TimeoutError:
        raise AssertionError(f"it did not come to pass that {what}") from None


def with_settings(context: Context, **changes: Any) -> Context:
    """The same context under other settings."""
    return context._replace(settings=msgspec.structs.replace(context.settings, **changes))
