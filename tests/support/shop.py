"""The whole shop for a module of tests: a gateway, its workers, and a way to Postgres."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

from contract.settings import Settings
from contract.transport import open_redis
from tests.support.browsers import Browser
from tests.support.desk import open_desk
from tests.support.processes import running, running_gateway
from tests.support.sandbox import NOBODY
from tests.support.servers import Servers
from tests.support.shoppers import Shopper, add_shopper
from tests.support.store import add_game
from workers.migration import MIGRATION
from workers.service import Desk


class Shop(NamedTuple):
    """A gateway with all workers, and a way to Postgres."""

    settings: Settings
    desk: Desk

    async def shopper(self, balance: str = "100.00", role: str = "USER") -> Shopper:
        """Somebody who has logged in, and has so much to spend."""
        return await add_shopper(self.settings, self.desk, balance, role)

    def guest(self) -> Browser:
        """A browser that comes for the first time."""
        return Browser(self.settings.port)

    async def game(self, **more: Any) -> str:
        """A game on sale."""
        return await add_game(self.desk, **more)


@contextlib.asynccontextmanager
async def open_shop(servers: Servers, directory: Path) -> AsyncIterator[Shop]:
    """A shop on the shared servers. A busy machine may take its time to answer."""
    settings = Settings(
        redis_url=servers.redis_url,
        postgres_url=servers.postgres_url,
        data_dir=directory,
        ask_timeout_s=20,
        g2a_url=NOBODY,
    )
    redis = open_redis(settings)
    await redis.flushall()
    await redis.aclose()
    async with (
        running_gateway(settings) as served,
        running(served, "worker", "all"),
        open_desk(served, MIGRATION) as desk,
    ):
        yield Shop(served, desk)
