"""Real servers for the tests: one Valkey and one Postgres for a whole run, on free ports, in a directory of its own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import lua
from bench.ports import free_port
from contract.settings import Settings
from contract.transport import open_redis
from fluxgate import embedded
from sql import apply_schema


class Servers(NamedTuple):
    """The URLs of the servers."""

    redis_url: str
    postgres_url: str


@contextlib.contextmanager
def running_servers(directory: Path) -> Iterator[Servers]:
    """Start both servers, apply the schema, stop them at the end.

    They are not durable: what is tested here is behaviour; the tests that kill servers start durable ones of their own.
    """
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()

        async def start() -> Servers:
            redis_url = await stack.enter_async_context(
                embedded.valkey(directory / "valkey", free_port(), durable=False)
            )
            postgres = embedded.postgres(directory / "postgres", free_port(), durable=False)
            postgres_url = await stack.enter_async_context(postgres)
            await apply_schema(postgres_url)
            return Servers(redis_url, postgres_url)

        servers = runner.run(start())
        try:
            yield servers
        finally:
            runner.run(stack.aclose())


async def empty_redis(redis_url: str) -> None:
    """Have nothing in a Valkey."""
    async with emptied_redis(redis_url):
        pass


@contextlib.asynccontextmanager
async def emptied_redis(redis_url: str) -> AsyncIterator[lua.Client]:
    """A client of a Valkey that is emptied first, for tests that touch no Postgres."""
    client = open_redis(Settings(redis_url=redis_url))
    await client.flushall()
    try:
        yield client
    finally:
        await client.aclose()
