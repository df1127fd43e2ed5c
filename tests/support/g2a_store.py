"""A store that has its games from G2A: the sandbox, a database of its own, and the worker `g2a` by hand."""

import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from contract.settings import Settings
from contract.transport import open_redis
from tests.support.desk import command, open_desk
from tests.support.http_stage import own_database
from tests.support.sandbox import Sandbox, running_g2a
from tests.support.servers import Servers
from workers.g2a import G2A
from workers.g2a_sync import sync
from workers.service import Desk, Ending, More, Replied

PRODUCTS = 250
RATE = 10_000_000
"""Requests in a minute, so many that nobody waits for a turn."""
TABLES = "games, g2a_products, g2a_syncs, labels, users, handled_commands, outbox"


class Store(NamedTuple):
    """What stands there, and what a test does with it."""

    sandbox: Sandbox
    desk: Desk

    async def clear(self) -> None:
        """Nothing is known of G2A any more, and G2A is as it was at first."""
        await self.sandbox.reset()
        await self.desk.pool.execute(f"TRUNCATE {TABLES} CASCADE")
        await self.desk.redis.flushall()

    async def sync(self, **body: Any) -> Ending:
        """A whole sync, in as many steps as it takes; gives its end."""
        own = command("sync", body, role="ADMIN")
        while isinstance(ending := await sync(self.desk, own), More):
            pass
        return ending

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """What stands in Postgres."""
        return [dict(row) for row in await self.desk.pool.fetch(query, *values)]

    async def game(self, product_id: str) -> dict[str, Any]:
        """The game that sells a product."""
        (found,) = await self.rows("SELECT * FROM games WHERE g2a_product_id = $1", product_id)
        return found


@contextlib.asynccontextmanager
async def open_store(servers: Servers, directory: Path, **more: Any) -> AsyncGenerator[Store]:
    """A store inside the block, with nothing in it; `more` are settings."""
    given = {"g2a_sandbox_products": PRODUCTS, "g2a_rate_per_minute": RATE} | more
    async with own_database(servers.postgres_url) as postgres_url:
        settings = Settings(redis_url=servers.redis_url, postgres_url=postgres_url, data_dir=directory, **given)
        redis = open_redis(settings)
        await redis.flushall()
        await redis.aclose()
        async with running_g2a(settings) as sandbox, open_desk(sandbox.settings, G2A) as desk:
            yield Store(sandbox, desk)


def told(ending: Ending) -> dict[str, Any]:
    """What a sync replied that went well."""
    assert isinstance(ending, Replied), ending
    assert ending.problem is None, ending.problem
    return msgspec.json.decode(ending.data)


def counts(ending: Ending) -> tuple[int, ...]:
    """How many products were synced, added, updated and removed."""
    result = told(ending)
    return tuple(result[name] for name in ("synced", "added", "updated", "removed"))


async def offered(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """The catalogue as G2A tells it, past our client."""
    found: dict[str, dict[str, Any]] = {}
    page, pages = 1, 1
    while page <= pages:
        shown = (await sandbox.contract("GET", f"/products?page={page}&perPage=100")).json()
        found |= {product["id"]: product for product in shown["data"]}
        page, pages = page + 1, shown["meta"]["lastPage"]
    return found
