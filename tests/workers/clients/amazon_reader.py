"""Reads Amazon's sandbox as a sync does, and what its journal says about it."""

import datetime
from typing import Any

from tests.support.sandbox import AmazonSandbox
from workers.clients.amazon import Account, Amazon, Page, Window

V0 = {"amazon_orders_api": "v0", "amazon_finances_api": "v0"}
NEW = {"amazon_orders_api": "2026-01-01", "amazon_finances_api": "2024-06-19"}
PAGES_MAX = 50


def window(days: float = 179.9) -> Window:
    until = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=122)
    return Window(until - datetime.timedelta(days=days), until)


class Reader:
    """Reads a part from its first page to its last."""

    def __init__(self, amazon: Amazon, account: Account, asked: Window | None = None) -> None:
        self.amazon, self.account, self.window = amazon, account, asked or window()

    async def page(self, part: str, token: str = "", order_id: str = "") -> Page[Any]:
        match part:
            case "claims":
                return await self.amazon.list_claims(self.account, self.window, token)
            case "inventory":
                return await self.amazon.list_inventory(self.account, token)
            case "orders":
                return await self.amazon.list_orders(self.account, self.window, token)
            case _:
                return await self.amazon.list_items(self.account, order_id, token)

    async def everything(self, part: str, order_id: str = "") -> tuple[list[Any], int]:
        """The rows, and how many pages they were on. A turn that is not there yet is waited for."""
        rows: list[Any] = []
        token = ""
        for number in range(1, PAGES_MAX):
            page = await self.page(part, token, order_id)
            assert page.bad == []
            rows += page.rows
            token = page.next_token
            if not token:
                return rows, number
        raise AssertionError("there is no end to it")


async def asked(sandbox: AmazonSandbox, route: str) -> list[dict[str, Any]]:
    """The requests of a route, the oldest first."""
    method, path = route.split(" ")
    return [one for one in (await sandbox.journal())["requests"] if (one["method"], one["path"]) == (method, path)]


async def logins(sandbox: AmazonSandbox) -> int:
    """How often a refresh token was exchanged."""
    return sum(one["grant_type"] == "refresh_token" for one in await asked(sandbox, "POST /auth/o2/token"))
