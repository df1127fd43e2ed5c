"""A worker of the command bus in the test's own process: real servers, the real step, one command at a time."""

import asyncio
import contextlib
from asyncio import Event
from collections.abc import AsyncIterator
from typing import Any

import msgspec

import lua
from contract.bus import BusCommand, BusReply, decode_reply, encode, new_command_id
from contract.settings import Settings
from contract.telemetry import get_logger
from contract.transport import Delivery, Stream, find_reply, open_redis, read_replies
from sql import load_queries, open_pool
from workers import bus
from workers.service import Desk, Service

CONNECTIONS = 32
BACKLOG_MAX = 10_000
NEVER_READ = "replies-of-a-test"


@contextlib.asynccontextmanager
async def open_desk(settings: Settings, service: Service) -> AsyncIterator[Desk]:
    """What the handlers of a service use, on the servers of these settings."""
    redis = open_redis(settings, connections=CONNECTIONS, block_s=1)
    pool = await open_pool(settings.postgres_at, name="test", connections=CONNECTIONS)
    tools = service.open_tools(settings) if service.open_tools else None
    try:
        yield Desk(settings, redis, pool, load_queries(service.name), get_logger(), tools)
    finally:
        if service.close_tools:
            service.close_tools(tools)
        await pool.close()
        await redis.aclose()


def command(kind: str, body: Any = None, **more: Any) -> BusCommand:
    """A command with a new id, which somebody waits for."""
    given = {"id": new_command_id(), "reply_to": lua.REPLIES_PREFIX + NEVER_READ} | more
    return BusCommand(kind=kind, body=msgspec.Raw(encode({} if body is None else body)), **given)


async def handled(desk: Desk, service: Service, kind: str, body: Any = None, **more: Any) -> BusReply:
    """Submit a command, let the bus handle it, and give the reply that is kept."""
    return await deliver(desk, service, command(kind, body, **more))


async def deliver(desk: Desk, service: Service, own: BusCommand, consumer: str = "test") -> BusReply:
    """Submit this very command and handle what waits; gives the reply that is kept, or status 202 while none is."""
    assert await lua.submit(desk.redis, service.name, msgspec.json.encode(own), BACKLOG_MAX)
    stream = Stream(desk.redis, lua.commands_key(service.name), service.name, consumer)
    for delivery in await read(desk, service, consumer=consumer):
        await bus.run_once(desk, service, stream, delivery, Event())
    kept = await find_reply(desk.redis, lua.reply_key(own.id))
    return decode_reply(kept) if kept else BusReply(own.id, 202)


@contextlib.asynccontextmanager
async def serving(desk: Desk, service: Service, count: int = 1) -> AsyncIterator[None]:
    """The loops of `count` workers of a service, inside the block; `asked` is answered by them."""
    stop = Event()
    async with asyncio.TaskGroup() as tasks:
        for number in range(count):
            stream = Stream(desk.redis, lua.commands_key(service.name), service.name, f"serving-{number}")
            tasks.create_task(bus.run(desk, service, stream, stop))
        try:
            yield
        finally:
            stop.set()


async def asked(desk: Desk, service: Service, own: BusCommand, within_s: float = 20.0) -> BusReply:
    """Submit a command and wait until a worker has replied to it."""
    replies = lua.REPLIES_PREFIX + own.id
    own = msgspec.structs.replace(own, reply_to=replies)
    assert await lua.submit(desk.redis, service.name, msgspec.json.encode(own), BACKLOG_MAX)
    async with asyncio.timeout(within_s):
        while True:
            for _, reply in await read_replies(desk.redis, replies, "0", 1):
                return decode_reply(reply)


async def read(desk: Desk, service: Service, count: int = 100, consumer: str = "test") -> list[Delivery]:
    """Take what waits for a service, and leave it pending."""
    stream = Stream(desk.redis, lua.commands_key(service.name), service.name, consumer)
    await stream.ensure_group()
    return await stream.read(count, 1)
