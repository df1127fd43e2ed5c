"""A Valkey and a Postgres of a test's own that keep what they confirm, and that a test may kill and start again."""

import contextlib
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from bench.ports import free_port
from contract.settings import Settings
from fluxgate import postgres, valkey
from fluxgate.process import bring_up, kill, stop
from fluxgate.server import Server
from sql import apply_schema

STOP_WITHIN_S = 5.0


class Killable:
    """One server; `directory` holds its data and its log."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.url = server.url
        self.directory = directory
        self._child = server.child
        self._process: Process | None = None

    async def start(self) -> None:
        """Start it on the data that it has, and wait until it answers."""
        self._process = await bring_up(self._child, self.directory / "log")

    async def kill(self) -> None:
        """End it as a loss of its process would."""
        assert self._process is not None
        await kill(self._process)
        self._process = None

    async def stop(self) -> None:
        """End it as an operator would, where it runs."""
        if self._process is not None:
            await stop(self._child, self._process, STOP_WITHIN_S)
            self._process = None


class Durable:
    """Both servers, and the settings for whoever works with them."""

    def __init__(self, redis: Killable, postgres: Killable, settings: Settings) -> None:
        self.redis = redis
        self.postgres = postgres
        self.settings = settings


@contextlib.asynccontextmanager
async def durable_servers(directory: Path, **more: Any) -> AsyncGenerator[Durable]:
    """Both servers inside the block, with the schema; `more` are settings."""
    for name in ("valkey", "postgres"):
        (directory / name).mkdir(mode=0o700)
    redis = Killable(valkey.prepare(directory / "valkey", free_port()), directory / "valkey")
    database = Killable(await postgres.prepare(directory / "postgres", free_port()), directory / "postgres")
    try:
        await redis.start()
        await database.start()
        await apply_schema(database.url)
        settings = Settings(redis_url=redis.url, postgres_url=database.url, data_dir=directory, **more)
        yield Durable(redis, database, settings)
    finally:
        await redis.stop()
        await database.stop()
