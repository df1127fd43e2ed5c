"""The straightforward gateway, which batching is measured against: one Lua call per request, through redis-py.

It has the same server, the same checks of what comes in, the same decisions, the same Valkey with the same durability,
and the replies of the contract. It leaves out what a straightforward gateway would leave out: metrics, events, request
ids, limits per client, fences. What it accepts, `baseline_worker.py` brings to Postgres.
"""

import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from redis.asyncio import BlockingConnectionPool, Redis
from redis.commands.core import AsyncScript

from contract.settings import read_settings

BODY_BYTES_MAX = 16_384
KEY_CHARACTERS_MAX = 255
# Connections to Valkey; 16, 32, 64 and 256 of them were equally fast.
REDIS_CONNECTIONS = 64
JSON = [(b"content-type", b"application/json")]
SOURCE = Path(__file__).with_name("one_call.lua").read_text(encoding="utf-8")
SETTINGS = read_settings()

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Name = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Order(msgspec.Struct):
    """The body of `POST /order`."""

    productId: Name
    userId: Name


class Sale(msgspec.Struct):
    """The body of `POST /init`."""

    productId: Name
    quantity: Annotated[int, Meta(ge=0, le=1_000_000_000)]


ORDER = msgspec.json.Decoder(Order)
SALE = msgspec.json.Decoder(Sale)


class _Redis:
    """The client of this process, made inside its event loop."""

    client: Redis
    script: AsyncScript


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """The ASGI application: `POST /order` and `POST /init`."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    body = await _read_body(receive)
    if body is None:
        status, reply = 413, {"error": "The body has more than 16 KiB"}
    elif scope["path"] == "/order" and scope["method"] == "POST":
        status, reply = await order(scope["headers"], body)
    elif scope["path"] == "/init" and scope["method"] == "POST":
        status, reply = await open_sale(body)
    else:
        status, reply = 404, {"error": "No such path"}
    packed = msgspec.json.encode(reply)
    headers = [*JSON, (b"content-length", b"%d" % len(packed))]
    if status == 302:
        headers += [(b"location", SETTINGS.waiting_room_at.encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": packed})


async def order(headers: list[tuple[bytes, bytes]], body: bytes) -> tuple[int, dict[str, object]]:
    """Check one order, decide it by one call, and say so: status and reply."""
    key = content_type = b""
    for name, value in headers:
        if name == b"x-idempotency-key":
            key = value
        elif name == b"content-type":
            content_type = value
    if not key:
        return 400, {"error": "Missing Idempotency Key"}
    if len(key) > KEY_CHARACTERS_MAX or not key.isascii() or not key.decode().isprintable():
        return 400, {"error": "The idempotency key has 1 to 255 visible ASCII characters"}
    if not content_type.startswith(b"application/json"):
        return 415, {"error": "Content-Type must be application/json"}
    try:
        wanted = ORDER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return 400, {"status": "error", "msg": str(error)}
    order_id = new_order_id()
    payload = msgspec.msgpack.encode((order_id, key, wanted.productId, wanted.userId))
    outcome, made = await _Redis.script(
        keys=["one:bucket", "one:stock:" + wanted.productId, b"one:key:" + key, "one:outbox"],
        args=[
            SETTINGS.rate_per_s,
            SETTINGS.burst_tokens,
            wanted.userId + "\n" + wanted.productId,
            order_id,
            payload,
            SETTINGS.idempotency_ttl_s,
        ],
    )
    return say(outcome, made.decode())


def say(outcome: bytes, order_id: str) -> tuple[int, dict[str, object]]:
    """The status and the reply for one decision of the script."""
    match outcome:
        case b"accepted":
            return 200, {"status": "success", "msg": "Order accepted", "orderId": order_id}
        case b"replayed":
            return 200, {"status": "ignored", "msg": "Duplicate request", "orderId": order_id}
        case b"mismatch":
            return 422, {"status": "error", "msg": "This key belongs to another order"}
        case b"throttled":
            return 302, {"status": "redirect", "msg": "Waiting room"}
        case b"sold_out":
            return 409, {"status": "sold_out", "msg": "Inventory empty"}
        case _:
            return 404, {"status": "error", "msg": "No such product"}


async def open_sale(body: bytes) -> tuple[int, dict[str, object]]:
    """Set the stock of a product."""
    sale = SALE.decode(body)
    await _Redis.client.set("one:stock:" + sale.productId, sale.quantity)
    return 200, {"status": "ok", "msg": f"Stock initialized for {sale.productId} to {sale.quantity}"}


def new_order_id() -> str:
    """A UUIDv7: 48 bits of milliseconds, then chance."""
    chance = int.from_bytes(os.urandom(10))
    number = (time.time_ns() // 1_000_000) << 80 | chance
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


async def _read_body(receive: Receive) -> bytes | None:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            return None
        if not message.get("more_body"):
            return body


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            pool = BlockingConnectionPool.from_url(SETTINGS.redis_at, max_connections=REDIS_CONNECTIONS, protocol=3)
            _Redis.client = Redis(connection_pool=pool)
            _Redis.script = _Redis.client.register_script(SOURCE)
            await send({"type": "lifespan.startup.complete"})
        else:
            await _Redis.client.aclose()
            await send({"type": "lifespan.shutdown.complete"})
            return
