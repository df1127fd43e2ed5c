"""How the routes of the sale, and of its operation, are described."""

from gateway.openapi.schemas import (
    ORDER_ID,
    Part,
    answer,
    body,
    error,
    guarded,
    query,
    ref,
    responses,
    route,
    with_body,
)

_ORDER_EXAMPLE = 'Send JSON such as {"productId":"ps5-disc","userId":"user-42"}.'
_SALE_EXAMPLE = 'Send JSON such as {"productId":"ps5-disc","quantity":50}.'

_ORDER = route(
    "placeOrder",
    "Order a product.",
    guarded(
        **with_body(
            s200=answer(
                "The order is accepted and will be fulfilled, or was by an earlier request with this key.",
                "Decision",
                {
                    "accepted": {"status": "success", "msg": "Order accepted", "orderId": ORDER_ID},
                    "duplicate": {"status": "ignored", "msg": "Duplicate request", "orderId": ORDER_ID},
                },
                "Idempotent-Replayed",
            ),
            s400=answer(
                "The request is malformed; nothing was taken.",
                "BadOrder",
                {
                    "missing-key": {"error": "Missing Idempotency Key"},
                    "wrong-quantity": {
                        "status": "error",
                        "msg": f"Expected `int` >= 1, in the field quantity. {_ORDER_EXAMPLE}",
                    },
                    "malformed-key": {
                        "status": "error",
                        "msg": "The idempotency key must be 1 to 255 visible ASCII characters, such as a UUID.",
                    },
                },
            ),
            s404=ref("responses", "NoProduct"),
            s409=answer(
                "There is not enough left, or the buyer has what one may have. The key may be used again.",
                "Conflict",
                {
                    "sold-out": {"status": "sold_out", "msg": "Inventory empty"},
                    "too-few": {
                        "status": "sold_out",
                        "msg": "Only 2 left, fewer than you asked for",
                        "available": 2,
                    },
                    "limit-reached": {"status": "limit_reached", "msg": "This sale allows 2 per buyer", "limit": 2},
                },
            ),
            s422=error(
                "The key belongs to another request.",
                "This idempotency key belongs to another request. Use a new key for a new order.",
            ),
        )
    ),
    "XIdempotencyKey",
    "IdempotencyKey",
    "Accept",
    requestBody=body("OrderRequest", {"productId": "ps5-disc", "userId": "user-42"}),
)

_STATUS = route(
    "readStatus",
    "What has become of an order.",
    guarded(
        s200=answer(
            "The order as it stands.",
            "OrderStatus",
            {
                "accepted": {
                    "status": "ok",
                    "orderId": ORDER_ID,
                    "productId": "ps5-disc",
                    "userId": "user-42",
                    "quantity": 1,
                    "state": "accepted",
                    "acceptedAt": "2026-11-27T08:00:00.000Z",
                }
            },
            "Cache-Control",
        ),
        s404=ref("responses", "NoOrder"),
    ),
    "OrderId",
    "Accept",
)

_CANCEL = route(
    "cancelOrder",
    "Give the units of an order back; repeated, it answers the same and gives nothing twice.",
    guarded(
        s200=answer(
            "The order is cancelled.", "Cancelled", {"cancelled": {"status": "cancelled", "orderId": ORDER_ID}}
        ),
        s404=ref("responses", "NoOrder"),
        s409=answer(
            "The order is in a state that cannot be cancelled.",
            "NotCancelled",
            {
                "fulfilled": {
                    "status": "fulfilled",
                    "msg": "The order is fulfilled, so it cannot be cancelled.",
                    "orderId": ORDER_ID,
                }
            },
        ),
    ),
    "OrderId",
    "Accept",
)

_INIT = route(
    "openSale",
    "Open a sale, or close the running one and open it anew.",
    responses(
        **with_body(
            s200=answer(
                "The sale is open.",
                "Done",
                {"opened": {"status": "ok", "msg": "Stock initialized for ps5-disc to 50"}},
            ),
            s400=error(
                "The request is malformed; no sale was touched.",
                f"Expected `int` >= 0, in the field quantity. {_SALE_EXAMPLE}",
            ),
            s401=error(
                "The operator's key is missing or wrong.",
                "This route asks for the X-Admin-Key of this installation, or for an administrator's access token.",
            ),
            s503=ref("responses", "NotReady"),
        )
    ),
    "AdminKey",
    requestBody=body("SaleRequest", {"productId": "ps5-disc", "quantity": 50}),
)

