"""How the lists of what was read of an account at Amazon are described."""

from functools import partial
from typing import Any

from contract.amazon import PAGE_DEFAULT, PAGE_MAX
from gateway.openapi.amazon import AT, MARKETPLACE
from gateway.openapi.flat import done, route, told
from gateway.openapi.problems import INSTANT, Problem
from gateway.openapi.schemas import TEXT, Part, record, ref, word
from gateway.openapi.syncs import COUNTS, FAMILY
from gateway.openapi.webhooks import SIGNATURE

POSTED_AT = "2026-11-27T08:00:00Z"
"""What stands in the examples for an instant of Amazon's, which has whole seconds."""
CURSOR = "k6ZjbGFpbXPZ"
"""What stands in the examples for the cursor of a page."""
_COUNT: Part = {"type": "integer", "minimum": 0}
_WHOLE_OR_NULL: Part = {"type": ["integer", "null"]}
_TEXT_OR_NULL: Part = {"type": ["string", "null"]}
_FLAG: Part = {"type": "boolean"}
_INSTANT: Part = ref("schemas", "Instant")
_INSTANT_OR_NULL: Part = {"anyOf": [_INSTANT, {"type": "null"}]}
_CLAIM = {
    "claimId": f"EVT-{SIGNATURE}",
    "orderId": "854-4814924-3696076",
    "amount": 107.75,
    "currency": "USD",
    "status": "approved",
    "type": "retrocharge",
    "description": "Retrocharge",
    "createdAt": POSTED_AT,
    "syncedAt": INSTANT,
    "isMock": True,
}
_STOCK: Part = {
    "sku": "0000055",
    "asin": "B0B8E3BD5D",
    "fnsku": "X21256E884",
    "productName": "Paper Lantern, set of 55",
    "quantityAvailable": 26,
    "quantityReserved": 8,
    "quantityInbound": 35,
    "quantityTotal": 70,
    "condition": None,
    "warehouseLocation": None,
    "syncedAt": INSTANT,
    "isMock": True,
}
_ORDER: Part = {
    "orderId": "467-8767634-0727513",
    "purchaseDate": POSTED_AT,
    "lastUpdateDate": POSTED_AT,
    "status": "Shipped",
    "fulfillmentChannel": "FBM",
    "marketplaceId": MARKETPLACE,
    "total": 139.03,
    "currency": "USD",
    "itemsShipped": 3,
    "itemsUnshipped": 0,
    "items": [
        {
            "orderItemId": "8767634000025",
            "sku": 'B&W <75> "x"',
            "asin": "B04EB88FC6",
            "title": "Steel bottle 75 ml",
            "quantityOrdered": 3,
            "quantityShipped": 3,
            "price": 128.73,
            "currency": "USD",
        }
    ],
    "syncedAt": INSTANT,
    "isMock": True,
}
_BAD_LIMIT = Problem(400, "BAD_REQUEST", f"limit is a whole number from 1 to {PAGE_MAX}.")
_BAD_CURSOR = Problem(
    400, "CURSOR_UNKNOWN", "cursor is the nextCursor of the page before, unchanged. Begin again without one."
)
_route = partial(route, family=FAMILY)


def _query(name: str, text: str) -> Part:
    return {"name": name, "in": "query", "description": text, "schema": {"type": "string", "maxLength": 255}}


def _instant(name: str, text: str) -> Part:
    return {"name": name, "in": "query", "description": text, "schema": {"type": "string", "format": "date-time"}}


def _listed(name: str, of: str, schema: str, example: Part, total: int, text: str, *filters: Part) -> Part:
    """The route of a list; `of` is what it is called in its path and its answer."""
    whole: dict[str, Any] = {of: [example], "total": total, "limit": 1, "nextCursor": CURSOR}
    page = [
        {
            "name": "limit",
            "in": "query",
            "description": "Rows of a page.",
            "schema": {"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE_DEFAULT},
        },
        {
            "name": "cursor",
            "in": "query",
            "description": "`nextCursor` of the page before.",
            "schema": {"type": "string", "maxLength": 1536, "pattern": "^[A-Za-z0-9_-]+$"},
        },
    ]
    shown = done("A page of them.", schema, page=whole)
    path = f"{AT}/{of}"
    return {path: _route(path, "get", name, text, shown, _BAD_LIMIT, _BAD_CURSOR, parameters=[*page, *filters])}


PATHS: Part = {
    **_listed(
        "listClaims",
        "claims",
        "AmazonClaims",
        _CLAIM,
        COUNTS["claims"],
        "What Amazon gave back or took back, the newest first.",
        _query("type", "Of this type."),
        {
            "name": "status",
            "in": "query",
            "description": "Of this status.",
            "schema": word("approved", "pending", "denied"),
        },
        _query("orderId", "Of this order."),
        _instant("after", "Posted then or later."),
        _instant("before", "Posted before."),
    ),
    **_listed(
        "listInventory",
        "inventory",
        "AmazonInventory",
        _STOCK,
        COUNTS["inventory"],
        "What Amazon has in its warehouses, by SKU.",
        _query("sku", "This SKU."),
        _query("asin", "Of this ASIN."),
        {"name": "inStock", "in": "query", "description": "Whether there is any of it.", "schema": _FLAG},
    ),
    **_listed(
        "listAmazonOrders",
        "orders",
        "AmazonOrders",
        _ORDER,
        51,
        "Orders at Amazon, the newest first.",
        _query("status", "Of this status."),
        _query("channel", "FBA or FBM."),
        _instant("after", "Bought then or later."),
        _instant("before", "Bought before."),
    ),
}


def _page(of: str, fields: Part) -> Part:
    rows: Part = {"type": "array", "items": record(fields)}
    return told({of: rows, "total": _COUNT, "limit": _COUNT, "nextCursor": _TEXT_OR_NULL})


_OF_ROWS: Part = {"syncedAt": _INSTANT, "isMock": {"type": "boolean", "description": "It comes from the sandbox."}}
SCHEMAS: Part = {
    "AmazonClaims": _page(
        "claims",
        {
            "claimId": TEXT,
            "orderId": _TEXT_OR_NULL,
            "amount": {"type": "number", "description": "What was taken back is below zero."},
            "currency": TEXT,
            "status": {"enum": ["approved", "pending", "denied", None]},
            "type": TEXT,
            "description": _TEXT_OR_NULL,
            "createdAt": _INSTANT_OR_NULL,
            **_OF_ROWS,
        },
    ),
    "AmazonInventory": _page(
        "inventory",
        {
            "sku": TEXT,
            **dict.fromkeys(("asin", "fnsku", "productName"), _TEXT_OR_NULL),
            **dict.fromkeys(
                ("quantityAvailable", "quantityReserved", "quantityInbound", "quantityTotal"), _WHOLE_OR_NULL
            ),
            **dict.fromkeys(("condition", "warehouseLocation"), _TEXT_OR_NULL),
            **_OF_ROWS,
        },
    ),
    "AmazonOrders": _page(
        "orders",
        {
            "orderId": TEXT,
            **dict.fromkeys(("purchaseDate", "lastUpdateDate"), _INSTANT_OR_NULL),
            **dict.fromkeys(("status", "fulfillmentChannel", "marketplaceId"), _TEXT_OR_NULL),
            "total": {"type": ["number", "null"]},
            "currency": _TEXT_OR_NULL,
            **dict.fromkeys(("itemsShipped", "itemsUnshipped"), _WHOLE_OR_NULL),
            "items": {
                "type": ["array", "null"],
                "items": {"type": "object"},
                "description": "What was ordered; null where it was not asked for.",
            },
            **_OF_ROWS,
        },
    ),
}
