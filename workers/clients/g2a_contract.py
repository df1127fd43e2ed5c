"""G2A as the contract of this project has it: four headers, pages of a hundred, and keys in the answer to an order.

Three things are added to the contract, because nothing could be certain without them: an order takes a `reference` of
ours, `GET /orders?reference=` finds what became of it, and `GET /orders/{id}` tells the order again.
"""

import datetime
import time
from collections.abc import Callable
from hashlib import sha256
from math import ceil
from typing import Any, cast
from urllib.parse import quote

from workers.clients.g2a import PAGE_SIZE, PATIENCE_S, Bought, G2AFault, Page, Product, Wanted
from workers.clients.g2a_line import STATUSES, Line, Moving, amount, document, listed, order_id, whole, without_keys
from workers.clients.g2a_products import only_product, parse_products
from workers.clients.http import Request

UNITS_MAX = 100
"""Units of one order. The contract names no limit; more keys at once nobody buys here."""
PAGES_MAX = 50_000
"""Pages of a catalogue: five million products. One that says it has more does not end."""


def signing(api_hash: str, api_key: str, clock: Callable[[], float] = time.time) -> Callable[[], dict[str, str]]:
    """Makes the headers of a request: who we are, when it is, and the proof that we have the key."""

    def sign() -> dict[str, str]:
        timestamp = str(int(clock()))
        proof = sha256(f"{api_hash}{api_key}{timestamp}".encode()).hexdigest()
        return {
            "X-API-HASH": api_hash,
            "X-API-KEY": api_key,
            "X-G2A-Timestamp": timestamp,
            "X-G2A-Hash": proof,
        }

    return sign


class ContractG2A:
    """The contract of this project. Satisfies `G2A`."""

    units_max = UNITS_MAX

    def __init__(self, line: Line) -> None:
        self._line = line

    async def list_products(self, page: int, *, since: datetime.datetime | None = None, share: float = 1.0) -> Page:
        """A page of the catalogue; the contract cannot tell what has changed since when."""
        request = Request("list_products", "GET", "/products", {"page": str(page), "perPage": str(PAGE_SIZE)})
        return await self._line.read(request, lambda data: _page(page, data), share)

    async def find_product(self, product_id: str, *, share: float = 1.0, patience_s: float = PATIENCE_S) -> Product:
        """One product."""
        request = Request("find_product", "GET", f"/products/{quote(product_id, safe='')}")
        return await self._line.read(request, lambda data: only_product(product_id, data), share, patience_s)

    async def take_turn(self) -> None:
        """Wait for a turn of the rate."""
        await self._line.take_turn()

    async def reserve(self, wanted: Wanted) -> str:
        """Keeps nothing, for the contract knows no such step; but an order names no highest price there, so that the
        price is looked at here, before anything is bought."""
        product = await self.find_product(wanted.product_id)
        if product.price > wanted.price_max or not product.stock:
            why = "costs more than it may" if product.stock else "cannot be bought now"
            raise G2AFault("G2A_OUT_OF_STOCK", f"The product {why}.")
        return ""

    async def pay(self, wanted: Wanted) -> Bought:
        """Buy, once."""
        body = {"productId": wanted.product_id, "quantity": wanted.quantity, "reference": wanted.reference}
        return await self._line.change(Request("pay", "POST", "/orders", body=body), _bought)

    async def look_up(self, wanted: Wanted) -> Bought | None:
        """The order of this reference; of several the one that has come furthest."""
        request = Request("look_up", "GET", "/orders", {"reference": wanted.reference})
        orders = await self._line.read(request, lambda data: [_bought(one) for one in listed(data, "data")])
        return min(orders, key=lambda order: ("completed", "pending", "failed").index(order.status), default=None)

    async def read_order(self, upstream_id: str) -> Bought:
        """An order, with its keys."""
        return await self._line.read(Request("read_order", "GET", f"/orders/{quote(upstream_id, safe='')}"), _bought)

    async def download_keys(self, upstream_id: str) -> tuple[str, ...]:
        """The keys of an order, which can be read here as often as one likes."""
        order = await self.read_order(upstream_id)
        if order.status != "completed":
            raise G2AFault("G2A_API_ERROR", f"The order is {order.status}, and has no keys.", is_passing=True)
        return order.keys

    async def close(self) -> None:
        """Close the connections."""
        await self._line.close()


def _page(number: int, data: Any) -> Page:
    """A page, and how many there are.

    Raises ValueError where what it says cannot be: to believe an empty page in the midst of a catalogue,
    or the same page again and again, would mean to miss products without noticing.
    """
    documents = listed(data, "data")
    meta = document(data).get("meta")
    if not isinstance(meta, dict):
        raise ValueError("a page does not say how many there are")
    total, last, size, current = (
        whole(cast(dict[str, Any], meta), name) for name in ("total", "lastPage", "perPage", "currentPage")
    )
    if total is None and last is None:
        raise ValueError("a page does not say how many there are")
    # Both are said of the same catalogue in one breath; where they differ, we would rather ask for a page too many.
    pages = max(last or 0, ceil((total or 0) / (size or PAGE_SIZE)), 1)
    if pages > PAGES_MAX:
        raise ValueError(f"the catalogue has more than {PAGES_MAX} pages")
    if number > pages:
        # It has become shorter since somebody asked for the page before.
        return Page(number, pages, total or 0, [], [])
    if current is not None and current != number:
        raise Moving("it is another page")
    if not documents and number < pages:
        raise Moving("a page is empty, and not the last one")
    products, bad = parse_products(documents)
    return Page(number, pages, len(documents) if total is None else total, products, bad)


def _bought(data: Any) -> Bought:
    """An order. Raises ValueError."""
    told = document(data)
    upstream_id = order_id(told.get("orderId", told.get("id")))
    status = told.get("status")
    if not isinstance(status, str):
        raise ValueError("an order has no status")
    currency, reason = told.get("currency"), told.get("message")
    return Bought(
        upstream_id,
        STATUSES.get(status.lower(), "pending"),
        _keys(told.get("keys")),
        amount(told.get("totalPrice")),
        currency if isinstance(currency, str) and currency else "EUR",
        without_keys(reason) if isinstance(reason, str) else "",
    )


def _keys(told: Any) -> tuple[str, ...]:
    """The keys of an order; of what has none among them, there are too few."""
    items = cast(list[Any], told) if isinstance(told, list) else []
    keys = [cast(dict[str, Any], item).get("key") if isinstance(item, dict) else item for item in items]
    return tuple(key for key in keys if isinstance(key, str) and key)
