"""Runs what a command changes exactly once, however often the command is delivered."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

import msgspec

from contract.bus import BusCommand, BusReply, decode_reply, encode
from sql import Connection, load_queries
from workers.service import Desk, Replied

Work = Callable[[Connection], Awaitable[Replied]]


async def once(desk: Desk, command: BusCommand, work: Work) -> Replied:
    """Run `work` in one transaction, and keep what it replied; a command that was handled gets its reply again.

    Whatever `work` raises rolls everything back, so that the command may be tried anew. A second delivery at the same
    moment waits for the first.
    """
    queries = load_queries("bus")
    own = UUID(command.id)
    async with desk.pool.acquire() as connection, connection.transaction():
        if not await connection.fetchval(queries["begin_command"], own):
            return _kept(await connection.fetchrow(queries["find_reply"], own))
        done = await work(connection)
        reply = BusReply(command.id, done.status, done.data, done.problem)
        await connection.execute(queries["keep_reply"], own, encode(reply), list(done.stale))
        return done


async def already_done(desk: Desk, command: BusCommand) -> Replied | None:
    """What a command replied that was handled before; None where it was not."""
    row = await desk.pool.fetchrow(load_queries("bus")["find_reply"], UUID(command.id))
    return _kept(row) if row else None


def _kept(row: Mapping[str, Any]) -> Replied:
    reply = decode_reply(row["reply"])
    return Replied(reply.status, reply.data, reply.problem, tuple(row["stale"]))


async def tell(connection: Connection, worker: str, command: BusCommand, *, after_s: float = 0.0) -> None:
    """Leave a command for another worker in the outbox, as part of the transaction of `connection`."""
    own = (UUID(command.id), worker, msgspec.json.encode(command), after_s)
    await connection.execute(load_queries("bus")["leave_command"], *own)
