"""Orders as version v0 of the Orders API tells them: without their items, which are asked for one by one."""

from decimal import Decimal
from typing import Any

from fluxgate.sandbox.amazon.asking import invalid, listed, required, size, window
from fluxgate.sandbox.amazon.chance import instant
from fluxgate.sandbox.amazon.orders import WITHOUT_PRICES, Item, Order
from fluxgate.sandbox.amazon.seller import Seller
from fluxgate.sandbox.amazon.state import State
from fluxgate.sandbox.amazon.timeline import rows_after
from fluxgate.sandbox.replies import Refused, ok
from fluxgate.sandbox.serving import Reply, Request

ITEMS_PAGE = 100


async def list_orders(state: State, seller: Seller, request: Request) -> Reply:
    """GET /orders/v0/orders"""
    required(request, "MarketplaceIds")
    is_here = state.settings.amazon_marketplace in listed(request, "MarketplaceIds")
    is_created, is_updated = (
        any(f"{what}{end}" in request.query for end in ("After", "Before")) for what in ("Created", "LastUpdated")
    )
    if is_created == is_updated:
        raise invalid("Either CreatedAfter or LastUpdatedAfter has to be given, and not both.")
    what = "Created" if is_created else "LastUpdated"
    asked = window(request, f"{what}After", f"{what}Before")
    timeline = seller.orders.by_purchase if is_created else seller.orders.by_update
    page = state.pages.page(
        request,
        seller.id,
        "NextToken",
        size(request, "MaxResultsPerPage"),
        lambda last, count: rows_after((timeline,) if is_here else (), *asked, last, count),
    )
    statuses, channels = listed(request, "OrderStatuses"), listed(request, "FulfillmentChannels")
    ids = listed(request, "AmazonOrderIds")
    orders = [seller.orders.order(place.number) for place in page.places]
    told = [
        document(state, order)
        for order in orders
        if (not statuses or order.status in statuses)
        and (not channels or order.channel in channels)
        and (not ids or order.id in ids)
    ]
    # Amazon's own examples have such a moment.
    until = {f"{what}Before": f"{asked.before:E}" if state.control.is_ugly else instant(asked.before)}
    return ok({"payload": {"Orders": told} | state.pages.told(page.token, "NextToken") | until})


async def show_order(state: State, seller: Seller, request: Request, order_id: str) -> Reply:
    """GET /orders/v0/orders/{id}"""
    return ok({"payload": document(state, found(seller, order_id))})


async def list_items(state: State, seller: Seller, request: Request, order_id: str) -> Reply:
    """GET /orders/v0/orders/{id}/orderItems"""
    order = found(seller, order_id)

    def fetch(last: int | None, count: int) -> tuple[list[int], bool]:
        first = 0 if last is None else last + 1
        return list(range(first, len(order.items)))[:count], len(order.items) > first + count

    page = state.pages.page(request, seller.id, "NextToken", ITEMS_PAGE, fetch)
    items = [item_document(order, order.items[place]) for place in page.places]
    told = {"AmazonOrderId": order.id, "OrderItems": items}
    return ok({"payload": told | state.pages.told(page.token, "NextToken")})


def found(seller: Seller, order_id: str) -> Order:
    """An order by its id. Raises Refused."""
    number = seller.orders.find(order_id)
    if number is None:
        raise Refused(404, "NotFound", "There is no such order.")
    return seller.orders.order(number)


def document(state: State, order: Order) -> dict[str, Any]:
    """One order."""
    is_strange = state.control.is_unknown and order.number % 3 == 0
    told: dict[str, Any] = {
        "AmazonOrderId": order.id,
        "PurchaseDate": instant(order.purchased_at),
        "LastUpdateDate": instant(order.updated_at),
        "OrderStatus": "AwaitingDrone" if is_strange else order.status,
        "FulfillmentChannel": "DRN" if is_strange else order.channel,
        "SalesChannel": "Amazon.com",
        "ShipServiceLevel": "Std US D2D Dom",
        "NumberOfItemsShipped": order.shipped,
        "NumberOfItemsUnshipped": order.unshipped,
        "PaymentMethod": "Other",
        "PaymentMethodDetails": ["Standard"],
        "MarketplaceId": state.settings.amazon_marketplace,
        "ShipmentServiceLevelCategory": "Standard",
        "OrderType": "StandardOrder",
        "IsBusinessOrder": order.number % 11 == 0,
        "IsPrime": order.channel == "AFN",
        "IsPremiumOrder": False,
        "IsReplacementOrder": False,
        "IsSoldByAB": False,
        "IsISPU": False,
        "IsGlobalExpressEnabled": False,
        "IsAccessPointOrder": False,
        "HasRegulatedItems": False,
    }
    # Some sellers have ids of their own.
    if order.number % 7 == 0:
        told["SellerOrderId"] = f"{order.number}/é"
    if is_strange:
        told["DroneInfo"] = {"Altitude": None, "Rotors": [1, 2.5, "three"]}
    if order.total is not None:
        told["OrderTotal"] = money(order.currency, order.total)
    return told


def item_document(order: Order, item: Item) -> dict[str, Any]:
    """One item of an order."""
    told: dict[str, Any] = {
        "ASIN": item.asin,
        "SellerSKU": item.sku,
        "OrderItemId": item.id,
        "Title": item.title,
        "QuantityOrdered": item.ordered,
        "QuantityShipped": item.shipped,
        "ProductInfo": {"NumberOfItems": "1"},
        "IsGift": "true" if order.number % 9 == 0 else "false",
        "ConditionId": "New",
        "ConditionSubtypeId": "New",
        "SerialNumberRequired": False,
        "IsTransparency": False,
        "IossNumber": "",
    }
    if item.price is not None and item.tax is not None and order.status not in WITHOUT_PRICES:
        told["ItemPrice"] = money(order.currency, item.price)
        told["ItemTax"] = money(order.currency, item.tax)
    return told


def money(currency: str, amount: Decimal) -> dict[str, str]:
    """An amount: here a text."""
    return {"CurrencyCode": currency, "Amount": f"{amount:f}"}
