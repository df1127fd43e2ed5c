"""Orders, their keys, the wallet and the stock.

All of it lives in the memory of this process, and is gone with it: whoever asks a sandbox that was started again for an
order is told that there is none. Ids of orders begin with the time, so no two lives of it give the same.
"""

import secrets
import time
from dataclasses import dataclass, field
from typing import Literal

from fluxgate.sandbox.g2a.catalogue import Catalogue
from fluxgate.sandbox.g2a.control import Control
from fluxgate.sandbox.replies import Refused

Status = Literal["new", "pending", "completed", "failed", "lapsed"]
# Beyond this, orders are refused until a reset; some 100 MB of them.
ORDERS_MAX = 100_000
UNITS_MAX = 100
# How long the export API keeps a unit for an order that nobody has paid.
RESERVED_S = 1_800.0
# Without I, O, 0 and 1, which are easily taken for each other.
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
ORDER_PREFIX = "8"


@dataclass
class Order:
    """An order. Amounts are in cents, times in seconds of Unix time."""

    id: str
    api: Literal["contract", "export"]
    product: int
    product_id: str
    quantity: int
    price_cents: int
    reference: str
    at: float
    status: Status = "new"
    is_paid: bool = False
    completed_at: float = 0.0
    keys: list[str] = field(default_factory=list[str])
    is_key_taken: bool = False

    @property
    def total_cents(self) -> int:
        """What it costs."""
        return self.price_cents * self.quantity


class Trade:
    """Buying and selling, over one catalogue and one wallet."""

    def __init__(self, catalogue: Catalogue, control: Control) -> None:
        self._catalogue = catalogue
        self._control = control
        self._last_id = 0
        self.orders: dict[str, Order] = {}
        self.references: dict[str, list[Order]] = {}

    def place(self, api: Literal["contract", "export"], product_id: str, quantity: int, reference: str) -> Order:
        """Keep units for an order that is not paid yet. Raises Refused."""
        product = self._catalogue.find(product_id)
        if product is None:
            raise Refused(400, "INVALID_PRODUCT", f"There is no product {product_id[:20]!r}.")
        if len(self.orders) >= ORDERS_MAX:
            raise Refused(503, "SANDBOX_FULL", f"The sandbox holds {ORDERS_MAX} orders; reset it.")
        self._release_lapsed(product)
        left = 0 if self._catalogue.is_removed(product) else self._catalogue.quantity(product)
        if left < quantity or not self._catalogue.is_for_sale(product):
            raise Refused(402, "OUT_OF_STOCK", f"Of product {product_id}, {left} units can be bought.")
        price = self._catalogue.price_cents(product)
        order = Order(self._next_id(), api, product, product_id, quantity, price, reference, time.time())
        self._catalogue.touch(product).taken += quantity
        self.orders[order.id] = order
        if reference:
            self.references.setdefault(reference, []).append(order)
        return order

    def pay(self, order: Order) -> None:
        """Take the money. Raises Refused where it does not suffice; the order then keeps its units."""
        if order.is_paid:
            return
        if self._control.wallet_cents < order.total_cents:
            raise Refused(402, "INSUFFICIENT_FUNDS", "The wallet has too little money.")
        self._control.wallet_cents -= order.total_cents
        order.is_paid = True
        order.status = "pending"

    def finish(self, order: Order) -> None:
        """Complete a paid order, or let it fail where that was asked for."""
        if order.status != "pending":
            return
        if self._control.fail_orders:
            self._control.fail_orders -= 1
            self._control.wallet_cents += order.total_cents
            self._give_back(order, "failed")
            return
        order.status = "completed"
        order.completed_at = time.time()
        given = self._control.deliver_keys
        order.keys = [_key() for _ in range(order.quantity if given is None else min(given, order.quantity))]

    def lapse(self, order: Order) -> bool:
        """Whether an order was not paid in time; its unit is given back."""
        if order.status == "new" and time.time() > order.at + RESERVED_S:
            self._give_back(order, "lapsed")
        return order.status == "lapsed"

    def drop(self, order: Order) -> None:
        """Take an order back that came to nothing."""
        self._give_back(order, "failed")
        del self.orders[order.id]
        if order.reference:
            self.references[order.reference].remove(order)

    def _release_lapsed(self, product: int) -> None:
        # The oldest come first, so that the look ends at the first that is still in time.
        for order in self.orders.values():
            if time.time() <= order.at + RESERVED_S:
                return
            if order.product == product:
                self.lapse(order)

    def _give_back(self, order: Order, status: Status) -> None:
        order.status = status
        self._catalogue.touch(order.product).taken -= order.quantity

    def _next_id(self) -> str:
        # Milliseconds have 13 digits for the next 260 years.
        self._last_id = max(self._last_id + 1, int(time.time() * 1000))
        return f"{ORDER_PREFIX}{self._last_id}"


def _key() -> str:
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(5)) for _ in range(3))
