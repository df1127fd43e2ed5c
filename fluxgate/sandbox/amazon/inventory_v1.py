"""The inventory as version v1 of the FBA Inventory API tells it. The token of a page is good for half a minute."""

from typing import Any

from fluxgate.sandbox.amazon.asking import instant as asked_instant
from fluxgate.sandbox.amazon.asking import invalid, listed, required
from fluxgate.sandbox.amazon.chance import instant
from fluxgate.sandbox.amazon.seller import Seller
from fluxgate.sandbox.amazon.state import State
from fluxgate.sandbox.amazon.stock import Stock
from fluxgate.sandbox.replies import ok
from fluxgate.sandbox.serving import Reply, Request

PAGE_SIZE = 50
SKUS_MAX = 50


async def list_summaries(state: State, seller: Seller, request: Request) -> Reply:
    """GET /fba/inventory/v1/summaries"""
    query = request.query
    if required(request, "granularityType") != "Marketplace":
        raise invalid("granularityType is Marketplace.")
    granularity = {"granularityType": "Marketplace", "granularityId": required(request, "granularityId")}
    required(request, "marketplaceIds")
    is_here = listed(request, "marketplaceIds", 1) == [state.settings.amazon_marketplace]
    if query.get("details", "false") not in ("true", "false"):
        raise invalid("details is true or false.")
    skus = {*listed(request, "sellerSkus", SKUS_MAX), *([query["sellerSku"]] if "sellerSku" in query else [])}
    since = asked_instant(request, "startDateTime")

    def fetch(last: int | None, count: int) -> tuple[list[int], bool]:
        if not is_here:
            return [], False
        return seller.warehouse.next_numbers(-1 if last is None else last, count)

    page = state.pages.page(request, seller.id, "nextToken", PAGE_SIZE, fetch)
    rows = [
        document(stock, query.get("details") == "true")
        for stock in map(seller.warehouse.stock, page.places)
        if (not skus or stock.sku in skus) and (since is None or stock.updated_at >= since)
    ]
    told: dict[str, Any] = {"payload": {"granularity": granularity, "inventorySummaries": rows}}
    pagination = state.pages.told(page.token, "nextToken")
    return ok(told | ({"pagination": pagination} if pagination else {}))


def document(stock: Stock, has_details: bool) -> dict[str, Any]:
    """One SKU."""
    summary: dict[str, Any] = {
        "asin": stock.asin,
        "fnSku": stock.fnsku,
        "sellerSku": stock.sku,
        "condition": stock.condition,
        "lastUpdatedTime": instant(stock.updated_at),
        "productName": stock.name,
        "totalQuantity": stock.total,
        "stores": [],
    }
    return summary | {"inventoryDetails": _details(stock)} if has_details else summary


def _details(stock: Stock) -> dict[str, Any]:
    working, shipped, receiving = stock.inbound
    return {
        "fulfillableQuantity": stock.available,
        "inboundWorkingQuantity": working,
        "inboundShippedQuantity": shipped,
        "inboundReceivingQuantity": receiving,
        "reservedQuantity": {
            "totalReservedQuantity": stock.reserved,
            "pendingCustomerOrderQuantity": stock.reserved,
            "pendingTransshipmentQuantity": 0,
            "fcProcessingQuantity": 0,
        },
        "researchingQuantity": {"totalResearchingQuantity": stock.researching, "researchingQuantityBreakdown": []},
        "unfulfillableQuantity": {
            "totalUnfulfillableQuantity": stock.unfulfillable,
            "customerDamagedQuantity": stock.unfulfillable,
            "warehouseDamagedQuantity": 0,
            "distributorDamagedQuantity": 0,
            "carrierDamagedQuantity": 0,
            "defectiveQuantity": 0,
            "expiredQuantity": 0,
        },
    }
