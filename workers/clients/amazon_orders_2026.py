"""Amazon's orders, 2026-01-01: an order comes with its items, and no answer has a payload around it."""

from typing import Any
from urllib.parse import quote

from workers.clients.amazon import Account, Order, Page, Window
from workers.clients.amazon_money import Money, money, times
from workers.clients.amazon_orders_v0 import MARKETPLACE_MAX, PAGE_SIZE, SHORT_MAX, order_identity
from workers.clients.amazon_reading import (
    NAME_MAX,
    bounded,
    document,
    identity,
    inside,
    instant,
    listed,
    next_token,
    page,
    stamps,
    text,
    total,
    whole,
    with_token,
)
from workers.clients.http import Request

OPERATION: str = "searchOrders"
ITEMS_OPERATION: str = "getOrder"
PATH = "/orders/2026-01-01/orders"
WANTED = {"includedData": "PROCEEDS,FULFILLMENT"}
"""What is told beside the orders themselves. Buyers and their addresses are nobody's business here."""
CHANNELS = {"AMAZON": "FBA", "MERCHANT": "FBM"}
STATUSES = {
    "PENDING_AVAILABILITY": "PendingAvailability",
    "PENDING": "Pending",
    "UNSHIPPED": "Unshipped",
    "PARTIALLY_SHIPPED": "PartiallyShipped",
    "SHIPPED": "Shipped",
    "CANCELLED": "Canceled",
    "UNFULFILLABLE": "Unfulfillable",
}
"""The words of v0 for the same, so that an order reads alike whichever version has told it."""


def request(account: Account, window: Window, token: str) -> Request:
    """Asks for a page of the orders that were updated in a window."""
    params = {"marketplaceIds": account.marketplace_id, "maxResultsPerPage": str(PAGE_SIZE), **WANTED}
    params |= stamps(window, "lastUpdatedAfter", "lastUpdatedBefore")
    return Request(OPERATION, "GET", PATH, with_token(params, "paginationToken", token))


def read(data: Any) -> Page[Order]:
    """A page. Raises ValueError. What cannot be read of an order's items is told, and the order is there without it."""
    bad: list[str] = []
    token = next_token(document(data).get("pagination"), "nextToken")
    orders = page(listed(data, "orders"), lambda entry: _order(entry, bad), token)
    return orders._replace(bad=bounded([*orders.bad, *bad]))


def items_request(order_id: str, token: str) -> Request:
    """Asks for an order, for the sake of its items; there is only one page of them."""
    del token
    return Request(ITEMS_OPERATION, "GET", f"{PATH}/{quote(order_id, safe='')}", WANTED)


def read_items(data: Any) -> Page[dict[str, Any]]:
    """The items of an order. Raises ValueError."""
    return page(listed(inside(data, "order"), "orderItems"), _item, "")


def _order(entry: Any, bad: list[str]) -> Order:
    paid = money(document(document(entry).get("proceeds")).get("grandTotal"), "amount", "currencyCode")
    fulfillment = document(entry).get("fulfillment")
    status, channel = (text(fulfillment, name, SHORT_MAX) for name in ("fulfillmentStatus", "fulfilledBy"))
    order_id = order_identity(entry, "orderId")
    entries = listed(entry, "orderItems", is_optional=True)
    items = page(entries, _item, "")
    bad += [f"of order {order_id}: {reason}" for reason in items.bad]
    counts = [document(document(item).get("fulfillment")) for item in entries]
    return Order(
        order_id=order_id,
        purchased_at=instant(document(entry).get("createdTime")),
        updated_at=instant(document(entry).get("lastUpdatedTime")),
        status=STATUSES.get(status, status) if status else None,
        channel=CHANNELS.get(channel, channel) if channel else None,
        marketplace_id=text(document(entry).get("salesChannel"), "marketplaceId", MARKETPLACE_MAX),
        total=paid and paid.amount,
        currency=paid and paid.currency,
        items_shipped=total(*(whole(count, "quantityFulfilled") for count in counts)),
        items_unshipped=total(*(whole(count, "quantityUnfulfilled") for count in counts)),
        items=items.rows if document(entry).get("orderItems") is not None else None,
    )


def _item(entry: Any) -> dict[str, Any]:
    product, fulfillment = (document(document(entry).get(name)) for name in ("product", "fulfillment"))
    ordered = whole(entry, "quantityOrdered")
    price = _price(entry, product, ordered)
    return {
        "orderItemId": identity(entry, "orderItemId"),
        "asin": text(product, "asin"),
        "sku": text(product, "sellerSku"),
        "title": text(product, "title", NAME_MAX),
        "quantityOrdered": ordered,
        "quantityShipped": whole(fulfillment, "quantityFulfilled"),
        "price": price and price.amount,
        "currency": price and price.currency,
    }


def _price(entry: Any, product: dict[str, Any], ordered: int | None) -> Money | None:
    """The price of all units together, as v0 has it. Raises ValueError."""
    proceeds = document(entry).get("proceeds")
    for part in listed(proceeds, "breakdowns", is_optional=True):
        if document(part).get("type") == "ITEM":
            return money(document(part).get("subtotal"), "amount", "currencyCode")
    unit = money(document(product.get("price")).get("unitPrice"), "amount", "currencyCode")
    return times(unit, ordered) if unit and ordered is not None else None
