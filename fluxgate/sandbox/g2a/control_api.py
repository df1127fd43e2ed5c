"""The routes of tests and of the curious: what goes wrong, what was asked, what was bought, and webhooks by hand."""

import uuid
from typing import Any

import msgspec
from msgspec import UNSET

from fluxgate.sandbox.faults import Faults
from fluxgate.sandbox.g2a.control import MOVES_MAX, OWN_PRODUCTS_MAX, Control, Product, ProductChanges, Webhook
from fluxgate.sandbox.g2a.signing import Event
from fluxgate.sandbox.g2a.state import State
from fluxgate.sandbox.g2a.trade import Order
from fluxgate.sandbox.replies import Refused, bounded, converted, decoded, ok
from fluxgate.sandbox.serving import Reply, Request

# Orders and webhooks whose time is still to come; each order is one at most, so that these leave room for webhooks.
WAITING_MAX = 110_000
# Of one answer.
LIST_MAX = 20_000


async def live(state: State, request: Request) -> Reply:
    """GET /livez"""
    return ok({"status": "ok"})


async def show_control(state: State, request: Request) -> Reply:
    """GET /sandbox/control"""
    return ok(state.control)


async def change_control(state: State, request: Request) -> Reply:
    """PUT /sandbox/control: changes what is named, and answers how the sandbox behaves now.

    What is left out stays as it is, and nothing is changed where something is refused. `products` is what is set for
    single products.
    """
    given = decoded(request, dict[str, Any])
    products = converted({"products": given.pop("products", [])}, ProductChanges).products
    control = converted(msgspec.to_builtins(state.control) | given, Control)
    numbers = [_number(state, product) for product in products]
    if len(set(numbers) | set(state.catalogue.own)) > OWN_PRODUCTS_MAX:
        raise Refused(400, "", f"More than {OWN_PRODUCTS_MAX} products would differ from the catalogue; reset it.")
    if control.day < state.catalogue.day:
        raise Refused(400, "", f"The catalogue has come to day {state.catalogue.day}, and days do not go back.")
    if control.day > state.catalogue.day:
        if len(state.catalogue.moves) >= MOVES_MAX:
            raise Refused(400, "", f"The catalogue has been moved {MOVES_MAX} times; reset it.")
        state.catalogue.move_to(control.day)
    if control.size != state.catalogue.size:
        state.catalogue.resize(control.size)
    if "faults" in given:
        state.faults = Faults(control.faults)
    # In place, because others hold it.
    for name in Control.__struct_fields__:
        setattr(state.control, name, getattr(control, name))
    for number, product in zip(numbers, products, strict=True):
        _set(state, number, product)
    return ok(state.control)


async def show_journal(state: State, request: Request) -> Reply:
    """GET /sandbox/journal?limit="""
    return ok(state.journal.document(bounded(request, "limit", LIST_MAX)))


async def list_orders(state: State, request: Request) -> Reply:
    """GET /sandbox/orders?offset=&limit=: every order that was made, the oldest first."""
    first = bounded(request, "offset", 0)
    last = first + bounded(request, "limit", LIST_MAX)
    orders = list(state.trade.orders.values())
    return ok({"total": len(orders), "orders": [_document(order) for order in orders[first:last]]})


async def list_webhooks(state: State, request: Request) -> Reply:
    """GET /sandbox/webhooks: the last deliveries, the oldest first."""
    sent = state.webhooks
    return ok({"total": sent.sent, "deliveries": [delivery._asdict() for delivery in sent.deliveries]})


async def send_webhook(state: State, request: Request) -> Reply:
    """POST /sandbox/webhooks: sends one and answers what was answered; one with a delay is sent later."""
    wanted = decoded(request, Webhook)
    payload = {"status": wanted.status} if wanted.payload is None else wanted.payload
    event = Event(wanted.event_id or str(uuid.uuid4()), wanted.order_id, wanted.type, msgspec.json.encode(payload))
    if wanted.delay_s:
        if state.waiting >= WAITING_MAX:
            raise Refused(503, "", f"The sandbox has {WAITING_MAX} things under way; reset it.")
        state.later(_send_later(state, event, wanted))
        return ok({"event_id": event.id, "deliveries": []}, 202)
    deliveries = await state.webhooks.send(event, wanted)
    return ok({"event_id": event.id, "deliveries": [delivery._asdict() for delivery in deliveries]})


async def _send_later(state: State, event: Event, wanted: Webhook) -> None:
    await state.webhooks.send(event, wanted)


def _set(state: State, number: int, product: Product) -> None:
    own = state.catalogue.touch(number)
    for name in ("quantity", "price_cents", "is_removed", "broken"):
        value = getattr(product, name)
        if value is not UNSET:
            setattr(own, name, value)
    if product.quantity is not UNSET:
        # What is set is what is left from now on, whatever was sold before.
        own.taken = 0


def _number(state: State, product: Product) -> int:
    number = state.catalogue.find(product.id)
    if number is None:
        raise Refused(400, "", f"There is no product {product.id[:20]!r}.")
    return number


def _document(order: Order) -> dict[str, Any]:
    return {
        "orderId": order.id,
        "api": order.api,
        "reference": order.reference,
        "productId": order.product_id,
        "quantity": order.quantity,
        "status": order.status,
        "paid": order.is_paid,
        "totalCents": order.total_cents,
        "keysCount": len(order.keys),
        "keys": order.keys,
        "at": round(order.at, 3),
    }
