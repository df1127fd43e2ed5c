"""Somebody who has logged in and may connect an account at Amazon, all through HTTP, as his browser does it."""

import secrets
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.support.http import Response
from tests.support.sandbox import AmazonSandbox
from tests.support.shoppers import Shopper, add_shopper
from tests.support.streams import Event, streaming
from workers.service import Desk

AMAZON = "/api/v1/integrations/amazon"


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
