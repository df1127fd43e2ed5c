"""The same events as version 2024-06-19 of the Finances API tells them: as transactions with an id and a total."""

import hashlib
from decimal import Decimal
from typing import Any

from fluxgate.sandbox.amazon.asking import SIZE_MAX, invalid, required, window
from fluxgate.sandbox.amazon.chance import instant
from fluxgate.sandbox.amazon.events import Event
from fluxgate.sandbox.amazon.finances_v0 import events_at
from fluxgate.sandbox.amazon.seller import Seller
from fluxgate.sandbox.amazon.state import State
from fluxgate.sandbox.amazon.timeline import Place, rows_after
from fluxgate.sandbox.replies import ok
from fluxgate.sandbox.serving import Reply, Request

STATUSES = ("DEFERRED", "RELEASED", "DEFERRED_RELEASED")
RELATED = ("FINANCIAL_EVENT_GROUP_ID", "ORDER_ID")
# One in so many waits to be paid out.
DEFERRED = 12


async def list_transactions(state: State, seller: Seller, request: Request) -> Reply:
    """GET /finances/2024-06-19/transactions"""
    query = request.query
    status, related = query.get("transactionStatus"), query.get("relatedIdentifierName")
    if status not in (None, *STATUSES):
        raise invalid(f"transactionStatus is one of {', '.join(STATUSES)}.")
    if related not in (None, *RELATED) or (related is None) != ("relatedIdentifierValue" not in query):
        raise invalid(f"relatedIdentifierName is one of {', '.join(RELATED)}, and has a relatedIdentifierValue.")
    if related is None:
        required(request, "postedAfter")
    asked = window(request, "postedAfter", "postedBefore")
    timelines = () if asked.is_too_long else (seller.events.claims, seller.events.sales)

    def fetch(last: Place | None, count: int) -> tuple[list[Place], bool]:
        return rows_after(timelines, *asked, last, count)

    page = state.pages.page(request, seller.id, "nextToken", SIZE_MAX, fetch)
    told = [
        document(state, seller, event)
        for event in events_at(seller, page.places)
        if status in (None, status_of(event))
        and (related is None or (related == "ORDER_ID" and event.order_id == query["relatedIdentifierValue"]))
    ]
    return ok({"payload": {"transactions": told} | state.pages.told(page.token, "nextToken")})


def status_of(event: Event) -> str:
    """Whether an amount has been paid out."""
    return "DEFERRED" if event.number % DEFERRED == 7 else "RELEASED"


def transaction_id(seller_id: str, event: Event) -> str:
    """The id of an event; other than in v0, each has one."""
    said = f"{seller_id}:{event.kind}:{event.number}"
    return hashlib.blake2b(said.encode(), digest_size=24).hexdigest()


def document(state: State, seller: Seller, event: Event) -> dict[str, Any]:
    """One transaction."""
    marketplace = state.settings.amazon_marketplace
    context = {"contextType": "ProductContext", "asin": event.asin, "sku": event.sku, "fulfillmentNetwork": "AFN"}
    breakdowns = [{"breakdownType": name, "breakdownAmount": money(event.currency, part)} for name, part in event.parts]
    item = {
        "description": event.name,
        "totalAmount": money(event.currency, event.amount),
        "breakdowns": breakdowns,
        "contexts": [context | {"quantityShipped": event.quantity}],
    }
    return {
        "sellingPartnerMetadata": {
            "sellingPartnerId": seller.id,
            "accountType": "Standard Orders",
            "marketplaceId": marketplace,
        },
        "relatedIdentifiers": [{"relatedIdentifierName": "ORDER_ID", "relatedIdentifierValue": event.order_id}],
        "transactionType": event.kind,
        "transactionId": transaction_id(seller.id, event),
        "transactionStatus": status_of(event) if not state.control.is_unknown else "PONDERED",
        "description": event.reason,
        "postedDate": instant(event.at),
        "totalAmount": money(event.currency, event.amount),
        "marketplaceDetails": {"marketplaceId": marketplace, "marketplaceName": "Amazon.com"},
        "items": [item],
        "breakdowns": breakdowns,
    }


def money(currency: str, amount: Decimal) -> dict[str, Any]:
    """An amount: here a number, too."""
    return {"currencyCode": currency, "currencyAmount": amount}
