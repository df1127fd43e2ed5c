"""How the routes of store orders and promo codes are described."""

from contract.store_orders import PAGE_MAX, PAGE_SIZE, PAGE_SIZE_MAX, OrderBody, PromoBody
from gateway.openapi.envelopes import api, json_body, listing, struct_schemas, success
from gateway.openapi.problems import INSTANT, KEYS_DIFFER, Problem
from gateway.openapi.schemas import ORDER_ID, TEXT, Part, record, ref, word
from gateway.store_orders import ORDER_EXAMPLE, PROMO_EXAMPLE

FAMILY = "Store orders"
_BOUGHT = {"items": [{"gameId": "half-life", "quantity": 2}], "promoCode": "SPRING"}
_ORDER = {
    "id": ORDER_ID,
    "userId": ORDER_ID,
    "status": "PROCESSING",
    "total": 35.98,
    "subtotal": 39.98,
    "discount": 4.0,
    "promoCode": "SPRING",
    "fromSale": False,
    "reason": None,
    "items": [{"gameId": "half-life", "quantity": 2, "price": 19.99}],
    "createdAt": INSTANT,
    "updatedAt": INSTANT,
}
_KEY = {"gameId": "half-life", "title": "Half-Life", "key": "ABCDE-FGHIJ-KLMNO", "deliveredAt": INSTANT}
_PROMO = {
    "code": "SPRING",
    "percent": 10.0,
    "amount": None,
    "validFrom": INSTANT,
    "validUntil": None,
    "usesMax": 100,
    "used": 0,
}
_NO_ORDER = Problem(404, "ORDER_NOT_FOUND", "There is no order of this id.")
_BAD_PAGE = Problem(400, "BAD_REQUEST", "Ask for a page such as ?page=1&limit=20.")

_PLACE = api(
    "placeStoreOrder",
    "Order games and pay them from the balance; with a key that has made an order, that order as it stands.",
    FAMILY,
    {
        "200": success(
            "The order that this key has made before.", "StoreOrder", "Idempotent-Replayed", repeated=_ORDER
        ),
        "201": success("The order is paid, and its keys are being bought.", "StoreOrder", placed=_ORDER),
    },
    Problem(
        400,
        "BAD_REQUEST",
        f"Expected `array` of length >= 1, in the field items. Send JSON such as {ORDER_EXAMPLE}.",
    ),
    Problem(
        400,
        "MISSING_IDEMPOTENCY_KEY",
        "Send a key of your own in the header Idempotency-Key, such as a UUID, and repeat the order with it.",
    ),
    Problem(400, "INSUFFICIENT_BALANCE", "The order comes to 19.99, and the balance is 0.00.", "deposit"),
    Problem(400, "PROMO_CODE_UNKNOWN", "There is no such promo code."),
    Problem(400, "PROMO_CODE_EXPIRED", "The promo code is not valid any more."),
    Problem(400, "PROMO_CODE_EXHAUSTED", "The promo code has been used as often as it may be."),
    Problem(404, "GAME_NOT_FOUND", "There is no game half-life-3 for sale."),
    Problem(404, "OUT_OF_STOCK", "There are 3 left of the game portal, fewer than were asked for."),
    Problem(
        422,
        "IDEMPOTENCY_KEY_REUSED",
        "This idempotency key belongs to another order. Use a new key for a new one.",
    ),
    audience="people",
    writes=True,
    body=json_body("OrderBody", _BOUGHT),
    parameters=[ref("parameters", "StoreKey")],
)
_READ_ALL = api(
    "readStoreOrders",
    "The orders of whoever asks, the newest first.",
    FAMILY,
    {
        "200": listing(
            "A page of them.",
            "StoreOrder",
            "Age",
            orders={"results": [_ORDER], "pagination": {"page": 1, "limit": 20, "total": 1, "pages": 1}},
        )
    },
    _BAD_PAGE,
    audience="people",
    parameters=[ref("parameters", "Page"), ref("parameters", "PageSize")],
)
_READ = api(
    "readStoreOrder",
    "One order of whoever asks.",
    FAMILY,
    {"200": success("The order as it stands.", "StoreOrder", "Age", order=_ORDER)},
    _NO_ORDER,
    audience="people",
    parameters=[ref("parameters", "StoreOrderId")],
)
_CANCEL = api(
    "cancelStoreOrder",
    "Give an order up whose keys are not being bought yet. Money and stock go back, once; repeated, it says the same.",
    FAMILY,
    {"200": success("The order is cancelled.", "StoreOrder", cancelled=_ORDER | {"status": "CANCELLED"})},
    _NO_ORDER,
    Problem(409, "ORDER_NOT_CANCELLABLE", "The order is completed, so it cannot be cancelled.", "none"),
    audience="people",
    writes=True,
    parameters=[ref("parameters", "StoreOrderId")],
)
_READ_KEYS = api(
    "readKeys",
    "The keys of a completed order, for its buyer. They are sealed until this answer, and kept in no cache.",
    FAMILY,
    {
        "200": success("The keys.", "OrderKeys", keys={"orderId": ORDER_ID, "keys": [_KEY]}),
        "202": ref("responses", "PendingSealed"),
    },
    _NO_ORDER,
    Problem(
        409,
        "ORDER_NOT_COMPLETED",
        "The keys of this order are not there yet. Ask again when it is completed.",
        "retry_later",
        retryable=True,
    ),
    Problem(409, "ORDER_HAS_NO_KEYS", "This order has no keys: it is refunded.", "none"),
    KEYS_DIFFER,
    Problem(503, "VAULT_CLOSED"),
    audience="people",
    parameters=[ref("parameters", "StoreOrderId")],
)
_PROMO_CODE = api(
    "putPromoCode",
    "Write a promo code, new or anew: it takes a percent of the subtotal off, or an amount.",
    FAMILY,
    {"200": success("The code as it is now.", "PromoCode", written=_PROMO)},
    Problem(
        400,
        "BAD_REQUEST",
        f"A promo code takes off a percent or an amount, one of the two. Send JSON such as {PROMO_EXAMPLE}.",
    ),
    Problem(409, "PROMO_CODE_USED", "The code has been used more often already."),
    audience="administrators",
    writes=True,
    body=json_body("PromoBody", {"percent": 10, "usesMax": 100}),
    parameters=[ref("parameters", "PromoCode")],
)

