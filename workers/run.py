"""Composition root of the asynchronous side: builds a context and runs one worker, or the reaper, until SIGTERM."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import lua
from contract.settings import Settings
from contract.telemetry import configure_logging, get_logger
from contract.transport import Stream, open_redis
from sql import load_queries, open_pool
from workers import answers, consumer, orders, reaper
from workers.worker import Context, Worker

WORKERS: dict[str, Worker] = {orders.ORDERS.group: orders.ORDERS}
"""Every worker by its name on the command line."""

POSTGRES_CONNECTIONS = 2
REDIS_CONNECTIONS = 6
BLOCK_S = 1.0
"""The longest that a blocking read of ours waits by design."""


async def run_worker(name: str, settings: Settings) -> None:
    """Run the worker of this name, a key of WORKERS, until SIGTERM or SIGINT."""
    worker = WORKERS[name]
    async with _context(name, worker.query_file, settings) as (context, stop):
        # Unique for each process: two that share a name would take each other's entries without noticing.
        identity = f"{socket.gethostname()}-{os.getpid()}"
        stream = Stream(context.redis, context.keys.outbox, worker.group, identity)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(consumer.run(context, worker, stream, stop))
            tasks.create_task(answers.run(context, worker.group, identity, stop))


async def run_reaper(settings: Settings) -> None:
    """Run the reaper until SIGTERM or SIGINT."""
    async with _context("reaper", "reconcile", settings) as (context, stop):
        await reaper.run(context, stop)


@asynccontextmanager
async def _context(name: str, query_file: str, settings: Settings) -> AsyncGenerator[tuple[Context, asyncio.Event]]:
    configure_logging(name, settings.log_level)
    log = get_logger()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    redis = open_redis(settings, connections=REDIS_CONNECTIONS, block_s=BLOCK_S)
    pool = await open_pool(settings.postgres_at, name=name, connections=POSTGRES_CONNECTIONS)
    log.info("started")
    try:
        yield Context(settings, redis, pool, lua.LaneKeys(0), load_queries(query_file), log), stop
    finally:
        await pool.close()
        await redis.aclose()
        log.info("stopped")
