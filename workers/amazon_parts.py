"""What a step of a sync with Amazon reads: a page of claims, of the inventory, of orders, or of the items of an order.

A page is fetched outside of any transaction, and written in the one that notes that it was.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from contract.settings import Settings
from sql import Connection
from workers.amazon_claims import Reading, write_claims
from workers.amazon_cursor import Cursor, Place
from workers.amazon_documents import QUERIES, Told
from workers.amazon_rows import documents, whose, write_inventory, write_orders
from workers.clients.amazon import Account, Amazon, AmazonFault, Claim, Order, Page

ORDERS_OVERLAP = timedelta(minutes=5)
"""How far before the end of the last sync orders are read again: Amazon's own clocks may differ by so much."""
ITEMS_OF_ORDERS = 30
"""Orders whose items one sync asks for, one by one: as many as Amazon allows at once."""
ITEM_PAGES_MAX = 20
"""Pages of the items of one order: they lie in the cursor until the last has come."""
SWEPT_ROWS = 1_000
"""Rows that one step deletes."""
TOKEN_AGE_MAX = timedelta(seconds=25)
"""Tokens of the inventory are good for half a minute, of which the way to Amazon takes a part."""
_AFTER: dict[Place, Place] = {
    "begin": "claims",
    "claims": "inventory",
    "inventory": "orders",
    "orders": "items",
    "items": "end",
}


def first_cursor(account: Account) -> Cursor:
    """Where a sync of this account begins."""
    return Cursor(part="begin", seller_id=account.seller_id)


async def fetch(amazon: Amazon, account: Account, cursor: Cursor, until: datetime, now: datetime) -> Page[Any]:
    """The page that is next. Raises AmazonFault."""
    match cursor.part:
        case "claims":
            return await amazon.list_claims(account, cursor.windows(until)[cursor.window], cursor.token)
        case "inventory":
            if cursor.token and cursor.token_at and now - cursor.token_at > TOKEN_AGE_MAX:
                raise AmazonFault("stale", "The token of the page has become too old.")
            return await amazon.list_inventory(account, cursor.token)
        case "orders":
            return await amazon.list_orders(account, cursor.windows(until)[0], cursor.token)
        case "items" if cursor.order_ids:
            return await amazon.list_items(account, cursor.order_ids[0], cursor.token)
        case _:
            return Page((), (), "")


async def write(connection: Connection, settings: Settings, run: Any, cursor: Cursor, page: Page[Any]) -> Cursor:
    """Write a page; gives the cursor with what it has met, still at the place of this page."""
    number = cursor.number or await connection.fetchval(QUERIES["next_pass"])
    own = whose(settings, run["user_id"], number)
    unfit = 0
    times: list[datetime] = []
    rows: Sequence[Any] = page.rows
    match cursor.part:
        case "claims":
            unfit = await write_claims(connection, own, _reading(cursor, run["until"]), rows)
            times = _times(row.posted_at for row in _claims(rows))
        case "inventory":
            unfit = await write_inventory(connection, own, rows)
        case "orders":
            unfit = await write_orders(connection, own, rows)
            times = _times(row.updated_at for row in _orders(rows))
        case _:
            return await _write_items(connection, run["user_id"], cursor, page)
    times += _times((cursor.first, cursor.last))
    return msgspec.structs.replace(
        cursor,
        number=number,
        pages=cursor.pages + 1,
        met=cursor.met + len(rows) - unfit,
        bad=cursor.bad + len(page.bad) + unfit,
        first=min(times, default=None),
        last=max(times, default=None),
    )


def following(cursor: Cursor, page: Page[Any], until: datetime, now: datetime) -> Cursor | None:
    """The place behind a page that was written; None where the part has ended. Raises Stuck."""
    if page.next_token:
        return cursor.moved(page.next_token, now)
    if cursor.part == "claims" and cursor.window + 1 < len(cursor.windows(until)):
        return cursor.next_window()
    if cursor.part == "inventory" and cursor.met and not cursor.bad:
        # What cannot be read may be there still; so nothing is deleted then.
        return msgspec.structs.replace(cursor, is_sweeping=True, token="")
    return next_order(cursor) if cursor.part == "items" else None


