"""The export API as G2A itself has it: an order is one unit, reserved, then paid, and its key is given out once."""

import hmac
import re
import uuid
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated

import msgspec
from msgspec import Meta

from fluxgate.sandbox.g2a.catalogue import TIME_FORM, amount
from fluxgate.sandbox.g2a.listing import Filter
from fluxgate.sandbox.g2a.state import State
from fluxgate.sandbox.g2a.trade import Order
from fluxgate.sandbox.replies import Refused, ok
from fluxgate.sandbox.serving import Reply, Request

PAGE_SIZE = 20
PAGE_MAX = 500
NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,2})?")
# What G2A says of an order that came to nothing is not documented; this is our own word.
STATUSES = {"new": "new", "pending": "pending", "completed": "complete", "failed": "failed", "lapsed": "failed"}


class Wanted(msgspec.Struct):
    """The body of POST /order."""

    product_id: Annotated[str, Meta(max_length=64)]
    currency: Annotated[str, Meta(max_length=3)] = "EUR"
    max_price: Annotated[float, Meta(ge=0, le=1_000_000)] | None = None


def check(state: State, request: Request) -> None:
    """Raise Refused unless the one header proves who asks."""
    given = request.headers.get("authorization")
    if given is None:
        raise Refused(403, "AUTH01", "Authorization header is missing")
    known_hash, known_key, email = state.settings.g2a_credentials
    proof = sha256(f"{known_hash}{email}{known_key}".encode()).hexdigest()
    if not hmac.compare_digest(given.encode(), f"{known_hash}, {proof}".encode()):
        raise Refused(401, "AUTH02", "Wrong Authorization header")


async def list_products(state: State, request: Request) -> Reply:
    """GET /v1/products"""
    given = request.query
    page = _integer(given.get("page", "1"))
    if not 1 <= page <= PAGE_MAX:
        raise Refused(400, "BR02", f"page is from 1 to {PAGE_MAX}")
    if "id" in given:
        product = state.catalogue.find(given["id"])
        found = [] if product is None or state.catalogue.is_removed(product) else [product]
        total = len(found)
    else:
        wanted = _filter(given)
        if wanted == Filter():
            total, found = state.listing.page(page, PAGE_SIZE)
        else:
            total, found = await state.listing.filtered(wanted, page, PAGE_SIZE)
    return ok({"total": total, "page": page, "docs": [state.catalogue.document(product) for product in found]})


async def place_order(state: State, request: Request) -> Reply:
    """POST /v1/order: one unit is kept for half an hour, and nothing is paid."""
    try:
        wanted = msgspec.json.decode(request.body, type=Wanted)
    except msgspec.DecodeError as error:
        raise Refused(400, "BR01", str(error)) from None
    try:
        order = state.trade.place("export", wanted.product_id, 1, "")
    except Refused as refused:
        raise Refused(404 if refused.status < 500 else refused.status, "ORD02", refused.message) from None
    if wanted.max_price is not None and order.price_cents > round(wanted.max_price * 100):
        state.trade.drop(order)
        raise Refused(404, "ORD02", "The product is not available at this price")
    return ok({"order_id": order.id, "price": amount(order.price_cents), "currency": wanted.currency})


async def pay_order(state: State, request: Request, order_id: str) -> Reply:
    """PUT /v1/order/pay/{id}: to pay what is paid changes nothing."""
    order = _find(state, order_id)
    if state.trade.lapse(order):
        raise Refused(403, "ORD114", "Payment is too late")
    if not order.is_paid:
        try:
            state.trade.pay(order)
        except Refused:
            raise Refused(403, "ORD112", "Not enough funds") from None
        state.complete(order)
    return ok({"status": True, "transaction_id": str(uuid.uuid5(uuid.NAMESPACE_OID, order.id))})


async def show_order(state: State, request: Request, order_id: str) -> Reply:
    """GET /v1/order/details/{id}"""
    order = _find(state, order_id)
    state.trade.lapse(order)
    return ok({"status": STATUSES[order.status], "price": amount(order.price_cents), "currency": "EUR"})


async def take_key(state: State, request: Request, order_id: str) -> Reply:
    """GET /v1/order/key/{id}: the key, once."""
    order = _find(state, order_id)
    if not order.is_paid:
        raise Refused(402, "ORD05", "Payment is required")
    if order.is_key_taken:
        raise Refused(400, "ORD004", "Order key has been downloaded already")
    if not order.keys:
        raise Refused(403, "ORD03", "Order is not processed yet")
    order.is_key_taken = True
    return ok({"key": order.keys[0], "isFile": False})


def _find(state: State, order_id: str) -> Order:
    order = state.trade.orders.get(order_id)
    if order is None or order.api != "export":
        raise Refused(404, "ORD02", "Order not found")
    return order


def _filter(given: dict[str, str]) -> Filter:
    quantity_min = _integer(given["minQty"]) if "minQty" in given else None
    if given.get("includeOutOfStock", "false").lower() not in ("true", "1"):
        quantity_min = max(1, quantity_min or 0)
    return Filter(
        quantity_min or None,
        _cents(given.get("minPriceFrom")),
        _cents(given.get("minPriceTo")),
        _moment(given.get("updatedAtFrom")),
        _moment(given.get("updatedAtTo")),
    )


def _integer(text: str) -> int:
    if not NUMBER.fullmatch(text) or "." in text:
        raise Refused(400, "BR02", f"{text[:20]!r} is no number")
    return int(text)


def _cents(text: str | None) -> int | None:
    if text is None:
        return None
    if not NUMBER.fullmatch(text):
        raise Refused(400, "BR02", f"{text[:20]!r} is no price")
    return round(float(text) * 100)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, TIME_FORM).replace(tzinfo=UTC)
    except ValueError:
        raise Refused(400, "BR02", f"{text[:30]!r} is no time such as 2026-01-31 12:00:00") from None
