"""Scenes of the sale: one request for each answer that the OpenAPI document shows of its routes."""

from typing import Any, cast

import lua
from contract.order_ids import parse_order_id
from tests.support.http_stage import KEY, UPGRADE, Prepare, Scene, Stage

JSON = "Content-Type: application/json"
KEYED = (JSON, f"x-idempotency-key: {KEY}")
AS_PROGRAM = "Accept: application/json"
ORDER = '{"productId":"ps5-disc","userId":"user-42"}'
TOO_LARGE = '{"productId":"' + "p" * 16_400 + '"}'
ORDER_KEPT = (("{order}", "orderId"),)
INIT, PLACE = "POST /init", "POST /order"


def opened(quantity: int, limit: int = 0) -> Prepare:
    """A sale of this size, whose orders so far are forgotten."""

    async def prepare(stage: Stage) -> None:
        await lua.open_sale(stage.redis, lua.LaneKeys(0), "ps5-disc", quantity, limit)

    return prepare


async def deliver(stage: Stage) -> None:
    """Mark the order as delivered, as the worker that fulfils orders will."""
    found = parse_order_id(stage.known["{order}"])
    assert found
    redis, key = cast(Any, stage.redis), lua.LaneKeys(0).order(found[1])
    await redis.set(key, b"d" + (await redis.get(key))[1:])


async def _empty_shelf(stage: Stage) -> None:
    """A sale of nothing."""
    await lua.open_sale(stage.redis, lua.LaneKeys(0), "gone", 0, 0)


def keyed(key: str) -> tuple[str, ...]:
    """The headers of an order with this key."""
    return (JSON, f"x-idempotency-key: {key}")


