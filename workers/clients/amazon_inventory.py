"""Amazon's FBA inventory, v1."""

from typing import Any

from workers.clients.amazon import Account, Page, Stock
from workers.clients.amazon_reading import (
    NAME_MAX,
    document,
    identity,
    inside,
    listed,
    next_token,
    page,
    text,
    total,
    whole,
    with_token,
)
from workers.clients.http import Request

OPERATION: str = "getInventorySummaries"
CONDITION_MAX = 50


def request(account: Account, token: str) -> Request:
    """Asks for a page. Without `details` Amazon tells no quantity but one."""
    params = {
        "details": "true",
        "granularityType": "Marketplace",
        "granularityId": account.marketplace_id,
        "marketplaceIds": account.marketplace_id,
    }
    return Request(OPERATION, "GET", "/fba/inventory/v1/summaries", with_token(params, "nextToken", token))


def read(data: Any) -> Page[Stock]:
    """A page. Raises ValueError."""
    summaries = listed(inside(data, "payload"), "inventorySummaries")
    return page(summaries, _stock, next_token(document(data).get("pagination"), "nextToken"))


def _stock(entry: Any) -> Stock:
    details = document(entry).get("inventoryDetails")
    inbound = ("inboundWorkingQuantity", "inboundShippedQuantity", "inboundReceivingQuantity")
    return Stock(
        sku=identity(entry, "sellerSku"),
        asin=text(entry, "asin"),
        fnsku=text(entry, "fnSku"),
        name=text(entry, "productName", NAME_MAX),
        available=whole(details, "fulfillableQuantity"),
        reserved=whole(document(details).get("reservedQuantity"), "totalReservedQuantity"),
        inbound=total(*(whole(details, name) for name in inbound)),
        total=whole(entry, "totalQuantity"),
        condition=text(entry, "condition", CONDITION_MAX),
    )
