"""Sellers whose accounts are synced: Amazon's sandbox, a database of its own, and the worker `amazon` by hand."""

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from contract.bus import BusCommand, decode_command
from contract.settings import Settings
from contract.transport import open_redis
from tests.support.desk import command, open_desk
from tests.support.http_stage import own_database
from tests.support.sandbox import AmazonSandbox, running_amazon
from tests.support.servers import Servers
from workers.amazon import AMAZON, close_tools, open_tools
from workers.amazon_runs import run_sync
from workers.amazon_sync import cancel_sync, start_sync, sync_history, sync_status
from workers.service import Desk, Ending, Handler, More, Refuse, Replied
from workers.vault import place_of_token

ADD_USER = """
    INSERT INTO users (id, email, password_hash, nickname) VALUES ($1, $1 || '@shop.example', 'none', $1)
    ON CONFLICT DO NOTHING
"""
CONNECT = """
    INSERT INTO amazon_accounts (user_id, status, seller_id, marketplace_id, sealed_token)
    VALUES ($1, 'connected', $2, $3, $4)
"""
TABLES = (
    "users, amazon_accounts, sync_progress, amazon_claims, amazon_inventory, amazon_orders, outbox, handled_commands"
)
SELLER = "A1SANDBOXSELLER"
Spoil = Callable[..., Awaitable[None]]
DELIVERIES_MAX = 2_000
"""Of the command of one sync; a sync that needs more does not end."""


class Spoilt:
    """A client of Amazon. Before each page `spoil` is told of the part and of what is asked; it may raise, or wait."""

    def __init__(self, amazon: Any, spoil: Spoil) -> None:
        self._amazon = amazon
        self._spoil = spoil

    def __getattr__(self, name: str) -> Any:
        own = getattr(self._amazon, name)
        if not name.startswith("list_"):
            return own

        async def spoilt(*args: Any) -> Any:
            await self._spoil(name.removeprefix("list_"), *args[1:])
            return await own(*args)

        return spoilt


class Shop(NamedTuple):
    """What stands there, and what a test does with it."""

    sandbox: AmazonSandbox
    desk: Desk

    async def clear(self) -> None:
        """Nobody has an account, and Amazon is as it was at first, but for rates that nobody waits for long for."""
        await self.sandbox.reset()
        await self.sandbox.control(rate_scale=400.0)
        await self.desk.pool.execute(f"TRUNCATE {TABLES} CASCADE")
        await self.desk.redis.flushall()

    def spoilt(self, spoil: Spoil) -> "Shop":
        """The same shop, whose worker reaches Amazon by way of `spoil`."""
        tools = self.desk.tools
        return self._replace(desk=self.desk._replace(tools=tools._replace(amazon=Spoilt(tools.amazon, spoil))))

    @contextlib.asynccontextmanager
    async def speaking(self, **change: Any) -> AsyncGenerator["Shop"]:
        """The same shop inside the block, whose worker has other settings."""
        settings = msgspec.structs.replace(self.desk.settings, **change)
        tools = open_tools(settings)
        try:
            yield self._replace(desk=self.desk._replace(settings=settings, tools=tools))
        finally:
            await close_tools(tools)

    async def connect(self, user_id: str = "ann", seller_id: str = SELLER) -> str:
        """Somebody who has connected his account."""
        token = await self.sandbox.refresh_token(seller_id)
        sealed = self.desk.tools.vault.seal(token, place_of_token(user_id))
        await self.desk.pool.execute(ADD_USER, user_id)
        await self.desk.pool.execute(CONNECT, user_id, seller_id, self.desk.settings.amazon_marketplace, sealed)
        return user_id

    async def ask(self, handler: Handler, user_id: str = "ann", **body: Any) -> tuple[int, Any]:
        """What a command replies: its status, and the data, or the code of the refusal."""
        try:
            ending = await handler(self.desk, command("any", body, user_id=user_id))
        except Refuse as refused:
            return refused.status, refused.problem.code
        assert isinstance(ending, Replied), ending
        assert ending.problem is None, ending.problem
        return ending.status, msgspec.json.decode(ending.data)

    async def start(self, user_id: str = "ann") -> str:
        """Begin a sync; gives what it is called."""
        status, data = await self.ask(start_sync, user_id)
        assert status == 200, data
        return data["syncId"]

    async def told(self, user_id: str = "ann", sync_id: str = "") -> dict[str, Any]:
        """The document of a sync, or of the newest."""
        status, data = await self.ask(sync_status, user_id, sync_id=sync_id)
        assert status == 200, data
        return data if sync_id else data["lastSync"]

    async def history(self, user_id: str = "ann", **page: int) -> Any:
        """A page of the syncs of somebody."""
        return (await self.ask(sync_history, user_id, **page))[1]

    async def cancel(self, sync_id: str, user_id: str = "ann") -> tuple[int, Any]:
        """Cancel a sync."""
        return await self.ask(cancel_sync, user_id, sync_id=sync_id)

    async def work(self, user_id: str = "ann") -> BusCommand:
        """The command that does the sync that somebody has begun last."""
        query = "SELECT command FROM outbox JOIN sync_progress ON id = command_id WHERE user_id = $1"
        return decode_command(await self.desk.pool.fetchval(query + " ORDER BY created_at DESC LIMIT 1", user_id))

    async def step(self, user_id: str = "ann") -> Ending:
        """Deliver the command of the sync that somebody has begun last, once."""
        return await run_sync(self.desk, await self.work(user_id))

    async def run(self, user_id: str = "ann") -> list[More]:
        """Deliver it until the sync has ended, without waiting in between; gives the pauses that it asked for."""
        pauses: list[More] = []
        while isinstance(ending := await self.step(user_id), More):
            pauses.append(ending)
            assert len(pauses) < DELIVERIES_MAX, await self.told(user_id)
        return pauses

    async def run_until_it_waits(self, user_id: str = "ann") -> Ending:
        """Deliver it until the sync has ended or asks for a pause; gives the ending of the last delivery."""
        while (ending := await self.step(user_id)) == More():
            pass
        return ending

    async def sync(self, user_id: str = "ann") -> dict[str, Any]:
        """A whole sync; gives its document."""
        sync_id = await self.start(user_id)
        await self.run(user_id)
        return await self.told(user_id, sync_id)

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """What stands in Postgres."""
        return [dict(row) for row in await self.desk.pool.fetch(query, *values)]

    async def asked(self, path: str) -> list[dict[str, Any]]:
        """What the sandbox was asked under paths that begin so, the oldest first."""
        return [one for one in (await self.sandbox.journal())["requests"] if one["path"].startswith(path)]


@contextlib.asynccontextmanager
async def open_shop(servers: Servers, directory: Path, **more: Any) -> AsyncGenerator[Shop]:
    """A shop inside the block, with nothing in it; `more` are settings."""
    async with own_database(servers.postgres_url) as postgres_url:
        settings = Settings(redis_url=servers.redis_url, postgres_url=postgres_url, data_dir=directory, **more)
        redis = open_redis(settings)
        await redis.flushall()
        await redis.aclose()
        async with running_amazon(settings) as sandbox, open_desk(sandbox.settings, AMAZON) as desk:
            yield Shop(sandbox, desk)
