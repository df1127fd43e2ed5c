"""People with money who shop through HTTP, with an access token as the auth worker makes them."""

import json
from typing import Any, NamedTuple

from contract.access_tokens import make_access_token
from contract.auth_keys import private_keys
from contract.bus import new_command_id
from contract.settings import Settings
from tests.support.buyers import add_buyer
from tests.support.http import Response, request, send
from tests.support.store import new_id
from workers.service import Desk


class Shopper(NamedTuple):
    """Somebody who has logged in at the gateway of this port."""

    port: int
    user_id: str
    token: str

    async def send(self, method: str, path: str, document: Any = None, **headers: str) -> Response:
        """A request of theirs."""
        body = b"" if document is None else json.dumps(document).encode()
        known = {"Authorization": f"Bearer {self.token}", "Content_Type": "application/json"} | headers
        return await send(self.port, request(method, path, body, **known))

    async def order(self, items: dict[str, int], key: str = "", **more: Any) -> Response:
        """Order so many of each of these games."""
        told = [{"gameId": game, "quantity": quantity} for game, quantity in items.items()]
        return await self.send("POST", "/api/orders", {"items": told, **more}, Idempotency_Key=key or new_id("key"))


async def add_shopper(settings: Settings, desk: Desk, balance: str = "100.00", role: str = "USER") -> Shopper:
    """Somebody with a balance, who shops at the gateway of these settings."""
    user_id = await add_buyer(desk, balance)
    token = make_access_token(private_keys(settings), user_id, new_command_id(), role, settings.access_token_ttl_s)
    return Shopper(settings.port, user_id, token)