async def settle_claims(connection: Connection, settings: Settings, run: Any, cursor: Cursor) -> None:
    """Put right what an earlier pass over this window has met twice, or has read by another version of the API."""
    window = cursor.windows(run["until"])[cursor.window]
    own = (run["user_id"], cursor.number, *window, settings.amazon_finances_api)
    await connection.execute(QUERIES["drop_surplus"], *own)


def next_order(cursor: Cursor) -> Cursor | None:
    """The next order whose items are wanted; None where there is none."""
    left = cursor.order_ids[1:]
    return Cursor("items", cursor.seller_id, order_ids=left, wanted=cursor.wanted, met=cursor.met) if left else None


async def sweep(connection: Connection, user_id: str, cursor: Cursor) -> Cursor | None:
    """Delete a page of the inventory that a whole pass has not seen; None where there is nothing more."""
    gone = await connection.fetchval(QUERIES["sweep_inventory"], user_id, cursor.number, SWEPT_ROWS)
    return cursor if gone == SWEPT_ROWS else None


async def next_part(connection: Connection, settings: Settings, run: Any, cursor: Cursor, told: Told) -> Cursor:
    """The beginning of the part behind this one."""
    part = _AFTER[cursor.part]
    if part == "items" and told.result("orders").status == "failed":
        part = "end"
    after = before = None
    order_ids: list[str] = []
    if part in ("claims", "orders"):
        reached = await connection.fetchrow(QUERIES["read_until"], run["user_id"])
        before = reached[f"{part}_until"]
        after = _since(settings, part, before, run["until"])
    if part == "items":
        found = await connection.fetch(QUERIES["find_orders_without_items"], run["user_id"], ITEMS_OF_ORDERS)
        order_ids = [order["order_id"] for order in found]
        part = "items" if order_ids else "end"
    return Cursor(part, cursor.seller_id, after, before, order_ids=order_ids, wanted=len(order_ids))


def count(told: Told, cursor: Cursor, total: int | None) -> None:
    """Tell how many rows of a part were met; `total` is how many it may have."""
    match cursor.part:
        case "claims":
            told.claims_detected = cursor.rows
        case "inventory":
            told.inventory_count = cursor.rows
        case "orders":
            told.orders_processed = cursor.rows
            told.total_orders, told.is_total_estimated = total, total is not None
        case _:
            pass


async def _write_items(connection: Connection, user_id: str, cursor: Cursor, page: Page[Any]) -> Cursor:
    if not cursor.order_ids:
        return cursor
    items = [*cursor.items, *page.rows]
    pages = cursor.pages + 1
    if page.next_token and pages >= ITEM_PAGES_MAX:
        raise AmazonFault("refused", f"An order has more than {ITEM_PAGES_MAX} pages of items.")
    if not page.next_token:
        await connection.execute(QUERIES["put_items"], user_id, cursor.order_ids[0], documents(items))
        items = []
    return msgspec.structs.replace(cursor, pages=pages, items=items, met=cursor.met + len(page.rows))


def _reading(cursor: Cursor, until: datetime) -> Reading:
    window = cursor.windows(until)[cursor.window]
    since = cursor.reached.isoformat() if cursor.reached else "first"
    is_again = cursor.reached is not None and window.before <= cursor.reached
    return Reading(f"{cursor.seller_id} {since} {cursor.window}", window.after if is_again else None)


def _since(settings: Settings, part: str, reached: datetime | None, until: datetime) -> datetime:
    if reached is None:
        return until - timedelta(days=settings.amazon_history_days)
    return reached - (timedelta(days=settings.amazon_reread_days) if part == "claims" else ORDERS_OVERLAP)


def _times(times: Iterable[datetime | None]) -> list[datetime]:
    return [time for time in times if time is not None]


def _claims(rows: Sequence[Claim]) -> Sequence[Claim]:
    return rows


def _orders(rows: Sequence[Order]) -> Sequence[Order]:
    return rows
