"""Opens the client of Amazon that the settings ask for: one version of orders, and one of finances."""

from collections.abc import Mapping
from typing import Any, Protocol

from contract.settings import Settings, SettingsError
from contract.transport import open_redis
from workers.clients import (
    amazon_finances_2024,
    amazon_finances_v0,
    amazon_inventory,
    amazon_orders_2026,
    amazon_orders_v0,
)
from workers.clients.amazon import Account, Amazon, Claim, Grant, Order, Pace, Page, Part, Stock, Window
from workers.clients.amazon_line import BODY_MAX, Line, sign
from workers.clients.amazon_lwa import Keep, Tokens
from workers.clients.amazon_pace import Paces
from workers.clients.breaker import Breaker
from workers.clients.counting import Counting
from workers.clients.http import CONNECTIONS_MAX, Request, Upstream

NAME = "amazon"
LWA_NAME = "amazon_lwa"
"""What the requests to Amazon's API, and to Login with Amazon, are counted under."""
TOKENS_URL = "https://api.amazon.com/auth/o2/token"
"""Login with Amazon, the same in every region."""


class _Finances(Protocol):
    """A version of the finances."""

    OPERATION: str

    def request(self, account: Account, window: Window, token: str) -> Request: ...

    def read(self, data: Any) -> Page[Claim]: ...


class _Orders(Protocol):
    """A version of the orders."""

    OPERATION: str
    ITEMS_OPERATION: str

    def request(self, account: Account, window: Window, token: str) -> Request: ...

    def read(self, data: Any) -> Page[Order]: ...

    def items_request(self, order_id: str, token: str) -> Request: ...

    def read_items(self, data: Any) -> Page[dict[str, Any]]: ...


FINANCES: Mapping[str, _Finances] = {"v0": amazon_finances_v0, "2024-06-19": amazon_finances_2024}
ORDERS: Mapping[str, _Orders] = {"v0": amazon_orders_v0, "2026-01-01": amazon_orders_2026}


def open_amazon(settings: Settings, keep: Keep | None = None) -> Amazon:
    """A client of Amazon, with connections of its own to Redis, where the rates and the counts are.

    `keep` is told of an account that Amazon has given another refresh token. Raises SettingsError where the settings do
    not say where Amazon is, or what it knows us by.
    """
    _, client_id, client_secret = settings.amazon_client
    if not settings.amazon_at:
        raise SettingsError("FLUXGATE_AMAZON_URL must be set: there is no sandbox in production.")
    if not client_id or not client_secret:
        raise SettingsError(
            "FLUXGATE_AMAZON_CLIENT_ID and FLUXGATE_AMAZON_CLIENT_SECRET must be set: Amazon lets nobody else in."
        )
    redis = open_redis(settings, connections=CONNECTIONS_MAX)
    api = Upstream(
        settings.amazon_at,
        timeout_s=settings.amazon_timeout_s,
        sign=sign,
        count=Counting(redis, NAME),
        breaker=Breaker(),
        body_max=BODY_MAX,
    )
    lwa = Upstream(
        settings.amazon_lwa_at or TOKENS_URL,
        timeout_s=settings.amazon_timeout_s,
        sign=sign,
        count=Counting(redis, LWA_NAME),
        breaker=Breaker(),
    )
    tokens = Tokens(lwa, client_id, client_secret, keep)
    line = Line(api, tokens, Paces(redis), (client_secret,), redis.aclose)
    return _Client(line, FINANCES[settings.amazon_finances_api], ORDERS[settings.amazon_orders_api])


class _Client:
    """The client. Satisfies `Amazon`."""

    def __init__(self, line: Line, finances: _Finances, orders: _Orders) -> None:
        self._line = line
        self._finances = finances
        self._orders = orders

    async def list_claims(self, account: Account, window: Window, token: str) -> Page[Claim]:
        """A page of what was posted in a window."""
        request = self._finances.request(account, window, token)
        return await self._line.read(account, request, self._finances.read, is_next=bool(token))

    async def list_inventory(self, account: Account, token: str) -> Page[Stock]:
        """A page of the inventory."""
        request = amazon_inventory.request(account, token)
        return await self._line.read(account, request, amazon_inventory.read, is_next=bool(token))

    async def list_orders(self, account: Account, window: Window, token: str) -> Page[Order]:
        """A page of the orders that were updated in a window."""
        request = self._orders.request(account, window, token)
        return await self._line.read(account, request, self._orders.read, is_next=bool(token))

    async def list_items(self, account: Account, order_id: str, token: str) -> Page[dict[str, Any]]:
        """A page of the items of an order."""
        request = self._orders.items_request(order_id, token)
        return await self._line.read(account, request, self._orders.read_items, is_next=bool(token))

    async def pace(self, account: Account, part: Part) -> Pace:
        """How fast a part goes for an account. Raises the errors of Redis."""
        operations: dict[Part, str] = {
            "claims": self._finances.OPERATION,
            "inventory": amazon_inventory.OPERATION,
            "orders": self._orders.OPERATION,
            "items": self._orders.ITEMS_OPERATION,
        }
        return await self._line.paces.of(account.seller_id, operations[part])

    async def exchange(self, code: str, redirect_uri: str) -> Grant:
        """What a seller's consent is worth."""
        return await self._line.tokens.exchange(code, redirect_uri)

    async def close(self) -> None:
        """Close the connections."""
        await self._line.close()
