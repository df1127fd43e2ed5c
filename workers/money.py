"""The arithmetic of an order: pure, in Decimal, and rounded once."""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

CENT = Decimal("0.01")


class Promo(NamedTuple):
    """What a promo code takes off: so many percent, or an amount; the other is None."""

    percent: Decimal | None = None
    amount: Decimal | None = None


class Sums(NamedTuple):
    """What an order comes to; `total` is what is paid."""

    subtotal: Decimal
    discount: Decimal
    total: Decimal


def add_up(lines: Iterable[tuple[Decimal, int]], promo: Promo | None = None) -> Sums:
    """What these lines (price in whole cents, quantity) come to. A discount never takes more than there is."""
    subtotal = sum((price * quantity for price, quantity in lines), Decimal("0.00"))
    discount = Decimal("0.00")
    if promo is not None and promo.percent is not None:
        # An order has 16 digits at most, so the 28 of Decimal hold its product: nothing is rounded but the discount.
        discount = (subtotal * promo.percent / 100).quantize(CENT, ROUND_HALF_UP)
    elif promo is not None and promo.amount is not None:
        discount = promo.amount
    discount = min(discount, subtotal)
    return Sums(subtotal, discount, subtotal - discount)


def share(lines: Iterable[tuple[Decimal, int]], subtotal: Decimal, total: Decimal) -> Decimal:
    """What was paid for these lines of an order that comes to `subtotal`, and to `total` with its discount."""
    part = sum((price * quantity for price, quantity in lines), Decimal("0.00"))
    return (total * part / subtotal).quantize(CENT, ROUND_HALF_UP) if subtotal else subtotal
