"""Claims, inventory and orders as their owner reads them, page by page.

Consumes  list_claims, list_inventory and list_orders, as commands of the worker `amazon`
Calls     nothing
Writes    nothing
Emits     a reply to each: rows, how many there are of this filter, and the cursor of the next page
Fails     with 400 for a cursor that is none of this list

A cursor names the row that its page ends with, so that rows which a sync brings in between move no other from page to
page. It holds nothing that is not in that row, and is read as strictly as any other input.
"""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from contract.amazon import ClaimFilter, Instant, InventoryFilter, OrderFilter, Text
from contract.bus import BusCommand
from sql import load_queries
from workers.service import Desk, Ending, Handler, Refuse, replied

QUERIES = load_queries("amazon_lists")
List = Literal["claims", "inventory", "orders"]
Row = Mapping[str, Any]


class Place(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A row of a list: its key, and the time that it is sorted by, where it has one."""

    of: List
    key: Text
    at: Instant | None = None


class _Page(NamedTuple):
    """What is asked of a list: its filter, as parameters of its queries, behind which row, and how many rows."""

    of: List
    conditions: tuple[Any, ...]
    before: tuple[Any, ...]
    limit: int


_claims = msgspec.json.Decoder(ClaimFilter)
_inventory = msgspec.json.Decoder(InventoryFilter)
_orders = msgspec.json.Decoder(OrderFilter)
_places = msgspec.msgpack.Decoder(Place)


async def list_claims(desk: Desk, command: BusCommand) -> Ending:
    """A page of the claims of whoever asks, the newest first."""
    wanted = _claims.decode(command.body)
    place = read_cursor("claims", wanted.cursor)
    conditions = (wanted.type, wanted.status, wanted.order_id, wanted.after, wanted.before)
    page = _Page("claims", conditions, (place.at, place.key) if place else (None, None), wanted.limit)
    return await _read(desk, command, page, _claim, lambda row: Place("claims", row["claim_id"], row["created_at"]))


async def list_inventory(desk: Desk, command: BusCommand) -> Ending:
    """A page of the inventory of whoever asks, by SKU."""
    wanted = _inventory.decode(command.body)
    place = read_cursor("inventory", wanted.cursor)
    page = _Page("inventory", (wanted.sku, wanted.asin, wanted.in_stock), (place and place.key,), wanted.limit)
    return await _read(desk, command, page, _stock, lambda row: Place("inventory", row["sku"]))


async def list_orders(desk: Desk, command: BusCommand) -> Ending:
    """A page of the orders of whoever asks, the newest first."""
    wanted = _orders.decode(command.body)
    place = read_cursor("orders", wanted.cursor)
    conditions = (wanted.status, wanted.channel, wanted.after, wanted.before)
    page = _Page("orders", conditions, (place.at, place.key) if place else (None, None), wanted.limit)
    return await _read(desk, command, page, _order, lambda row: Place("orders", row["order_id"], row["purchased_at"]))


async def _read(
    desk: Desk, command: BusCommand, page: _Page, shown: Callable[[Row], Any], place_of: Callable[[Row], Place]
) -> Ending:
    own = (command.user_id, *page.conditions)
    async with desk.pool.acquire() as connection, connection.transaction():
        await connection.execute(QUERIES["plan_for_these_values"])
        total: int = await connection.fetchval(QUERIES[f"count_{page.of}"], *own)
        # One more than is shown tells whether there is another page.
        found: Sequence[Row] = await connection.fetch(QUERIES[f"list_{page.of}"], *own, *page.before, page.limit + 1)
    rows = found[: page.limit]
    following = cursor_of(place_of(rows[-1])) if len(found) > page.limit else None
    shown_rows = [shown(row) for row in rows]
    return replied({page.of: shown_rows, "total": total, "limit": page.limit, "nextCursor": following})


def cursor_of(place: Place) -> str:
    """What stands for a row in the URL of the page behind it."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(place)).rstrip(b"=").decode()


def read_cursor(of: List, cursor: str | None) -> Place | None:
    """The row that a page begins behind; None for the first page. Raises Refuse with 400 for no cursor of this list."""
    if cursor is None:
        return None
    try:
        raw = base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        place = _places.decode(raw)
        if place.of == of:
            return place
    except (ValueError, binascii.Error, msgspec.DecodeError):
        pass
    message = "cursor is the nextCursor of the page before, unchanged. Begin again without one."
    raise Refuse(400, "CURSOR_UNKNOWN", message) from None


def _claim(row: Row) -> dict[str, Any]:
    return {
        "claimId": row["claim_id"],
        "orderId": row["order_id"],
        "amount": row["amount"],
        "currency": row["currency"],
        "status": row["status"],
        "type": row["type"],
        "description": row["description"],
        "createdAt": row["created_at"],
        "syncedAt": row["synced_at"],
        "isMock": row["is_mock"],
    }


def _stock(row: Row) -> dict[str, Any]:
    return {
        "sku": row["sku"],
        "asin": row["asin"],
        "fnsku": row["fnsku"],
        "productName": row["product_name"],
        "quantityAvailable": row["quantity_available"],
        "quantityReserved": row["quantity_reserved"],
        "quantityInbound": row["quantity_inbound"],
        "quantityTotal": row["quantity_total"],
        "condition": row["condition"],
        "warehouseLocation": row["warehouse_location"],
        "syncedAt": row["synced_at"],
        "isMock": row["is_mock"],
    }


def _order(row: Row) -> dict[str, Any]:
    return {
        "orderId": row["order_id"],
        "purchaseDate": row["purchased_at"],
        "lastUpdateDate": row["last_updated_at"],
        "status": row["status"],
        "fulfillmentChannel": row["fulfillment_channel"],
        "marketplaceId": row["marketplace_id"],
        "total": row["total"],
        "currency": row["currency"],
        "itemsShipped": row["items_shipped"],
        "itemsUnshipped": row["items_unshipped"],
        "items": msgspec.Raw(row["items"].encode()) if row["items"] is not None else None,
        "syncedAt": row["synced_at"],
        "isMock": row["is_mock"],
    }


HANDLERS: dict[str, Handler] = {
    "list_claims": list_claims,
    "list_inventory": list_inventory,
    "list_orders": list_orders,
}
