"""G2A's own export API: an order is one unit, which is reserved, then paid, and whose key is given out once.

One header proves who asks. The catalogue comes in pages of 20, at most 500 of them; `g2a_windows.py` reads larger ones.
"""

import asyncio
import datetime
from collections.abc import Callable, Mapping
from decimal import Decimal
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from workers.clients.g2a import PATIENCE_S, Bought, G2AFault, KeyGone, Page, Product, Wanted
from workers.clients.g2a_line import STATUSES, Line, Meaning, Moving, amount, document, listed, order_id, whole
from workers.clients.g2a_products import only_product, parse_products
from workers.clients.g2a_windows import COUNTED_S, EVERYTHING, PAGE_SIZE, SHOWN_MAX, TooDense, Window, Windows
from workers.clients.http import Request

KEY_GONE = "ORD004"
NOT_FOUND = "ORD02"
CURRENCY = "EUR"
MEANINGS: Mapping[str, Meaning] = {
    "AUTH01": Meaning("G2A_AUTH_FAILED"),
    "AUTH02": Meaning("G2A_AUTH_FAILED"),
    "AUTH03": Meaning("G2A_AUTH_FAILED"),
    "AUTH04": Meaning("G2A_AUTH_FAILED"),
    "BR01": Meaning("G2A_API_ERROR"),
    "BR03": Meaning("G2A_RATE_LIMIT", is_passing=True),
    NOT_FOUND: Meaning("G2A_PRODUCT_NOT_FOUND"),
    # The payment is not ready yet.
    "ORD03": Meaning("G2A_API_ERROR", is_passing=True),
    KEY_GONE: Meaning("G2A_API_ERROR"),
    # A payment is required, or in progress.
    "ORD05": Meaning("G2A_API_ERROR", is_passing=True),
    # Not enough funds, too late, and above what the wallet may pay: nothing was bought.
    "ORD112": Meaning("G2A_OUT_OF_STOCK"),
    "ORD114": Meaning("G2A_OUT_OF_STOCK"),
    "ORD121": Meaning("G2A_OUT_OF_STOCK"),
}
"""What the codes of G2A mean where the status below 500 does not say it."""


def signing(api_hash: str, api_key: str, email: str) -> Callable[[], dict[str, str]]:
    """Makes the header of a request, which is always the same."""
    proof = sha256(f"{api_hash}{email}{api_key}".encode()).hexdigest()
    return lambda: {"Authorization": f"{api_hash}, {proof}"}


