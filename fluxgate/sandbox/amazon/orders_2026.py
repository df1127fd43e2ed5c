"""Orders as version 2026-01-01 of the Orders API tells them: with their items, and with what else was asked for."""

from decimal import Decimal
from typing import Any

from fluxgate.sandbox.amazon.asking import invalid, listed, size, window
from fluxgate.sandbox.amazon.chance import instant
from fluxgate.sandbox.amazon.orders import Item, Order
from fluxgate.sandbox.amazon.orders_v0 import found
from fluxgate.sandbox.amazon.seller import Seller
from fluxgate.sandbox.amazon.state import State
from fluxgate.sandbox.amazon.timeline import rows_after
from fluxgate.sandbox.replies import ok
from fluxgate.sandbox.serving import Reply, Request

STATUSES = {
    "Pending": "PENDING",
    "PendingAvailability": "PENDING_AVAILABILITY",
    "Unshipped": "UNSHIPPED",
    "InvoiceUnconfirmed": "UNSHIPPED",
    "PartiallyShipped": "PARTIALLY_SHIPPED",
    "Shipped": "SHIPPED",
    "Canceled": "CANCELLED",
    "Unfulfillable": "UNFULFILLABLE",
}
SENDERS = {"AFN": "AMAZON", "MFN": "MERCHANT"}
INCLUDED = (
    *("BUYER", "RECIPIENT", "PROCEEDS", "EXPENSE", "PROMOTION", "CANCELLATION", "FULFILLMENT", "PACKAGES", "TAX"),
    *("PAYMENT", "FULFILLMENT_ORDERS"),
)


async def search_orders(state: State, seller: Seller, request: Request) -> Reply:
    """GET /orders/2026-01-01/orders"""
    if ("createdAfter" in request.query) == ("lastUpdatedAfter" in request.query):
        raise invalid("Either createdAfter or lastUpdatedAfter has to be given, and not both.")
    what = "created" if "createdAfter" in request.query else "lastUpdated"
    asked = window(request, f"{what}After", f"{what}Before")
    included = _included(request)
    marketplaces = listed(request, "marketplaceIds")
    is_here = not marketplaces or state.settings.amazon_marketplace in marketplaces
    timeline = seller.orders.by_purchase if what == "created" else seller.orders.by_update
    page = state.pages.page(
        request,
        seller.id,
        "paginationToken",
        size(request, "maxResultsPerPage"),
        lambda last, count: rows_after((timeline,) if is_here else (), *asked, last, count),
    )
    statuses, senders = listed(request, "fulfillmentStatuses"), listed(request, "fulfilledBy")
    orders = [seller.orders.order(place.number) for place in page.places]
    told = [
        document(state, order, included)
        for order in orders
        if (not statuses or STATUSES[order.status] in statuses) and (not senders or SENDERS[order.channel] in senders)
    ]
    pagination = state.pages.told(page.token, "nextToken")
    until = {f"{what}Before": instant(asked.before)}
    return ok({"orders": told} | ({"pagination": pagination} if pagination else {}) | until)


async def show_order(state: State, seller: Seller, request: Request, order_id: str) -> Reply:
    """GET /orders/2026-01-01/orders/{id}"""
    return ok({"order": document(state, found(seller, order_id), _included(request))})


def _included(request: Request) -> list[str]:
    included = listed(request, "includedData")
    if not set(included) <= set(INCLUDED):
        raise invalid(f"includedData are of {', '.join(INCLUDED)}.")
    return included


def document(state: State, order: Order, included: list[str]) -> dict[str, Any]:
    """One order."""
    marketplace = state.settings.amazon_marketplace
    told: dict[str, Any] = {
        "orderId": order.id,
        "createdTime": instant(order.purchased_at),
        "lastUpdatedTime": instant(order.updated_at),
        "programs": ["PRIME"] if order.channel == "AFN" else [],
        "salesChannel": {"channelName": "AMAZON", "marketplaceId": marketplace, "marketplaceName": "Amazon.com"},
        "orderItems": [_item(order, item, included) for item in order.items],
    }
    if order.number % 7 == 0:
        told["orderAliases"] = [{"aliasId": f"{order.number}/é", "aliasType": "SELLER_ORDER_ID"}]
    if "PROCEEDS" in included and order.total is not None:
        told["proceeds"] = {"grandTotal": money(order.currency, order.total)}
    if "FULFILLMENT" in included:
        is_strange = state.control.is_unknown and order.number % 3 == 0
        told["fulfillment"] = {
            "fulfillmentStatus": "AWAITING_DRONE" if is_strange else STATUSES[order.status],
            "fulfilledBy": "DRONE" if is_strange else SENDERS[order.channel],
            "fulfillmentServiceLevel": "STANDARD",
        }
    return told


def _item(order: Order, item: Item, included: list[str]) -> dict[str, Any]:
    product: dict[str, Any] = {"asin": item.asin, "title": item.title, "sellerSku": item.sku}
    told: dict[str, Any] = {"orderItemId": item.id, "quantityOrdered": item.ordered, "product": product}
    if item.price is not None and item.tax is not None:
        product["price"] = {"unitPrice": money(order.currency, item.price / item.ordered)}
        if "PROCEEDS" in included:
            parts = (("ITEM", item.price), ("TAX", item.tax))
            told["proceeds"] = {
                "proceedsTotal": money(order.currency, item.price + item.tax),
                "breakdowns": [{"type": name, "subtotal": money(order.currency, part)} for name, part in parts],
            }
    if "FULFILLMENT" in included:
        told["fulfillment"] = {"quantityFulfilled": item.shipped, "quantityUnfulfilled": item.ordered - item.shipped}
    return told


def money(currency: str, amount: Decimal) -> dict[str, str]:
    """An amount: here a text, too."""
    return {"amount": f"{amount:f}", "currencyCode": currency}