SCENES = [
    Scene("openSale", 200, "opened", INIT, '{"productId":"ps5-disc","quantity":50}', (JSON,)),
    Scene("openSale", 400, "expected-int->=-0-in", INIT, '{"productId":"ps5-disc","quantity":-1}', (JSON,)),
    Scene(
        "openSale",
        401,
        "this-route-asks-for-the",
        INIT,
        '{"productId":"ps5-disc","quantity":50}',
        (JSON, "X-Admin-Key: a guess"),
        "crowded",
    ),
    Scene("openSale", 408, "the-body-did-not-arrive", INIT, "{", (JSON,), missing=40),
    Scene("openSale", 413, "the-body-is-larger-than", INIT, TOO_LARGE, (JSON,)),
    Scene("openSale", 415, "send-the-body-as-json", INIT, "productId=ps5-disc", ("Content-Type: text/plain",)),
    Scene("openSale", 503, "the-sale-is-not-ready", INIT, '{"productId":"ps5-disc","quantity":50}', (JSON,), "away"),
    Scene("placeOrder", 200, "accepted", PLACE, ORDER, KEYED, keep=ORDER_KEPT),
    Scene("placeOrder", 200, "duplicate", PLACE, ORDER, KEYED),
    Scene("placeOrder", 302, "", PLACE, ORDER, keyed("divert-me"), "crowded"),
    Scene("placeOrder", 429, "the-sale-is-crowded-come", PLACE, ORDER, (*keyed("divert-me"), AS_PROGRAM), "crowded"),
    Scene("placeOrder", 400, "missing-key", PLACE, ORDER, (JSON,)),
    Scene("placeOrder", 400, "malformed-key", PLACE, ORDER, (JSON, "Idempotency-Key: two words")),
    Scene(
        "placeOrder", 400, "wrong-quantity", PLACE, '{"productId":"ps5-disc","userId":"user-42","quantity":0}', KEYED
    ),
    Scene("placeOrder", 404, "there-is-no-sale-of", PLACE, '{"productId":"ps6","userId":"u"}', keyed("too-early")),
    Scene("placeOrder", 408, "the-body-did-not-arrive", PLACE, "{", KEYED, missing=40),
    Scene("placeOrder", 413, "the-body-is-larger-than", PLACE, TOO_LARGE, KEYED),
    Scene(
        "placeOrder", 415, "send-the-body-as-json", PLACE, "productId=ps5-disc", ("Content-Type: text/plain", KEYED[1])
    ),
    Scene(
        "placeOrder", 422, "this-idempotency-key-belongs-to", PLACE, '{"productId":"ps5-disc","userId":"user-7"}', KEYED
    ),
    Scene("placeOrder", 503, "the-sale-is-not-ready", PLACE, ORDER, keyed("later"), "away"),
    Scene("readStatus", 200, "accepted", "GET /status/{order}"),
    Scene("readStatus", 302, "", "GET /status/{order}", on="crowded"),
    Scene("readStatus", 429, "the-sale-is-crowded-come", "GET /status/{order}", headers=(AS_PROGRAM,), on="crowded"),
    Scene("readStatus", 404, "there-is-no-order-of", "GET /status/42"),
    Scene("readStatus", 503, "the-sale-is-not-ready", "GET /status/{order}", on="away"),
    Scene("readInventory", 200, "stock", "GET /inventory/ps5-disc"),
    Scene("readInventory", 302, "", "GET /inventory/ps5-disc", on="crowded"),
    Scene(
        "readInventory", 429, "the-sale-is-crowded-come", "GET /inventory/ps5-disc", headers=(AS_PROGRAM,), on="crowded"
    ),
    Scene("readInventory", 400, "a-product-id-has-1", "GET /inventory/" + "p" * 129),
    Scene("readInventory", 404, "there-is-no-sale-of", "GET /inventory/ps6"),
    Scene("readInventory", 503, "the-sale-is-not-ready", "GET /inventory/ps5-disc", on="away"),
    Scene("readAdmission", 200, "open", "GET /admission?productId=ps5-disc"),
    Scene("readAdmission", 400, "a-product-id-has-1", "GET /admission?productId=" + "p" * 129),
    Scene("readAdmission", 503, "the-sale-is-not-ready", "GET /admission?productId=ps5-disc", on="away"),
    Scene("cancelOrder", 302, "", "POST /cancel/{order}", on="crowded"),
    Scene("cancelOrder", 429, "the-sale-is-crowded-come", "POST /cancel/{order}", headers=(AS_PROGRAM,), on="crowded"),
    Scene("cancelOrder", 409, "fulfilled", "POST /cancel/{order}", prepare=deliver),
    Scene("cancelOrder", 404, "there-is-no-order-of", "POST /cancel/42"),
    Scene("cancelOrder", 503, "the-sale-is-not-ready", "POST /cancel/{order}", on="away"),
    Scene("placeOrder", 200, "accepted", PLACE, ORDER, keyed("second-thoughts"), prepare=opened(50), keep=ORDER_KEPT),
    Scene("cancelOrder", 200, "cancelled", "POST /cancel/{order}"),
    Scene(
        "placeOrder",
        409,
        "too-few",
        PLACE,
        '{"productId":"ps5-disc","userId":"user-42","quantity":3}',
        keyed("three"),
        prepare=opened(2),
    ),
    Scene("placeOrder", 409, "sold-out", PLACE, ORDER, keyed("late"), prepare=opened(0)),
    Scene(
        "placeOrder",
        409,
        "limit-reached",
        PLACE,
        '{"productId":"ps5-disc","userId":"user-42","quantity":3}',
        keyed("greedy"),
        prepare=opened(9, 2),
    ),
    Scene("readAdmission", 200, "sold-out", "GET /admission?productId=gone", prepare=_empty_shelf),
    Scene("watchEvents", 101, "", "GET /events?productId=ps5-disc", headers=UPGRADE),
    Scene("watchEvents", 426, "this-route-speaks-websocket-connect", "GET /events"),
    Scene(
        "watchEvents",
        400,
        "",
        "GET /events?" + "&".join(f"productId={i}" for i in range(101)),
        headers=UPGRADE,
    ),
    Scene("watchEvents", 429, "", "GET /events", headers=UPGRADE, on="crowded"),
    Scene("watchEvents", 503, "", "GET /events", headers=UPGRADE, on="away"),
    Scene("livez", 200, "ok", "GET /livez"),
    Scene("readyz", 200, "ok", "GET /readyz"),
    Scene("readyz", 503, "redis-does-not-answer-so", "GET /readyz", on="away"),
    Scene("metrics", 200, "", "GET /metrics"),
    Scene("openapi", 200, "", "GET /openapi.json"),
    Scene("signpost", 200, "signpost", "GET /"),
]
