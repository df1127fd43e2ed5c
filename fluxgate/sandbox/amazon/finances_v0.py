"""Financial events as version v0 of the Finances API tells them: in lists by kind, and most of them without an id."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from fluxgate.sandbox.amazon.asking import size, window
from fluxgate.sandbox.amazon.chance import instant
from fluxgate.sandbox.amazon.events import Event
from fluxgate.sandbox.amazon.seller import Seller
from fluxgate.sandbox.amazon.state import State
from fluxgate.sandbox.amazon.timeline import Place, rows_after
from fluxgate.sandbox.replies import ok
from fluxgate.sandbox.serving import Reply, Request

UNKNOWN = {"FutureEventList": [{"PostedDate": "2026-01-01T00:00:00Z", "FutureAmount": {"CurrencyCode": "XTS"}}]}


async def list_events(state: State, seller: Seller, request: Request) -> Reply:
    """GET /finances/v0/financialEvents"""
    asked = window(request, "PostedAfter", "PostedBefore")
    timelines = () if asked.is_too_long else (seller.events.claims, seller.events.sales)

    def fetch(last: Place | None, count: int) -> tuple[list[Place], bool]:
        return rows_after(timelines, *asked, last, count)

    page = state.pages.page(request, seller.id, "NextToken", size(request, "MaxResultsPerPage"), fetch)
    lists: dict[str, list[Any]] = {}
    for event in events_at(seller, page.places):
        lists.setdefault(f"{event.kind}EventList", []).append(document(event))
    if state.control.is_unknown:
        lists |= UNKNOWN
    return ok({"payload": {"FinancialEvents": lists} | state.pages.told(page.token, "NextToken")})


def events_at(seller: Seller, places: Iterable[Place]) -> list[Event]:
    """The events that stand at these places."""
    of = (seller.events.claim, seller.events.sale)
    return [of[place.source](place.number) for place in places]


def document(event: Event) -> dict[str, Any]:
    """One event, in the form that its list has."""
    posted = {"PostedDate": instant(event.at)}
    match event.kind:
        case "Adjustment":
            return posted | _adjustment(event)
        case "SAFETReimbursement":
            items = [{"productDescription": event.name, "quantity": str(event.quantity)}]
            amount = {"ReimbursedAmount": money(event.currency, event.amount), "ReasonCode": event.reason}
            return posted | amount | {"SAFETClaimId": event.reference, "SAFETReimbursementItemList": items}
        case "ServiceFee":
            # This kind has no date.
            fees = _components("Fee", event, event.parts)
            product = {"SellerSKU": event.sku, "ASIN": event.asin, "FeeDescription": event.name}
            return {"AmazonOrderId": event.order_id, "FeeReason": event.reason, "FeeList": fees} | product
        case "ChargeRefund":
            transactions = [
                {"ChargeAmount": money(event.currency, amount), "ChargeType": name} for name, amount in event.parts
            ]
            reason = {"ReasonCode": event.reason, "ReasonCodeDescription": "Money back for a charge"}
            return posted | reason | {"ChargeRefundTransactions": transactions}
        case "Retrocharge":
            amounts = {name: money(event.currency, amount) for name, amount in event.parts}
            about = {"RetrochargeEventType": "Retrocharge", "AmazonOrderId": event.order_id}
            return posted | about | amounts | {"MarketplaceName": "Amazon.com"}
        case "FBALiquidation":
            amounts = {f"Liquidation{name}Amount": money(event.currency, amount) for name, amount in event.parts}
            return posted | {"OriginalRemovalOrderId": event.reference} | amounts
        case _:
            return posted | _shipment(event)


def money(currency: str, amount: Decimal) -> dict[str, Any]:
    """An amount: here a number."""
    return {"CurrencyCode": currency, "CurrencyAmount": amount}


def _adjustment(event: Event) -> dict[str, Any]:
    total = money(event.currency, event.amount)
    item = {
        "Quantity": str(event.quantity),
        "TotalAmount": total,
        "SellerSKU": event.sku,
        "ProductDescription": event.name,
        "ASIN": event.asin,
    }
    return {"AdjustmentType": event.reason, "AdjustmentAmount": total, "AdjustmentItemList": [item]}


def _shipment(event: Event) -> dict[str, Any]:
    is_sale = event.kind == "Shipment"
    which = "" if is_sale else "Adjustment"
    charges, fees = event.parts[:1], event.parts[1:]
    item = {
        "SellerSKU": event.sku,
        "OrderItemId": event.order_id.replace("-", "")[3:],
        "QuantityShipped": event.quantity,
        f"ItemCharge{which}List": _components("Charge", event, charges),
        f"ItemFee{which}List": _components("Fee", event, fees),
    }
    if not is_sale:
        item["OrderAdjustmentItemId"] = event.reference
    about = {"AmazonOrderId": event.order_id, "SellerOrderId": event.order_id, "MarketplaceName": "Amazon.com"}
    return about | {f"ShipmentItem{which}List": [item]}


def _components(kind: str, event: Event, parts: Iterable[tuple[str, Decimal]]) -> list[dict[str, Any]]:
    return [{f"{kind}Type": name, f"{kind}Amount": money(event.currency, amount)} for name, amount in parts]
