"""Sellers who speak HTTP: a gateway, the worker of Amazon and the reaper as processes, and Amazon's sandbox."""

import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from chaos.waiting import until
from contract.settings import Settings
from contract.transport import open_redis
from tests.support.desk import open_desk
from tests.support.http import Response
from tests.support.processes import running, running_gateway
from tests.support.sandbox import AmazonSandbox, running_amazon
from tests.support.servers import Servers
from tests.support.shoppers import Shopper, add_shopper
from workers.amazon import AMAZON
from workers.service import Desk

SYNCED_WITHIN_S = 60.0
AT = "/api/v1/integrations/amazon"


class Market(NamedTuple):
    """What runs, and a way to Postgres."""

    settings: Settings
    desk: Desk
    sandbox: AmazonSandbox

    async def seller(self) -> "HttpSeller":
        """Somebody who has logged in, and has connected nothing."""
        return HttpSeller(self, await add_shopper(self.settings, self.desk))


class HttpSeller(NamedTuple):
    """Somebody who has logged in at the gateway."""

    market: Market
    shopper: Shopper

    @property
    def user_id(self) -> str:
        """Who it is."""
        return self.shopper.user_id

    async def get(self, path: str, **query: Any) -> Response:
        """GET a route of the integration."""
        return await self.shopper.send("GET", f"{AT}{path}{'?' if query else ''}{urlencode(query)}")

    async def data(self, path: str, **query: Any) -> Any:
        """What a route of the integration tells, where all is well."""
        return well(await self.get(path, **query))

    async def disconnect(self) -> Response:
        """Leave."""
        return await self.shopper.send("POST", f"{AT}/disconnect")

    async def set_out(self) -> str:
        """Where the seller lets us in."""
        return (await self.data("/auth/start"))["authUrl"]

    async def consent(self, **more: str) -> dict[str, str]:
        """Let us in on Amazon's page; what it sends back along."""
        url = urlsplit(await self.set_out())
        target = f"{url.path}?{url.query}{'&' if more else ''}{urlencode(more)}"
        reply = await self.market.sandbox.ask("GET", target)
        assert reply.status == 302, reply
        back = urlsplit(reply.headers["location"])
        assert back.path == f"{AT}/auth/callback"
        return dict(parse_qsl(back.query))

    async def connect(self) -> Any:
        """The whole way."""
        return await self.data("/auth/callback", **await self.consent())

    async def sync(self) -> None:
        """A sync from its beginning to its end, which is a good one."""
        begun = await self.shopper.send("POST", f"{AT}/sync")
        assert begun.status == 200, begun

        async def is_done() -> bool:
            return not (await self.data("/status"))["syncInProgress"]

        await until(is_done, SYNCED_WITHIN_S)
        last = (await self.data("/status"))["lastSync"]
        assert last["status"] == "completed", last


def well(reply: Response) -> Any:
    """What a success tells; the form is checked."""
    assert reply.status == 200, reply
    assert reply.body.startswith(b'{"success":true,')
    assert reply.headers["cache-control"] == "no-store"
    document = reply.json()
    del document["success"]
    return document


def refusal(reply: Response, status: int) -> str:
    """The code of a refusal; the form is checked."""
    assert reply.status == status, reply
    document = reply.json()
    assert set(document) == {"success", "message", "error"}
    assert document["success"] is False
    assert len(document["message"]) >= 20
    return document["error"]


@contextlib.asynccontextmanager
async def open_market(servers: Servers, directory: Path, **more: Any) -> AsyncGenerator[Market]:
    """All of it, on the shared servers; the processes tell in their logs what they do."""
    settings = Settings(
        redis_url=servers.redis_url,
        postgres_url=servers.postgres_url,
        data_dir=directory,
        ask_timeout_s=20,
        log_level="debug",
    )
    redis = open_redis(settings)
    await redis.flushall()
    await redis.aclose()
    async with (
        running_amazon(msgspec.structs.replace(settings, **more)) as sandbox,
        running_gateway(sandbox.settings) as served,
        running(served, "worker", "amazon"),
        # It hands over what waits in the outbox, such as the steps of a sync.
        running(served, "reaper"),
        open_desk(served, AMAZON) as desk,
    ):
        yield Market(served, desk, sandbox)
