"""Somebody who has logged in and may connect an account at Amazon, all through HTTP, as his browser does it."""

import contextlib
import secrets
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg

from contract.settings import Settings
from contract.transport import open_redis
from tests.support.desk import open_desk
from tests.support.http import Response, request, send
from tests.support.http_stage import own_database
from tests.support.processes import running, running_gateway
from tests.support.sandbox import AmazonSandbox, running_amazon
from tests.support.servers import Servers
from tests.support.shoppers import Shopper, add_shopper
from tests.support.streams import Event, streaming
from workers.service import Desk
from workers.store_orders import STORE

AMAZON = "/api/v1/integrations/amazon"
START = f"{AMAZON}/sync"
STATUS, HISTORY, CANCEL, EVENTS = "/api/sync/status", "/api/sync/history", "/api/sync/cancel", "/api/sync/events"
HELD_UP = {"getOrders": {"per_s": 0.001, "burst": 1}}
"""One page of orders, and the next in a quarter of an hour: a sync goes on for as long as a test needs."""


class Merchant(NamedTuple):
    """A user, and the seller that he is at Amazon."""

    shopper: Shopper
    sandbox: AmazonSandbox
    seller: str

    async def get(self, path: str, **headers: str) -> Response:
        """GET a path."""
        return await self.shopper.send("GET", path, **headers)

    async def post(self, path: str, document: Any = None, **headers: str) -> Response:
        """POST a document."""
        return await self.shopper.send("POST", path, document, **headers)

    async def connect(self) -> Response:
        """Let us in at Amazon; what he is answered when he is back."""
        begun = await self.get(f"{AMAZON}/auth/start")
        assert begun.status == 200, begun
        url: str = begun.json()["authUrl"]
        asked = dict(parse_qsl(urlsplit(url).query))
        await self.sandbox.control(seller=self.seller)
        back = await self.sandbox.consent(asked["redirect_uri"], state=asked["state"])
        return await self.get(f"{AMAZON}/auth/callback?{urlencode(back)}")

    async def start(self) -> Response:
        """Start a sync, with the body that the contract names."""
        return await self.post(f"{AMAZON}/sync", {})

    async def watch(self, sync_id: str) -> list[Event]:
        """What is told of a sync until its end."""
        known = {"Authorization": f"Bearer {self.shopper.token}"}
        async with streaming(self.shopper.port, f"/api/sync/events/{sync_id}", **known) as stream:
            return await stream.hear_all()

    async def sync(self) -> dict[str, Any]:
        """Start a sync and await its end; gives what is told of it then."""
        begun = await self.start()
        assert begun.status == 200, begun
        return (await self.watch(begun.json()["syncId"]))[-1].data


async def add_merchant(sandbox: AmazonSandbox, desk: Desk, port: int) -> Merchant:
    """Somebody new, who is a new seller at Amazon and has not connected it yet."""
    shopper = await add_shopper(sandbox.settings, desk, "0.01")
    return Merchant(shopper._replace(port=port), sandbox, f"A1{secrets.token_hex(6).upper()}")


class Served(NamedTuple):
    """A gateway of a store, its sandbox, and a way to its database."""

    sandbox: AmazonSandbox
    desk: Desk
    database: Any
    port: int

    async def merchant(self, *, connected: bool = True) -> Merchant:
        """Somebody new."""
        merchant = await add_merchant(self.sandbox, self.desk, self.port)
        if connected:
            answer = await merchant.connect()
            assert answer.status == 200, answer
        return merchant

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Response:
        """A request of nobody in particular."""
        return await send(self.port, request(method, path, body, **headers))


@contextlib.asynccontextmanager
async def open_served(servers: Servers, directory: Path) -> AsyncGenerator[Served]:
    """All of it, with a database of its own. A busy machine may take its time to answer."""
    async with own_database(servers.postgres_url) as postgres_url, contextlib.AsyncExitStack() as stack:
        settings = Settings(
            redis_url=servers.redis_url, postgres_url=postgres_url, data_dir=directory, ask_timeout_s=20
        )
        redis = open_redis(settings)
        await redis.flushall()
        await redis.aclose()
        sandbox = await stack.enter_async_context(running_amazon(settings))
        await stack.enter_async_context(running(sandbox.settings, "reaper"))
        await stack.enter_async_context(running(sandbox.settings, "worker", "amazon"))
        gateway = await stack.enter_async_context(running_gateway(sandbox.settings))
        desk = await stack.enter_async_context(open_desk(gateway, STORE))
        database: Any = await cast(Any, asyncpg).connect(postgres_url)
        stack.push_async_callback(database.close)
        yield Served(sandbox, desk, database, gateway.port)
