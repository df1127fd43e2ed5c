"""What a client that reads everything must have, in flat rows: the proof of a sync."""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, Literal

from fluxgate.sandbox.amazon import finances_v0
from fluxgate.sandbox.amazon.chance import instant
from fluxgate.sandbox.amazon.finances_2024 import status_of, transaction_id
from fluxgate.sandbox.amazon.orders_2026 import STATUSES
from fluxgate.sandbox.amazon.seller import Seller

Part = Literal["claims", "inventory", "orders", "items"]


def rows(seller: Seller, part: Part, order_id: str, first: int, limit: int) -> dict[str, Any]:
    """Some rows of a part, and how many there are in all."""
    match part:
        case "claims":
            return _some(range(seller.events.claims.count), lambda n: _claim(seller, n), first, limit)
        case "inventory":
            return _some(seller.warehouse.numbers, lambda n: _stock(seller, n), first, limit)
        case "orders":
            return _some(range(seller.orders.by_purchase.count), lambda n: _order(seller, n), first, limit)
        case "items":
            number = seller.orders.find(order_id) if order_id else None
            numbers = (
                range(seller.orders.by_purchase.count) if not order_id else [n for n in (number,) if n is not None]
            )
            found = list(chain.from_iterable(_items(seller, n) for n in numbers))
            return {"total": len(found), "rows": found[first : first + limit]}


def _some(numbers: Any, row: Callable[[int], dict[str, Any]], first: int, limit: int) -> dict[str, Any]:
    return {"total": len(numbers), "rows": [row(number) for number in numbers[first : first + limit]]}


def _claim(seller: Seller, number: int) -> dict[str, Any]:
    event = seller.events.claim(number)
    # Of some kinds v0 tells neither order nor date.
    in_v0 = finances_v0.document(event)
    return {
        "number": number,
        "list": f"{event.kind}EventList",
        "order_id": event.order_id,
        "posted_at": instant(event.at),
        "order_id_v0": in_v0.get("AmazonOrderId"),
        "posted_at_v0": in_v0.get("PostedDate"),
        "skus": [event.sku],
        "amount": f"{event.amount:f}",
        "parts": [[name, f"{amount:f}"] for name, amount in event.parts],
        "currency": event.currency,
        "reason": event.reason,
        "reference": event.reference,
        "transaction_id": transaction_id(seller.id, event),
        "transaction_status": status_of(event),
    }


def _stock(seller: Seller, number: int) -> dict[str, Any]:
    stock = seller.warehouse.stock(number)
    return {
        "number": number,
        "sku": stock.sku,
        "asin": stock.asin,
        "fnsku": stock.fnsku,
        "name": stock.name,
        "available": stock.available,
        "reserved": stock.reserved,
        "inbound": sum(stock.inbound),
        "total": stock.total,
        "condition": stock.condition,
        "updated_at": instant(stock.updated_at),
    }


def _order(seller: Seller, number: int) -> dict[str, Any]:
    order = seller.orders.order(number)
    return {
        "number": number,
        "order_id": order.id,
        "purchased_at": instant(order.purchased_at),
        "updated_at": instant(order.updated_at),
        "status": order.status,
        "status_2026": STATUSES[order.status],
        "channel": order.channel,
        "total": None if order.total is None else f"{order.total:f}",
        "currency": None if order.total is None else order.currency,
        "shipped": order.shipped,
        "unshipped": order.unshipped,
    }


def _items(seller: Seller, number: int) -> Iterator[dict[str, Any]]:
    order = seller.orders.order(number)
    for item in order.items:
        yield {
            "order_id": order.id,
            "item_id": item.id,
            "asin": item.asin,
            "sku": item.sku,
            "title": item.title,
            "ordered": item.ordered,
            "shipped": item.shipped,
            "price": None if item.price is None else f"{item.price:f}",
            "tax": None if item.tax is None else f"{item.tax:f}",
            "currency": None if item.price is None else order.currency,
        }
