"""What moves money between Amazon and a seller, computed from numbers: claims, and sales, which are none.

Two of 25 claims are alike in everything, as those of Amazon can be: no event of it has an id of its own.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from fluxgate.sandbox.amazon.chance import digest
from fluxgate.sandbox.amazon.orders import Orders
from fluxgate.sandbox.amazon.timeline import Timeline, spread

# Every kind is among the first twenty claims.
KINDS = (
    *("Adjustment", "Refund", "Adjustment", "ServiceFee", "Refund", "Adjustment", "SAFETReimbursement"),
    *("GuaranteeClaim", "Adjustment", "Refund", "Chargeback", "Adjustment", "ChargeRefund", "Refund", "Adjustment"),
    *("Retrocharge", "ServiceFee", "FBALiquidation", "Refund", "Adjustment"),
)
ADJUSTMENTS = (
    *("FBAInventoryReimbursement", "LostOrDamagedReimbursement", "CanceledButPickedUpReimbursement", "PostageRefund"),
    *("ReimbursementClawback", "PostageBilling", "ReserveEvent", "SellerRewards", "WAREHOUSE_LOST", "SomethingNew"),
)
TAKEN = ("ReimbursementClawback", "PostageBilling", "ReserveEvent")
TWINS = 25
TWIN = 5
TINY = 33
TINY_AMOUNT = Decimal("1E-7")
YEN = 17


class Event(NamedTuple):
    """Money that moved. `parts` are its named amounts; `reason` is what Amazon says of it; `at` in seconds."""

    number: int
    kind: str
    at: int
    order_id: str
    asin: str
    sku: str
    name: str
    quantity: int
    currency: str
    parts: Sequence[tuple[str, Decimal]]
    reason: str
    # What tells it from others where Amazon has an id for it.
    reference: str

    @property
    def amount(self) -> Decimal:
        """All of it."""
        return sum((amount for _, amount in self.parts), Decimal(0))


class Events:
    """The claims and the sales of a seller."""

    def __init__(self, orders: Orders, claims: int, sales: int, begins: int, ends: int) -> None:
        self._base = claims
        self._orders = orders
        self._products = orders.products
        times = spread(claims, begins, ends)
        self.claims = Timeline(claims, lambda number: times(original(number)))
        self.sales = Timeline(sales, spread(sales, begins, ends))

    @property
    def changes(self) -> int:
        """Claims that have come since."""
        return self.claims.count - self._base

    def claim(self, number: int) -> Event:
        """One claim."""
        same = original(number) if number < self._base else number
        return self._event(KINDS[same % len(KINDS)], same)._replace(number=number, at=self.claims.at(number))

    def sale(self, number: int) -> Event:
        """One sale."""
        return self._event("Shipment", number)._replace(at=self.sales.at(number))

    def _event(self, kind: str, number: int) -> Event:
        by_chance = digest(self._products.seller, kind, number)
        order = int.from_bytes(by_chance[:4], "big") % max(1, self._orders.base)
        product = int.from_bytes(by_chance[4:8], "big") % max(1, self._products.count)
        is_yen = number % YEN == 3
        cents = 50 + int.from_bytes(by_chance[8:10], "big") % 20_000
        amount = Decimal(cents) if is_yen else Decimal(cents) / 100
        if number % TINY == 11:
            amount = TINY_AMOUNT
        reason = ADJUSTMENTS[by_chance[10] % len(ADJUSTMENTS)] if kind == "Adjustment" else kind.upper()
        return Event(
            number,
            kind,
            0,
            self._orders.id_of(order),
            self._products.asin(product),
            self._products.sku(product),
            self._products.name(product),
            1 + by_chance[11] % 4,
            "JPY" if is_yen else ("USD", "USD", "USD", "EUR")[by_chance[12] % 4],
            _parts(kind, amount, reason in TAKEN),
            reason,
            by_chance.hex()[40:52].upper(),
        )


def original(number: int) -> int:
    """The claim that this one is alike with in everything; itself, mostly."""
    return number - 1 if number % TWINS == TWIN else number


def _parts(kind: str, amount: Decimal, is_taken: bool) -> Sequence[tuple[str, Decimal]]:
    match kind:
        case "Shipment":
            return (("Principal", amount), ("Commission", -share(amount)))
        case "Refund" | "GuaranteeClaim" | "Chargeback":
            return (("Principal", -amount), ("RefundCommission", share(amount)))
        case "FBALiquidation":
            return (("Proceeds", amount), ("Fee", -share(amount)))
        case "Retrocharge":
            return (("BaseTax", amount), ("ShippingTax", share(amount)))
        case "ServiceFee":
            return (("FBAStorageFee", -amount), ("FBADisposalFee", -share(amount)))
        case _:
            return (("Amount", -amount if is_taken else amount),)


def share(amount: Decimal) -> Decimal:
    """A part of an amount that has no more digits than it; none of one that cannot be divided."""
    unit = Decimal(1).scaleb(min(0, int(amount.as_tuple().exponent)))
    return (amount / 8).quantize(unit)
