"""Orders of the store: POST and GET /api/orders, GET /api/orders/{id}, POST /api/orders/{id}/cancel, and promo codes.

An order is cached under its id, and with its owner inside: whoever else asks for it is answered by the worker, which
tells him the same as of one that there is not.
"""

from urllib.parse import parse_qsl

import msgspec

from contract.order_ids import parse_order_id
from contract.store_orders import OneOrder, OrderBody, OrdersPage, PlaceOrder, PromoBody, PutPromoCode, is_promo_code
from gateway.asking import answered, asked, read_document
from gateway.cached_reads import Terms, read_cached
from gateway.envelope import enveloped, refuse
from gateway.gate import Call
from gateway.head import KEY_NAMES, MISSING_KEY, idempotency_key
from gateway.identity import admin, person
from gateway.replying import NO_STORE, Refused, Reply

WORKER = "orders"
ORDER_EXAMPLE = '{"items":[{"gameId":"half-life","quantity":1}]}'
PROMO_EXAMPLE = '{"percent":10,"validUntil":"2030-01-01T00:00:00Z","usesMax":100}'
OWN = Terms(5, 30)
"""What somebody does himself is seen at once, and what becomes of his order as soon as it is written."""
FIRST_PAGE = OrdersPage()
REPLAYED = ("idempotent-replayed", "true")


class _Owned(msgspec.Struct, rename="camel"):
    user_id: str


class _Shown(msgspec.Struct):
    data: _Owned


_shown = msgspec.json.Decoder(_Shown)
_bodies = msgspec.json.Decoder(OrderBody)
_promos = msgspec.json.Decoder(PromoBody)


async def place_order(call: Call) -> Reply:
    """POST /api/orders: 201 with the order that was made, 200 with the one that this key has made before."""
    who = person(call)
    body = await read_document(call, _bodies, ORDER_EXAMPLE)
    wanted = PlaceOrder(body.items, _key(call, body.idempotency_key), body.promo_code)
    reply = await asked(call, WORKER, "place_order", wanted, who)
    return enveloped(call.request_id, reply, NO_STORE, *((REPLAYED,) if reply.status == 200 else ()))


async def read_orders(call: Call) -> Reply:
    """GET /api/orders: a page of the caller's own, the newest first."""
    who = person(call)
    try:
        given = dict(parse_qsl(call.scope.query_string, strict_parsing=bool(call.scope.query_string)))
        page = msgspec.convert(given, OrdersPage, strict=False)
    except ValueError:
        refuse(call.request_id, 400, "BAD_REQUEST", "Ask for a page such as ?page=1&limit=20.")
    if page != FIRST_PAGE:
        return await answered(call, WORKER, "read_orders", page, who)
    return await read_cached(call, f"user:{who.user_id}:orders", WORKER, "read_orders", page, OWN, who)


async def read_order(call: Call) -> Reply:
    """GET /api/orders/{id}: one of the caller's own."""
    who, order_id = person(call), call.params["order_id"]
    wanted = OneOrder(order_id)
    if parse_order_id(order_id) is not None:
        cached = await read_cached(call, f"order:{order_id}", WORKER, "read_order", wanted, OWN, who)
        if cached.status not in (200, 404) or (cached.status == 200 and _owner(cached) == who.user_id):
            return cached
        # A 404 may be what the worker has told somebody else, who asked at the same moment.
    return await answered(call, WORKER, "read_order", wanted, who)


async def cancel_order(call: Call) -> Reply:
    """POST /api/orders/{id}/cancel: money and stock go back, once; repeated, it says the same."""
    return await answered(call, WORKER, "cancel_order", OneOrder(call.params["order_id"]), person(call))


async def put_promo_code(call: Call) -> Reply:
    """PUT /api/promo-codes/{code}: an administrator writes a promo code, new or anew."""
    who, code = admin(call), call.params["code"]
    if not is_promo_code(code):
        message = "A promo code has 1 to 32 letters, digits, hyphens and underscores."
        refuse(call.request_id, 400, "BAD_REQUEST", message)
    promo = await read_document(call, _promos, PROMO_EXAMPLE)
    return await answered(call, WORKER, "put_promo_code", PutPromoCode(code, promo), who)


def _owner(shown: Reply) -> str:
    return _shown.decode(shown.body).data.user_id


def _key(call: Call, in_body: str | None) -> str:
    """The idempotency key of an order, from the head of the request or from its body."""
    in_head = None
    if any(name in call.headers for name in KEY_NAMES):
        try:
            in_head = idempotency_key(call.headers)
        except Refused as error:
            # The sale says this in a form of its own.
            if error.reply is not MISSING_KEY:
                raise
    if in_head is not None and in_body is not None and in_head != in_body:
        message = "The head of the request and its body carry two different idempotency keys; send one."
        refuse(call.request_id, 400, "BAD_REQUEST", message)
    key = in_head or in_body
    if key is None:
        message = "Send a key of your own in the header Idempotency-Key, such as a UUID, and repeat the order with it."
        refuse(call.request_id, 400, "MISSING_IDEMPOTENCY_KEY", message)
    return key