class ExportG2A:
    """The export API. Satisfies `G2A`."""

    units_max = 1

    def __init__(self, line: Line) -> None:
        self._line = line
        self._listing = asyncio.Lock()
        self._windows: Windows | None = None

    async def list_products(self, page: int, *, since: datetime.datetime | None = None, share: float = 1.0) -> Page:
        """A page of the catalogue, or of what has changed since then.

        How it is cut is found at page 1, and kept; a process that begins in the midst of it cuts anew. Where that takes
        longer than the patience is, the same page is to be asked for again: it goes on then.
        """
        try:
            async with asyncio.timeout(PATIENCE_S), self._listing:
                return await self._listed(page, since, share)
        except TooDense as fault:
            raise G2AFault("G2A_API_ERROR", f"The catalogue cannot be read as a whole: {fault}.") from None
        except TimeoutError:
            raise G2AFault("G2A_TIMEOUT", "The catalogue is still being counted.", is_passing=True) from None

    async def find_product(self, product_id: str, *, share: float = 1.0, patience_s: float = PATIENCE_S) -> Product:
        """One product."""
        params = {"id": product_id, "includeOutOfStock": "true"}

        def only(data: Any) -> Product:
            documents = listed(data, "docs")
            if not documents:
                raise G2AFault("G2A_PRODUCT_NOT_FOUND", "G2A has no such product.", status=200)
            return only_product(product_id, documents[0])

        return await self._line.read(Request("find_product", "GET", "/products", params), only, share, patience_s)

    async def take_turn(self) -> None:
        """Wait for a turn of the rate."""
        await self._line.take_turn()

    async def reserve(self, wanted: Wanted) -> str:
        """Have one unit kept for half an hour. That costs nothing, so that it may be asked for again."""
        if wanted.quantity != 1:
            raise ValueError("An order of the export API is one unit.")
        body = {"product_id": wanted.product_id, "currency": CURRENCY, "max_price": wanted.price_max}
        upstream_id, price = await self._line.change(
            Request("reserve", "POST", "/order", body=body), _reserved, is_free=True
        )
        if price > wanted.price_max:
            raise G2AFault("G2A_OUT_OF_STOCK", "The product costs more than it may.")
        return upstream_id

    async def pay(self, wanted: Wanted) -> Bought:
        """Pay for what is reserved. It is pending then: nothing asked afterwards may make a known outcome unknown."""
        if not wanted.upstream_id:
            raise ValueError("What is paid must have been reserved.")
        path = f"/order/pay/{quote(wanted.upstream_id, safe='')}"
        await self._line.change(Request("pay", "PUT", path), _paid)
        return Bought(wanted.upstream_id, "pending")

    async def look_up(self, wanted: Wanted) -> Bought | None:
        """What is reserved and not paid was not bought."""
        if not wanted.upstream_id:
            return None
        try:
            status, order = await self._read(wanted.upstream_id)
        except G2AFault as fault:
            # Any other 404 is one of somebody on the way, and says nothing about the order.
            if fault.word == NOT_FOUND:
                return None
            raise
        return None if status == "new" else order

    async def read_order(self, upstream_id: str) -> Bought:
        """An order, without its key."""
        return (await self._read(upstream_id))[1]

    async def download_keys(self, upstream_id: str) -> tuple[str, ...]:
        """The key of an order, once."""
        path = f"/order/key/{quote(upstream_id, safe='')}"
        try:
            return (await self._line.read(Request("download_keys", "GET", path), _key),)
        except G2AFault as fault:
            if fault.word == KEY_GONE:
                raise KeyGone(f"The key of order {upstream_id} was given out before.") from None
            raise

    async def close(self) -> None:
        """Close the connections."""
        await self._line.close()

    async def _listed(self, page: int, since: datetime.datetime | None, share: float) -> Page:
        windows = self._windows
        is_stale = windows is None or windows.since != since or windows.age_s > COUNTED_S
        if windows is None or is_stale or (page == 1 and windows.is_cut):
            first = await self._show(EVERYTHING, 1, since, share)
            self._windows = windows = Windows(first.total, since)
            if page == 1 and first.total <= SHOWN_MAX:
                return first

        async def count(window: Window) -> int:
            return (await self._show(window, 1, since, share)).total

        await windows.cut(count)
        if windows.found < windows.total:
            self._windows = None
            missed = windows.total - windows.found
            message = f"The catalogue cannot be read as a whole: {missed} products are at no price."
            raise G2AFault("G2A_API_ERROR", message, is_passing=True)
        place = windows.find(page)
        if place is None:
            return Page(page, windows.pages, windows.total, [], [])
        shown = await self._show(*place, since, share)
        return shown._replace(number=page, pages=windows.pages, total=windows.total)

    async def _show(self, window: Window, page: int, since: datetime.datetime | None, share: float) -> Page:
        params = {"page": str(page), "includeOutOfStock": "true"}
        if window != EVERYTHING:
            params["minPriceFrom"] = f"{window.low / 100:.2f}"
        if window.high is not None:
            params["minPriceTo"] = f"{window.high / 100:.2f}"
        if since:
            params["updatedAtFrom"] = since.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")
        request = Request("list_products", "GET", "/products", params)
        return await self._line.read(request, lambda data: _page(page, data), share)

    async def _read(self, upstream_id: str) -> tuple[str, Bought]:
        """The word for its state, and the order."""
        request = Request("read_order", "GET", f"/order/details/{quote(upstream_id, safe='')}")
        return await self._line.read(request, lambda data: _details(upstream_id, data))


def _page(number: int, data: Any) -> Page:
    """A page of one window. Raises ValueError where what it says cannot be, as for the contract."""
    documents = listed(data, "docs")
    total, current = whole(data, "total"), whole(data, "page")
    if total is None:
        raise ValueError("a page does not say how many products there are")
    pages = max(1, -(-total // PAGE_SIZE))
    if current is not None and current != number and number <= pages:
        raise Moving("it is another page")
    if not documents and number < pages:
        raise Moving("a page is empty, and not the last one")
    products, bad = parse_products(documents)
    return Page(number, pages, total, products, bad)


def _reserved(data: Any) -> tuple[str, Decimal]:
    told = document(data)
    upstream_id, price = order_id(told.get("order_id")), amount(told.get("price"))
    if price is None or told.get("currency", CURRENCY) != CURRENCY:
        raise ValueError(f"an order has no price in {CURRENCY}")
    return upstream_id, price


def _paid(data: Any) -> None:
    if document(data).get("status") is not True:
        raise ValueError("a payment has no status")


def _details(upstream_id: str, data: Any) -> tuple[str, Bought]:
    told = document(data)
    status, currency = told.get("status"), told.get("currency")
    if not isinstance(status, str):
        raise ValueError("an order has no status")
    named = currency if isinstance(currency, str) and currency else CURRENCY
    word = status.lower()
    return word, Bought(upstream_id, STATUSES.get(word, "pending"), (), amount(told.get("price")), named)


def _key(data: Any) -> str:
    key = document(data).get("key")
    if not isinstance(key, str) or not key:
        raise ValueError("there is no key in it")
    return key
