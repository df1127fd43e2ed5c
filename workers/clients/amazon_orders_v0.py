"""Amazon's orders, v0, which ends on 2027-03-27: orders in pages, and the items of each apart."""

from typing import Any
from urllib.parse import quote

from workers.clients.amazon import Account, Order, Page, Window
from workers.clients.amazon_money import money
from workers.clients.amazon_reading import (
    NAME_MAX,
    document,
    identity,
    inside,
    instant,
    listed,
    next_token,
    page,
    stamps,
    text,
    whole,
    with_token,
)
from workers.clients.http import Request

OPERATION: str = "getOrders"
ITEMS_OPERATION: str = "getOrderItems"
PAGE_SIZE = 100
"""Orders of a page: as many as Amazon gives."""
SHORT_MAX = 50
MARKETPLACE_MAX = 32
ORDER_ID_MAX = 64
CHANNELS = {"AFN": "FBA", "MFN": "FBM"}
"""Who sends it: Amazon, or the seller. Whatever else Amazon says stays as it is."""


def request(account: Account, window: Window, token: str) -> Request:
    """Asks for a page of the orders that were updated in a window."""
    params = {"MarketplaceIds": account.marketplace_id, "MaxResultsPerPage": str(PAGE_SIZE)}
    params |= stamps(window, "LastUpdatedAfter", "LastUpdatedBefore")
    return Request(OPERATION, "GET", "/orders/v0/orders", with_token(params, "NextToken", token))


def read(data: Any) -> Page[Order]:
    """A page. Raises ValueError."""
    payload = inside(data, "payload")
    return page(listed(payload, "Orders"), _order, next_token(payload, "NextToken"))


def items_request(order_id: str, token: str) -> Request:
    """Asks for a page of the items of an order."""
    path = f"/orders/v0/orders/{quote(order_id, safe='')}/orderItems"
    return Request(ITEMS_OPERATION, "GET", path, with_token({}, "NextToken", token))


def read_items(data: Any) -> Page[dict[str, Any]]:
    """A page of items. Raises ValueError."""
    payload = inside(data, "payload")
    return page(listed(payload, "OrderItems"), _item, next_token(payload, "NextToken"))


def order_identity(entry: Any, name: str) -> str:
    """The id of an order. Raises ValueError."""
    own = identity(entry, name)
    if len(own) > ORDER_ID_MAX:
        raise ValueError(f"an order has an id of more than {ORDER_ID_MAX} characters")
    return own


def _order(entry: Any) -> Order:
    paid = money(document(entry).get("OrderTotal"), "Amount")
    channel = text(entry, "FulfillmentChannel", SHORT_MAX)
    return Order(
        order_id=order_identity(entry, "AmazonOrderId"),
        purchased_at=instant(document(entry).get("PurchaseDate")),
        updated_at=instant(document(entry).get("LastUpdateDate")),
        status=text(entry, "OrderStatus", SHORT_MAX),
        channel=CHANNELS.get(channel, channel) if channel else None,
        marketplace_id=text(entry, "MarketplaceId", MARKETPLACE_MAX),
        total=paid and paid.amount,
        currency=paid and paid.currency,
        items_shipped=whole(entry, "NumberOfItemsShipped"),
        items_unshipped=whole(entry, "NumberOfItemsUnshipped"),
        items=None,
    )


def _item(entry: Any) -> dict[str, Any]:
    price = money(document(entry).get("ItemPrice"), "Amount")
    return {
        "orderItemId": identity(entry, "OrderItemId"),
        "asin": text(entry, "ASIN"),
        "sku": text(entry, "SellerSKU"),
        "title": text(entry, "Title", NAME_MAX),
        "quantityOrdered": whole(entry, "QuantityOrdered"),
        "quantityShipped": whole(entry, "QuantityShipped"),
        # Of all units together, as Amazon has it.
        "price": price and price.amount,
        "currency": price and price.currency,
    }
