"""Everything that one seller has, and how it moves on."""

import time
from itertools import islice
from typing import Any

from fluxgate.sandbox.amazon.control import CHANGES_MAX, DAY_S, Advance, Control
from fluxgate.sandbox.amazon.events import Events
from fluxgate.sandbox.amazon.orders import Orders
from fluxgate.sandbox.amazon.products import Products
from fluxgate.sandbox.amazon.stock import Warehouse
from fluxgate.sandbox.replies import Refused

# The data reach from so long before the start of the sandbox until a little before it: Amazon tells nothing of the last
# two minutes.
REACHES_S = 60 * DAY_S
SETTLED_S = 180
COUNTS = ("orders_changed", "orders_new", "events_new", "events_late", "skus_gone", "skus_changed", "skus_new")


class Seller:
    """A seller's orders, events and SKUs."""

    def __init__(self, seller_id: str, control: Control, started: int) -> None:
        self.id = seller_id
        begins, ends = started - REACHES_S, started - SETTLED_S
        products = Products(seller_id, control.skus, control.is_ugly)
        self.orders = Orders(products, control.orders, begins, ends)
        self.events = Events(self.orders, control.events, control.sales, begins, ends)
        self.warehouse = Warehouse(products, begins, ends)

    def advance(self, wanted: Advance) -> dict[str, Any]:
        """Let time do its work; what it did, in ids. Raises Refused where too much would differ from the computed."""
        asked = sum(getattr(wanted, name) for name in COUNTS)
        if asked + self.orders.changes + self.events.changes + self.warehouse.changes > CHANGES_MAX:
            raise Refused(400, "", f"More than {CHANGES_MAX} rows would have moved; reset the sandbox.")
        at = int(time.time()) - wanted.age_s
        late = at - wanted.late_days * DAY_S
        there = self.warehouse.numbers
        changed = range(self.orders.by_update.count - 1, -1, -1)[: wanted.orders_changed]
        for number in changed:
            self.orders.change(number, at)
        gone = there[: wanted.skus_gone]
        for number in gone:
            self.warehouse.remove(number)
        others = list(islice(reversed(there[wanted.skus_gone :]), wanted.skus_changed))
        for number in others:
            self.warehouse.change(number, at)
        return {
            "orders_changed": [self.orders.id_of(number) for number in changed],
            "orders_new": [self.orders.id_of(self.orders.add(at)) for _ in range(wanted.orders_new)],
            "events_new": [self.events.claims.add(at) for _ in range(wanted.events_new)],
            "events_late": [self.events.claims.add(late) for _ in range(wanted.events_late)],
            "skus_gone": [self.warehouse.stock(number).sku for number in gone],
            "skus_changed": [self.warehouse.stock(number).sku for number in others],
            "skus_new": [self.warehouse.stock(self.warehouse.add(at)).sku for _ in range(wanted.skus_new)],
        }
