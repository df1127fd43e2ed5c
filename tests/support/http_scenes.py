"""One request for each answer that the OpenAPI document shows, in an order in which they can be performed.

The same scenes prove the document against a running gateway and are written down in `docs/http.md`.
"""

import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec

import lua
from bench.ports import free_port
from contract.order_ids import parse_order_id
from contract.settings import Settings
from contract.transport import open_redis
from gateway.openapi_schemas import ORDER_ID
from tests.support.buckets import put_tokens
from tests.support.http import Response
from tests.support.processes import running_gateway
from tests.support.wire import exchange, head

KEY = "550e8400-e29b-41d4-a716-446655440000"
ADMIN_KEY = "the operator's key"
REQUEST_ID = "a-request"
# Shorter than the default that the document names, so that nobody waits.
BODY_TIMEOUT_S = 0.5
ACCEPTED_AT = "2026-11-27T08:00:00.000Z"
UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
_ORDER_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Stage(NamedTuple):
    """Where scenes are performed: gateways in three conditions, and the Valkey behind the first two."""

    open: int
    crowded: int
    away: int
    redis: lua.Client
    order_ids: dict[str, str]


Prepare = Callable[[Stage], Awaitable[object]]


class Scene(NamedTuple):
    """A request, the status that answers it, and the name of the documented example of that answer.

    `on` is the gateway: open; crowded, with an operator's key and without tokens; or away from Redis. `{order}` in a
    path is the order of the scene "accepted"; `prepare` brings about what the scene needs.
    """

    operation: str
    status: int
    example: str
    request: str
    body: str = ""
    headers: tuple[str, ...] = ()
    on: str = "open"
    prepare: Prepare | None = None
    missing: int = 0

    @property
    def lines(self) -> list[str]:
        """The headers as they are sent."""
        return [*self.headers, *([f"Content-Length: {len(self.body) + self.missing}"] if self.body else [])]


JSON = "Content-Type: application/json"
KEYED = (JSON, f"x-idempotency-key: {KEY}")
AS_PROGRAM = "Accept: application/json"
ORDER = '{"productId":"ps5-disc","userId":"user-42"}'
TOO_LARGE = '{"productId":"' + "p" * 16_400 + '"}'
INIT, PLACE = "POST /init", "POST /order"


def opened(quantity: int, limit: int = 0) -> Prepare:
    """A sale of this size, whose orders so far are forgotten."""

    async def prepare(stage: Stage) -> None:
        await lua.open_sale(stage.redis, lua.LaneKeys(0), "ps5-disc", quantity, limit)

    return prepare


async def deliver(stage: Stage) -> None:
    """Mark the order as delivered, as the worker that fulfils orders will."""
    found = parse_order_id(stage.order_ids["accepted"])
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
    Scene("placeOrder", 200, "accepted", PLACE, ORDER, KEYED),
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
    Scene("placeOrder", 200, "accepted", PLACE, ORDER, keyed("second-thoughts"), prepare=opened(50)),
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


@contextlib.asynccontextmanager
async def staged(redis_url: str, directory: Path) -> AsyncIterator[Stage]:
    """Three gateways on an emptied Valkey."""
    calm = Settings(redis_url=redis_url, rate_per_s=100_000, body_timeout_s=BODY_TIMEOUT_S, redis_timeout_s=1)
    crowded = msgspec.structs.replace(calm, rate_per_s=0.001, burst=1, admin_key=ADMIN_KEY)
    away = msgspec.structs.replace(calm, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    redis = open_redis(calm)
    await redis.flushall()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(redis.aclose)
        ports: list[int] = []
        for name, settings in (("open", calm), ("crowded", crowded), ("away", away)):
            own = directory / name
            own.mkdir()
            served = await stack.enter_async_context(running_gateway(msgspec.structs.replace(settings, data_dir=own)))
            ports.append(served.port)
        yield Stage(*ports, redis, {})


async def perform(stage: Stage, scene: Scene) -> tuple[str, Response]:
    """Play a scene; give the request line as it was sent, and the answer."""
    if scene.prepare is not None:
        await scene.prepare(stage)
    if scene.on == "crowded":
        await put_tokens(stage.redis, 0)
    line = scene.request.replace("{order}", stage.order_ids.get("accepted", ORDER_ID)) + " HTTP/1.1"
    raw = head(line, f"X-Request-Id: {REQUEST_ID}", *scene.lines)
    response = await exchange(getattr(stage, scene.on), raw, scene.body.encode())
    assert response is not None, scene
    if scene.example == "accepted" and scene.operation == "placeOrder":
        stage.order_ids["accepted"] = response.json()["orderId"]
    return line, response


def normalised(text: str) -> str:
    """The same text wherever and whenever it was made: ids, instants and times allowed are the document's."""
    text = text.replace(f"{BODY_TIMEOUT_S:g} seconds", f"{Settings().body_timeout_s:g} seconds")
    return _INSTANT.sub(ACCEPTED_AT, _ORDER_ID.sub(ORDER_ID, text))
