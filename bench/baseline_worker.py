"""The straightforward worker behind the straightforward gateway: reads entries, inserts rows, acknowledges, deletes.

It does what ours does for an order that nothing happens to: one row, acknowledged after its commit. It has no fences,
no conflicts, no cancellations, no dead letters and no books.
"""

import asyncio
import contextlib
import re
import signal
from pathlib import Path
from typing import Any, cast

import asyncpg
import msgspec
import uvloop
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from contract.settings import read_settings

OUTBOX, GROUP = "one:outbox", "one"
ENTRIES_AT_ONCE = 500
BLOCK_MS = 200
QUERIES = Path(__file__).with_name("baseline.sql").read_text(encoding="utf-8")


def query(name: str) -> str:
    """One named query of `baseline.sql`."""
    found = re.search(rf"^-- name: {name}\n(.*?)(?=^-- name: |\Z)", QUERIES, flags=re.M | re.S)
    if found is None:
        raise KeyError(name)
    return found[1]


async def work() -> None:
    """Drain the outbox until SIGTERM."""
    settings = read_settings()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    redis: Any = Redis.from_url(settings.redis_at, protocol=2)
    postgres: Any = await cast(Any, asyncpg).connect(settings.postgres_at)
    await postgres.execute(query("create_orders"))
    insert = query("insert_orders")
    while not stop.is_set():
        entries = await read(redis)
        if not entries:
            continue
        rows = [msgspec.msgpack.decode(fields[b"order"]) for _, fields in entries]
        columns = [[text(row[i]) for row in rows] for i in range(4)]
        await postgres.execute(insert, *columns)
        ids = [entry_id for entry_id, _ in entries]
        async with redis.pipeline(transaction=True) as pipe:
            pipe.xack(OUTBOX, GROUP, *ids).xdel(OUTBOX, *ids)
            await pipe.execute()
    await postgres.close()
    await redis.aclose()


async def read(redis: Any) -> list[Any]:
    """Entries that wait. Group and stream are made anew where they are missing: every run of the bench begins empty."""
    try:
        reply = await redis.xreadgroup(GROUP, "worker", {OUTBOX: ">"}, count=ENTRIES_AT_ONCE, block=BLOCK_MS)
    except ResponseError as error:
        if not str(error).startswith(("NOGROUP", "UNBLOCKED")):
            raise
        with contextlib.suppress(ResponseError):
            await redis.xgroup_create(OUTBOX, GROUP, id="0", mkstream=True)
        return []
    return reply[0][1] if reply else []


def text(value: str | bytes) -> str:
    """Text as Postgres takes it."""
    return value.decode() if isinstance(value, bytes) else value


if __name__ == "__main__":
    uvloop.run(work())
