"""Composition root of the asynchronous side: builds a context and runs one worker, or the reaper, until SIGTERM."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pkgutil import resolve_name
from typing import Any

import lua
from contract.bus import idle_services
from contract.settings import Settings
from contract.telemetry import configure_logging, get_logger
from contract.transport import Stream, open_redis
from sql import load_queries, open_pool
from workers import answers, bus, consumer, orders, outbox, reaper, scheduler
from workers.schedules import SCHEDULES
from workers.service import Desk, Service
from workers.worker import Context, Worker

SERVICES = {
    "auth": "workers.auth:AUTH",
    "migration": "workers.migration:MIGRATION",
    "orders": "workers.store_orders:STORE",
    "g2a": "workers.g2a:G2A",
    "amazon": "workers.amazon:AMAZON",
    "goated": "workers.goated:GOATED",
    "webhooks": "workers.webhooks:WEBHOOKS",
}
"""Every worker by its name on the command line, and where its Service stands. A process imports those that it runs:
what signs and hashes takes a third of a start, and the others have no use for it."""
ALL = "all"
LANES_WORKER = orders.ORDERS
"""The worker of the sale; it consumes the lanes beside the commands of its service."""

POSTGRES_CONNECTIONS_MAX = 8
"""Lanes that write at once; what one of them holds, the others do not wait for."""
REDIS_CONNECTIONS = 4
"""Beside two for each lane, one of which waits for entries."""
SERVICE_CONNECTIONS = 8
"""Of each kind, for one service: half of its commands wait for something else at any moment."""
REAPER_CONNECTIONS = 2 * len(SCHEDULES)
"""Of each kind: one for the work of each schedule, and one for its lease."""
BROKEN_PAUSE_S = 1.0
"""How long a lane that has failed is left alone: what is wrong with it, somebody has to mend."""
BLOCK_S = 1.0
"""The longest that a blocking read of ours waits by design."""


async def run_worker(names: Sequence[str], settings: Settings) -> None:
    """Run the workers of these names, keys of SERVICES, or `all`, until SIGTERM or SIGINT. Raises LanesDiffer."""
    name = " ".join(names)
    names = [own for own in SERVICES if own not in idle_services(settings)] if ALL in names else names
    # Unique for each process: two that share a name would take each other's entries without noticing.
    identity = f"{socket.gethostname()}-{os.getpid()}"
    connections = SERVICE_CONNECTIONS * len(names)
    opened = _context(name, LANES_WORKER.query_file, settings, connections)
    services = [load_service(own) for own in names]
    # Opened before anything runs, so that a setting with which a service cannot work is told at once, and alone.
    async with _opened_tools(services, settings) as tools, opened as (context, stop), asyncio.TaskGroup() as tasks:
        for service in services:
            serving = serve(context, service, tools[service.name], identity, stop)
            tasks.create_task(_or_all_stop(serving, stop))
        if LANES_WORKER.group in names:
            tasks.create_task(_or_all_stop(consume(context, LANES_WORKER, identity, stop), stop))


def load_service(name: str) -> Service:
    """The service of this name, a key of SERVICES."""
    return resolve_name(SERVICES[name])


@asynccontextmanager
async def _opened_tools(services: list[Service], settings: Settings) -> AsyncGenerator[dict[str, Any]]:
    """What each of the services makes for itself at its start, by its name. Raises SettingsError."""
    tools: dict[str, Any] = {}
    async with AsyncExitStack() as opened:
        for service in services:
            tools[service.name] = service.open_tools(settings) if service.open_tools else None
            if service.close_tools:
                opened.push_async_callback(service.close_tools, tools[service.name])
        yield tools


async def serve(context: Context, service: Service, tools: Any, identity: str, stop: asyncio.Event) -> None:
    """Handle the commands of one service until `stop` is set and those in hand are finished."""
    log = context.log.bind(worker=service.name)
    desk = Desk(context.settings, context.redis, context.pool, service.queries, log, tools)
    stream = Stream(context.redis, lua.commands_key(service.name), service.name, identity)
    await _keep_going(partial(bus.run, desk, service, stream, stop), log, stop)


async def consume(context: Context, worker: Worker, identity: str, stop: asyncio.Event) -> None:
    """Consume every lane, and answer questions, until `stop` is set and the batches in hand are finished."""

    async def consume_lane(own: Context) -> None:
        stream = Stream(own.redis, own.keys.outbox, worker.group, identity)
        await consumer.run(own, worker, stream, stop)

    async with asyncio.TaskGroup() as tasks:
        for keys in lua.every_lane(context.settings.lanes):
            own = context._replace(keys=keys, log=context.log.bind(lane=keys.lane))
            tasks.create_task(_keep_going(partial(consume_lane, own), own.log, stop))
        answering = partial(answers.run, context, worker.group, identity, stop)
        tasks.create_task(_keep_going(answering, context.log, stop))


async def _or_all_stop(work: Awaitable[None], stop: asyncio.Event) -> None:
    """Do `work`; when it ends, whyever, so does everything beside it. To be cancelled is not enough for that: the
    library of Redis may take it for an interruption."""
    try:
        await work
    finally:
        stop.set()


async def _keep_going(work: Callable[[], Awaitable[None]], log: Any, stop: asyncio.Event) -> None:
    """Do `work` until the stop. When it fails, that is told and it begins anew: it takes no other lane with it."""
    while not stop.is_set():
        try:
            await work()
        except Exception:
            log.exception("this work has failed, and is begun again", pause_s=BROKEN_PAUSE_S)
            await consumer.stopped_within(stop, BROKEN_PAUSE_S)


async def run_reaper(settings: Settings) -> None:
    """Run the reaper over all lanes, the outbox and the schedules until SIGTERM or SIGINT. Raises LanesDiffer."""
    async with _context("reaper", "reconcile", settings, REAPER_CONNECTIONS) as (context, stop):
        loops = (reaper.run, outbox.run, partial(scheduler.run, schedules=SCHEDULES))
        async with asyncio.TaskGroup() as tasks:
            for loop in loops:
                tasks.create_task(_keep_going(partial(loop, context, stop=stop), context.log, stop))


@asynccontextmanager
async def _context(
    name: str, query_file: str, settings: Settings, more_connections: int = 0
) -> AsyncGenerator[tuple[Context, asyncio.Event]]:
    configure_logging(name, settings.log_level)
    log = get_logger()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    redis_connections = 2 * settings.lanes + REDIS_CONNECTIONS + more_connections
    redis = open_redis(settings, connections=redis_connections, block_s=BLOCK_S)
    connections = min(settings.lanes + 1, POSTGRES_CONNECTIONS_MAX) + more_connections
    pool = await open_pool(settings.postgres_at, name=name, connections=connections)
    log.info("started")
    context = Context(settings, redis, pool, lua.LaneKeys(0, settings.lanes), load_queries(query_file), log)
    try:
        # Where nobody can agree before the stop, `stop` is set, and nothing will be done.
        await consumer.until_it_works(lambda: lua.agree_on_lanes(redis, settings.lanes), context, stop)
        yield context, stop
    finally:
        await pool.close()
        await redis.aclose()
        log.info("stopped")