_INVENTORY = route(
    "readInventory",
    "The stock that a sale opened with, and what is left of it.",
    guarded(
        s200=answer(
            "The stock of this moment.",
            "Inventory",
            {"stock": {"status": "ok", "productId": "ps5-disc", "quantity": 50, "available": 49}},
            "Cache-Control",
        ),
        s400=ref("responses", "BadProduct"),
        s404=ref("responses", "NoProduct"),
    ),
    "ProductId",
    "Accept",
)

_ADMISSION = route(
    "readAdmission",
    "May somebody in the waiting room go back now, and when to ask again. Takes no token; any origin may ask.",
    responses(
        s200=answer(
            "How full it is.",
            "Room",
            {
                "open": {"status": "open", "retryAfterMs": 1000, "msg": "There is room."},
                "sold-out": {
                    "status": "sold_out",
                    "retryAfterMs": 30000,
                    "msg": "Everything is sold. A unit may come back if somebody cancels.",
                },
            },
            "Cache-Control",
        ),
        s400=ref("responses", "BadProduct"),
        s503=ref("responses", "NotReady"),
    ),
)
_ADMISSION["parameters"].append(
    {
        "name": "productId",
        "in": "query",
        "description": "The product that is waited for.",
        "required": False,
        "schema": {"type": "string"},
    }
)

_EVENTS = route(
    "watchEvents",
    "Live events over a WebSocket: each message is one Event as JSON.",
    responses(
        s101={
            "description": "The connection is a WebSocket now. A watcher that reads too slowly is told so and closed.",
            "x-message": ref("schemas", "Event"),
        },
        s400={"description": "More than 100 products and orders, or a malformed request. The status stands alone."},
        s426=error(
            "The request is no WebSocket handshake.",
            "This route speaks WebSocket: connect to it with a WebSocket client.",
            headers=("Upgrade",),
        ),
        s429={"description": "There is no token for this watcher. The status stands alone."},
        s503={"description": "The sale is not ready, or too many watch. The status stands alone."},
    ),
)
_EVENTS["parameters"] += [
    query("productId", "Only events of these products; all without it."),
    query("orderId", "Events of these orders, with their ids. Orders of others come without ids."),
]

_LIVEZ = route(
    "livez",
    "This process answers.",
    responses(s200=answer("It does.", "Healthy", {"ok": {"status": "ok"}}, "Cache-Control")),
    family="Operation",
)
_READYZ = route(
    "readyz",
    "An order would be decided now.",
    responses(
        s200=answer("It would.", "Healthy", {"ok": {"status": "ok"}}, "Cache-Control"),
        s503=error("It would not.", "Redis does not answer, so nothing can be sold.", headers=("Cache-Control",)),
    ),
    family="Operation",
)
_METRICS = route(
    "metrics",
    "Figures for Prometheus.",
    responses(
        s200={
            "description": "The text format of Prometheus, or OpenMetrics where the header Accept names it.",
            "headers": {name: ref("headers", name) for name in ("Cache-Control", "X-Request-Id")},
            "content": {
                kind: {"schema": {"type": "string"}} for kind in ("text/plain", "application/openmetrics-text")
            },
        }
    ),
    family="Operation",
)
_OPENAPI = route(
    "openapi",
    "This document.",
    responses(
        s200={
            "description": "An OpenAPI document of version 3.1.",
            "headers": {"X-Request-Id": ref("headers", "X-Request-Id")},
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    ),
    family="Operation",
)
_SIGNPOST = route(
    "signpost",
    "What this is.",
    responses(
        s200=answer(
            "Where to read on.",
            "Done",
            {"signpost": {"status": "ok", "msg": "This is Flux-Gate. Its routes are described at /openapi.json."}},
        )
    ),
    family="Operation",
)

SALE: Part = {
    "/init": {"post": _INIT},
    "/order": {"post": _ORDER},
    "/status/{orderId}": {"get": _STATUS},
    "/inventory/{productId}": {"get": _INVENTORY},
    "/cancel/{orderId}": {"post": _CANCEL},
    "/events": {"get": _EVENTS},
    "/admission": {"get": _ADMISSION},
}
OPERATION: Part = {
    "/livez": {"get": _LIVEZ},
    "/readyz": {"get": _READYZ},
    "/metrics": {"get": _METRICS},
    "/openapi.json": {"get": _OPENAPI},
    "/": {"get": _SIGNPOST},
}