PATHS: Part = {
    "/api/orders": {"post": _PLACE, "get": _READ_ALL},
    "/api/orders/{orderId}": {"get": _READ},
    "/api/orders/{orderId}/cancel": {"post": _CANCEL},
    "/api/orders/{orderId}/keys": {"get": _READ_KEYS},
    "/api/promo-codes/{code}": {"put": _PROMO_CODE},
}
_INSTANT_OR_NULL: Part = {"anyOf": [ref("schemas", "Instant"), {"type": "null"}]}
_TEXT_OR_NULL: Part = {"type": ["string", "null"]}
_NUMBER_OR_NULL: Part = {"type": ["number", "null"], "minimum": 0}
_COUNT: Part = {"type": "integer", "minimum": 0}
SCHEMAS: Part = {
    **struct_schemas(OrderBody, PromoBody),
    "StoreOrder": record(
        {
            "id": ref("schemas", "OrderId"),
            "userId": TEXT,
            "status": word("PENDING", "PROCESSING", "COMPLETED", "FAILED", "CANCELLED", "REFUNDED"),
            "total": ref("schemas", "Money"),
            "subtotal": ref("schemas", "Money"),
            "discount": ref("schemas", "Money"),
            "promoCode": _TEXT_OR_NULL,
            "fromSale": {"type": "boolean", "description": "It began in a flash sale, and has its id there."},
            "reason": {**_TEXT_OR_NULL, "description": "Why it failed, or has fewer keys than were ordered."},
            "items": {
                "type": "array",
                "items": record(
                    {
                        "gameId": ref("schemas", "GameId"),
                        "quantity": {"type": "integer", "minimum": 1},
                        "price": ref("schemas", "Money"),
                    }
                ),
            },
            "createdAt": ref("schemas", "Instant"),
            "updatedAt": ref("schemas", "Instant"),
        }
    ),
    "OrderKeys": record(
        {
            "orderId": ref("schemas", "OrderId"),
            "keys": {
                "type": "array",
                "items": record(
                    {
                        "gameId": ref("schemas", "GameId"),
                        "title": TEXT,
                        "key": TEXT,
                        "deliveredAt": ref("schemas", "Instant"),
                    }
                ),
            },
        }
    ),
    "PromoCode": record(
        {
            "code": TEXT,
            "percent": _NUMBER_OR_NULL,
            "amount": _NUMBER_OR_NULL,
            "validFrom": ref("schemas", "Instant"),
            "validUntil": _INSTANT_OR_NULL,
            "usesMax": {"type": ["integer", "null"], "minimum": 0},
            "used": _COUNT,
        }
    ),
}


def _pages(name: str, text: str, most: int, default: int) -> Part:
    schema = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    return {"name": name, "in": "query", "description": text, "schema": schema}


PARAMETERS: Part = {
    "StoreKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Unique to the intention of one order; repeat it with every retry. Or in the body.",
        "schema": TEXT,
        "example": "b7e23ec2-8a5b-4a3e-9f2e-0c6d7a1e4f10",
    },
    "StoreOrderId": {
        "name": "orderId",
        "in": "path",
        "required": True,
        "description": "As the order has it.",
        "schema": {"type": "string", "minLength": 1},
        "example": ORDER_ID,
    },
    "PromoCode": {
        "name": "code",
        "in": "path",
        "required": True,
        "description": "What a buyer types in.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,32}$"},
        "example": "SPRING",
    },
    "Page": _pages("page", "Which page.", PAGE_MAX, 1),
    "PageSize": _pages("limit", "Results of a page.", PAGE_SIZE_MAX, PAGE_SIZE),
}
