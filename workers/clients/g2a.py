"""G2A as the workers speak to it: what a product, an order and a fault are, whichever of its two APIs answers.

An adapter for each API makes these out of what it gets: `g2a_contract.py` for the contract of this project,
`g2a_export.py` for the export API of G2A itself. `G2A` is what both of them can do.
"""

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

Code = Literal[
    "G2A_AUTH_FAILED",
    "G2A_PRODUCT_NOT_FOUND",
    "G2A_OUT_OF_STOCK",
    "G2A_API_ERROR",
    "G2A_RATE_LIMIT",
    "G2A_TIMEOUT",
]
"""What can go wrong, as the contract names it."""
PATIENCE_S = 22.0
"""How long a call may take, repetitions included: longer than any one answer may, and shorter than a command may run
(30 s), so that the command still has time to write down what came of it."""
PAGE_SIZE = 100
"""Products of one page; the contract allows no more, and the export API gives 20 whatever is asked."""


class G2AFault(Exception):
    """G2A has refused, or has not answered.

    `status` is what HTTP said, 0 where nothing did. `is_passing` tells that the same request may succeed later,
    `after_s` when at the earliest, where G2A has said so. `is_unknown` tells of a request that changes something that
    nobody knows whether it was done: it must be asked for, and not repeated. `word` is the code that G2A itself gave.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        status: int = 0,
        is_passing: bool = False,
        after_s: float = 0.0,
        is_unknown: bool = False,
        word: str = "",
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.is_passing = is_passing
        self.after_s = after_s
        self.is_unknown = is_unknown
        self.word = word


class KeyGone(Exception):
    """The key of an order was downloaded before, and G2A gives it out once only."""


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """A product. Texts are empty and amounts None where G2A says nothing; money is in `currency`.

    `stock` is what can be bought now: nothing where G2A says that it is not for sale, whatever the quantity is.
    `details` is all else that G2A said about it, under its own names.
    """

    id: str
    name: str
    price: Decimal
    stock: int
    quantity: int
    is_for_sale: bool = True
    currency: str = "EUR"
    retail_price: Decimal | None = None
    slug: str = ""
    description: str = ""
    image: str = ""
    platform: str = ""
    region: str = ""
    developer: str = ""
    publisher: str = ""
    released_on: datetime.date | None = None
    updated_at: datetime.datetime | None = None
    categories: tuple[str, ...] = ()
    genres: tuple[str, ...] = ()
    details: dict[str, Any] = {}


class BadProduct(NamedTuple):
    """A product that cannot be read, and why; "" stands for an id that it does not have."""

    id: str
    reason: str


class Page(NamedTuple):
    """One page of the catalogue, of `pages` in all; what cannot be read does not keep the rest from being read."""

    number: int
    pages: int
    total: int
    products: Sequence[Product]
    bad: Sequence[BadProduct]


class Bought(NamedTuple):
    """An order at G2A. `keys` are there when it is completed, if G2A tells them at once; perhaps too few."""

    id: str
    status: Literal["pending", "completed", "failed"]
    keys: tuple[str, ...] = ()
    price: Decimal | None = None
    currency: str = "EUR"
    reason: str = ""

    def __repr__(self) -> str:
        """Without the keys: they are in no log and in no traceback."""
        return f"Bought(id={self.id!r}, status={self.status!r}, keys={len(self.keys)})"


class Wanted(NamedTuple):
    """Units to buy. `reference` is our own name for this purchase, a UUID that no other has; `upstream_id` the order
    that `reserve` has made for it, "" where there is none. No unit may cost more than `price_max`."""

    reference: str
    product_id: str
    quantity: int
    price_max: Decimal
    upstream_id: str = ""


class G2A(Protocol):
    """What both APIs can do. Every call raises G2AFault, and takes no longer than its patience, repetitions included.

    Reads are repeated; `reserve` and `pay` are not. `share` is the part of the rate that a call may use up, so that a
    sync leaves room for purchases.
    """

    units_max: int
    """Units of one order there."""

    async def list_products(self, page: int, *, since: datetime.datetime | None = None, share: float = 1.0) -> Page:
        """A page of the catalogue, from 1. `since` asks for what has changed, where the API can tell; else for all."""
        ...

    async def find_product(self, product_id: str, *, share: float = 1.0, patience_s: float = PATIENCE_S) -> Product:
        """One product."""
        ...

    async def take_turn(self) -> None:
        """Wait until the rate lets a request through that may be made once only. Raises G2AFault, G2A_RATE_LIMIT."""
        ...

    async def reserve(self, wanted: Wanted) -> str:
        """Have units kept for us that nobody has paid: the id of an order; "" where the API knows no such step."""
        ...

    async def pay(self, wanted: Wanted) -> Bought:
        """Buy. Not repeated here, and takes no turn of the rate: call `take_turn` before."""
        ...

    async def look_up(self, wanted: Wanted) -> Bought | None:
        """What has become of a purchase whose outcome is unknown; None when it was not made.

        What got no answer may still be on its way there: nothing found right after it proves nothing."""
        ...

    async def read_order(self, upstream_id: str) -> Bought:
        """What has become of an order; keys that can be downloaded once only are not in it."""
        ...

    async def download_keys(self, upstream_id: str) -> tuple[str, ...]:
        """The keys of an order that is completed. Raises KeyGone where they were downloaded before."""
        ...

    async def close(self) -> None:
        """Close what is open."""
        ...
