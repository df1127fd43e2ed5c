"""The API as the contract of this project has it, with what is needed to find the outcome of an order again."""

import hmac
import time
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from fluxgate.sandbox.g2a.catalogue import amount
from fluxgate.sandbox.g2a.state import State
from fluxgate.sandbox.g2a.trade import UNITS_MAX, Order
from fluxgate.sandbox.replies import Refused, ok
from fluxgate.sandbox.serving import Reply, Request

PAGE_SIZE = 50
PAGE_SIZE_MAX = 100
# How far the clock of a client may be off.
TOLERANCE_S = 300
STATUSES = {"new": "pending", "pending": "pending", "completed": "completed", "failed": "failed", "lapsed": "failed"}


class Wanted(msgspec.Struct):
    """The body of POST /orders. `reference` is the buyer's own name for it, and need not be unique."""

    productId: Annotated[str, Meta(max_length=64)]
    quantity: Annotated[int, Meta(ge=1, le=UNITS_MAX)] = 1
    reference: Annotated[str, Meta(max_length=64)] = ""


def check(state: State, request: Request) -> None:
    """Raise Refused unless the four headers prove who asks."""
    known_hash, known_key, _ = state.settings.g2a_credentials
    given = request.headers
    timestamp = given.get("x-g2a-timestamp", "")
    proof = sha256(f"{known_hash}{known_key}{timestamp}".encode()).hexdigest()
    pairs = (("x-api-hash", known_hash), ("x-api-key", known_key), ("x-g2a-hash", proof))
    if not all(hmac.compare_digest(given.get(name, "").encode(), value.encode()) for name, value in pairs):
        raise Refused(401, "UNAUTHORIZED", "X-API-HASH, X-API-KEY and X-G2A-Hash do not belong together.")
    if not timestamp.isascii() or not timestamp.isdigit() or abs(time.time() - int(timestamp[:15])) > TOLERANCE_S:
        raise Refused(401, "UNAUTHORIZED", f"X-G2A-Timestamp is not within {TOLERANCE_S} s of now.")


async def list_products(state: State, request: Request) -> Reply:
    """GET /contract/products"""
    size = min(_number(request, "perPage", PAGE_SIZE), PAGE_SIZE_MAX)
    page = _number(request, "page", 1)
    total, found = state.listing.page(page, size)
    meta = {"currentPage": page, "lastPage": max(1, -(-total // size)), "perPage": size, "total": total}
    return ok({"data": [state.catalogue.document(product) for product in found], "meta": meta})


async def show_product(state: State, request: Request, product_id: str) -> Reply:
    """GET /contract/products/{id}"""
    product = state.catalogue.find(product_id)
    if product is None or state.catalogue.is_removed(product):
        raise Refused(404, "NOT_FOUND", "There is no such product.")
    return ok(state.catalogue.document(product))


async def place_order(state: State, request: Request) -> Reply:
    """POST /contract/orders"""
    try:
        wanted = msgspec.json.decode(request.body, type=Wanted)
    except msgspec.DecodeError as error:
        raise Refused(400, "BAD_REQUEST", str(error)) from None
    order = state.trade.place("contract", wanted.productId, wanted.quantity, wanted.reference)
    try:
        state.trade.pay(order)
    except Refused:
        state.trade.drop(order)
        raise
    state.complete(order)
    return ok(_document(order))


async def find_orders(state: State, request: Request) -> Reply:
    """GET /contract/orders?reference="""
    reference = request.query.get("reference", "")
    if not reference:
        raise Refused(400, "BAD_REQUEST", "Orders are found by their reference.")
    return ok({"data": [_document(order) for order in state.trade.references.get(reference, ())]})


async def show_order(state: State, request: Request, order_id: str) -> Reply:
    """GET /contract/orders/{id}"""
    order = state.trade.orders.get(order_id)
    if order is None:
        raise Refused(404, "NOT_FOUND", "There is no such order.")
    return ok(_document(order))


def _document(order: Order) -> dict[str, Any]:
    at = datetime.fromtimestamp(order.completed_at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "orderId": order.id,
        "status": STATUSES[order.status],
        "keys": [
            {"key": key, "productId": order.product_id, "orderId": order.id, "purchaseDate": at} for key in order.keys
        ],
        "totalPrice": amount(order.total_cents),
        "currency": "EUR",
        "reference": order.reference,
    }


def _number(request: Request, name: str, default: int) -> int:
    given = request.query.get(name, str(default))
    if not given.isascii() or not given.isdigit() or not 1 <= int(given[:10]) <= 100_000_000:
        raise Refused(400, "BAD_REQUEST", f"{name} is a number from 1.")
    return int(given[:10])
