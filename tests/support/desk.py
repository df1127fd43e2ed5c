"""A worker of the command bus in the test's own process: real servers, the real step, one command at a time."""

import asyncio
import contextlib
import time
from asyncio import Event
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

import lua
from contract.bus import BusCommand, BusReply, decode_reply, encode, new_command_id
from contract.settings import Settings
from contract.telemetry import get_logger
from contract.transport import Delivery, Stream, find_reply, open_redis
from gateway.replies import Replies
from sql import open_pool
from workers import bus
from workers.service import Desk, Service

CONNECTIONS = 32
BACKLOG_MAX = 10_000
WITHIN_S = 20.0
ASKED_FOR_S = 60.0
NEVER_READ = "replies-of-a-test"


@contextlib.asynccontextmanager
async def open_desk(settings: Settings, service: Service) -> AsyncIterator[Desk]:
    """What the handlers of a service use, on the servers of these settings."""
    redis = open_redis(settings, connections=CONNECTIONS, block_s=1)
    pool = await open_pool(settings.postgres_at, name="test", connections=CONNECTIONS)
    tools = service.open_tools(settings) if service.open_tools else None
    try:
        yield Desk(settings, redis, pool, service.queries, get_logger(), tools)
    finally:
        if service.close_tools:
            await service.close_tools(tools)
        await pool.close()
        await redis.aclose()


def command(kind: str, body: Any = None, **more: Any) -> BusCommand:
    """A command with a new id, which somebody waits for."""
    asked = {"reply_to": lua.REPLIES_PREFIX + NEVER_READ, "deadline_ms": int((time.time() + ASKED_FOR_S) * 1000)}
    given = {"id": new_command_id()} | asked | more
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


Ask = Callable[[BusCommand], Awaitable[BusReply]]


@contextlib.asynccontextmanager
async def serving(desk: Desk, service: Service, count: int = 1) -> AsyncIterator[Ask]:
    """The loops of `count` workers of a service inside the block; gives a function that asks them as a gateway does."""
    stop = Event()
    replies = Replies(open_redis(desk.settings, connections=8), desk.redis, BACKLOG_MAX)

    async def ask(own: BusCommand) -> BusReply:
        reply = await replies.ask(service.name, own, WITHIN_S)
        assert reply, f"{own.kind} was not answered within {WITHIN_S} s"
        return reply

    async with asyncio.TaskGroup() as tasks:
        for number in range(count):
            stream = Stream(desk.redis, lua.commands_key(service.name), service.name, f"serving-{number}")
            tasks.create_task(bus.run(desk, service, stream, stop))
        try:
            yield ask
        finally:
            stop.set()
            await replies.close()


async def read(desk: Desk, service: Service, count: int = 100, consumer: str = "test") -> list[Delivery]:
    """Take what waits for a service, and leave it pending."""
    stream = Stream(desk.redis, lua.commands_key(service.name), service.name, consumer)
    await stream.ensure_group()
    return await stream.read(count, 1)
