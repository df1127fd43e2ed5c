"""A worker in the test's own process: the real loop and the real servers, one step at a time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import lua
from contract.settings import Settings
from contract.telemetry import get_logger
from contract.transport import Delivery, Stream, open_redis
from sql import load_queries, open_pool
from workers import consumer
from workers.books import Books
from workers.orders import ORDERS
from workers.proof import prove
from workers.worker import Context, Worker

CONNECTIONS = 32
"""Enough for several workers that wait in several lanes."""


class Workshop:
    """The orders worker and the reconciliation, driven by hand."""

    def __init__(self, context: Context, proving: Context) -> None:
        self.context = context
        self.proving = proving
        self.stop = asyncio.Event()

    def stream(self, consumer_name: str = "test") -> Stream:
        """The outbox as one consumer sees it."""
        return Stream(self.context.redis, self.context.keys.outbox, ORDERS.group, consumer_name)

    async def read(self, consumer_name: str = "test") -> list[Delivery]:
        """Take what waits, as a worker would, and leave it pending."""
        stream = self.stream(consumer_name)
        await stream.ensure_group()
        return await stream.read(1000, 1)

    async def work(self, deliveries: list[Delivery] | None = None, worker: Worker = ORDERS) -> int:
        """Handle and settle what waits, or these deliveries; gives how many entries were settled."""
        if deliveries is None:
            deliveries = await self.read()
        return await consumer.run_once(self.context, worker, deliveries, self.stop) if deliveries else 0

    async def books(self) -> list[Books]:
        """The books of all sales."""
        return await prove(self.proving)

    async def rows(self) -> list[Any]:
        """All orders in Postgres."""
        async with self.context.pool.acquire() as connection:
            return await connection.fetch("SELECT *, state::text AS state FROM orders ORDER BY place_ms, place_seq")


@contextlib.asynccontextmanager
async def open_workshop(settings: Settings) -> AsyncIterator[Workshop]:
    """A workshop on the servers of these settings."""
    redis = open_redis(settings, connections=CONNECTIONS, block_s=1)
    pool = await open_pool(settings.postgres_at, name="test", connections=4)
    try:
        context = Context(settings, redis, pool, lua.LaneKeys(0, settings.lanes), load_queries("orders"), get_logger())
        yield Workshop(context, context._replace(queries=load_queries("reconcile")))
    finally:
        await pool.close()
        await redis.aclose()
