"""What the workers know of Amazon: claims, inventory, orders, and what can go wrong. `amazon_adapters.py` opens it.

Each resource of Amazon comes in pages, and some of them in two versions of an API; whatever the version, a page is the
same here. What Amazon does not tell is None: nothing is made up.
"""

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar

Row = TypeVar("Row")
Part = Literal["claims", "inventory", "orders", "items"]
"""What is read of an account. Each is one operation of Amazon, with a rate of its own."""


class Account(NamedTuple):
    """An account of a seller. Whoever has its refresh token acts for him."""

    user_id: str
    seller_id: str
    marketplace_id: str
    refresh_token: str

    def __repr__(self) -> str:
        """Without the token."""
        return f"Account(user_id={self.user_id!r}, seller_id={self.seller_id!r})"


class Grant(NamedTuple):
    """What a seller's consent was exchanged for."""

    refresh_token: str

    def __repr__(self) -> str:
        """Without the token."""
        return "Grant()"


class Window(NamedTuple):
    """A time, from and until, both in UTC."""

    after: datetime.datetime
    before: datetime.datetime


class Claim(NamedTuple):
    """Money that Amazon gave back or took back. `id` is Amazon's own, "" where it has none; `source` is the kind of
    event that it came as, and `reference` whatever else tells it from another."""

    id: str
    source: str
    reference: str
    type: str
    order_id: str | None
    amount: Decimal
    currency: str
    status: Literal["approved", "pending", "denied"]
    description: str | None
    posted_at: datetime.datetime | None


class Stock(NamedTuple):
    """What Amazon has of one SKU."""

    sku: str
    asin: str | None
    fnsku: str | None
    name: str | None
    available: int | None
    reserved: int | None
    inbound: int | None
    total: int | None
    condition: str | None


class Order(NamedTuple):
    """An order. `channel` is FBA or FBM; `items` are documents as our own answers have them, None where they were not
    told."""

    order_id: str
    purchased_at: datetime.datetime | None
    updated_at: datetime.datetime | None
    status: str | None
    channel: str | None
    marketplace_id: str | None
    total: Decimal | None
    currency: str | None
    items_shipped: int | None
    items_unshipped: int | None
    items: Sequence[dict[str, Any]] | None


class Page(NamedTuple, Generic[Row]):
    """A page. `bad` says of each entry that cannot be read why; `next_token` is "" on the last page."""

    rows: Sequence[Row]
    bad: Sequence[str]
    next_token: str


class Pace(NamedTuple):
    """How fast Amazon lets an operation go: so many at once, and then so many in a second. `operation` is its name."""

    rate_per_s: float
    burst: int
    operation: str = ""


Kind = Literal["waiting", "throttled", "away", "unreadable", "stale", "revoked", "denied", "refused"]


class AmazonFault(Exception):
    """Something that Amazon has not done. The message is for people, and holds no secret.

    waiting     our own rate has no turn now; one comes after `after_s`
    throttled   Amazon has answered 429; it says not for how long, so `after_s` is what its rate makes of it
    away        no answer, or a failure of Amazon's: it passes
    unreadable  an answer that says not what it should: it may pass
    stale       the token of the page is not good any more: the pass has to begin anew
    revoked     the seller has taken back what he had allowed, or never allowed it
    denied      the application may not do this, whoever the seller is
    refused     the request is wrong in Amazon's eyes: to repeat it changes nothing
    """

    def __init__(self, kind: Kind, message: str, after_s: float = 0.0) -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.message = message
        self.after_s = after_s

    @property
    def is_passing(self) -> bool:
        """Whether the same request may go well a while later."""
        return self.kind in ("waiting", "throttled", "away", "unreadable")


class Amazon(Protocol):
    """The client. Everything raises AmazonFault. `token` is that of the page, "" for the first."""

    async def list_claims(self, account: Account, window: Window, token: str) -> Page[Claim]:
        """A page of what was posted in a window, which is no longer than 180 days."""
        ...

    async def list_inventory(self, account: Account, token: str) -> Page[Stock]:
        """A page of the inventory. A token is good for half a minute."""
        ...

    async def list_orders(self, account: Account, window: Window, token: str) -> Page[Order]:
        """A page of the orders that were updated in a window."""
        ...

    async def list_items(self, account: Account, order_id: str, token: str) -> Page[dict[str, Any]]:
        """A page of the items of an order."""
        ...

    async def pace(self, account: Account, part: Part) -> Pace:
        """How fast a part goes for an account: what Amazon has said last, else what it says of everybody."""
        ...

    async def exchange(self, code: str, redirect_uri: str) -> Grant:
        """What a seller's consent is worth."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
