"""Random histories of sales, as Redis and Postgres would hold them at one instant: the input of the books.

A history is played on a small world of two stores and the outbox between them. Each command is settled, or pending, or
written but not yet settled, or dead-lettered, as the die falls; whatever it is, no unit may be missing.
"""

import random
from dataclasses import dataclass, field
from typing import Any

from contract.messages import Order, OrderAccepted, OrderCancelled, SaleOpened
from lua import SaleBooks
from workers.books import Books, Transit, compare

SaleKey = tuple[str, int]


@dataclass
class Running:
    """A sale in Redis."""

    epoch: int
    total: int
    left: int
    accepted: int = 0
    returned: int = 0


@dataclass
class Row:
    """A row of `orders`."""

    sale: SaleKey
    quantity: int
    state: str = "persisted"
    reason: str = ""


@dataclass
class Opened:
    """A row of `sales`."""

    total: int
    closed_left: int | None = None
    closed_returned: int | None = None
    sold: int = 0


@dataclass
class World:
    """Redis, Postgres, and what is on its way between them."""

    redis: dict[str, Running] = field(default_factory=dict)
    transit: Transit = field(default_factory=Transit)
    sales: dict[SaleKey, Opened] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    epoch: int = 0

    def books(self) -> list[Books]:
        """What the proof says of this world."""
        sales = [
            SaleBooks(name, sale.epoch, sale.total, sale.accepted, sale.returned, sale.left)
            for name, sale in self.redis.items()
        ]
        known = {*self.transit.accepted, *self.transit.cancelled}
        states = {order_id: row.state for order_id, row in self.rows.items() if order_id in known}
        return compare(sales, self.transit, [self._row(key) for key in self.sales], states)

    def faults(self) -> list[str]:
        """What the proof complains of."""
        return [book.fault for book in self.books() if book.fault]

    def _row(self, key: SaleKey) -> dict[str, Any]:
        sale = self.sales[key]
        rows = [row for row in self.rows.values() if row.sale == key]
        units = {state: sum(row.quantity for row in rows if row.state == state) for state in STATES}
        return {
            "product_id": key[0],
            "epoch": key[1],
            "total": sale.total,
            "sold_counter": sale.sold,
            "closed_left": sale.closed_left,
            "closed_returned": sale.closed_returned,
            "orders": len(rows),
            "units": sum(units.values()),
            "cancelled": units["cancelled"],
            "failed": units["failed"],
            "oversold": 0,
            "sold_now": units["persisted"] + units["fulfilled"],
        }


STATES = ("persisted", "fulfilled", "cancelled", "failed")


class Player:
    """Plays a history; `progress` is the chance that the worker has dealt with a command, once it may."""

    def __init__(self, seed: int, progress: float = 0.6) -> None:
        self.world = World()
        self._random = random.Random(seed)
        self._progress = progress
        self._orders: dict[str, OrderAccepted] = {}
        self._cancelled: set[str] = set()

    def play(self, steps: int) -> World:
        """A history of so many steps."""
        for name in ("ps5", "xbox"):
            self.open(name, self._random.randint(0, 30))
        for _ in range(steps):
            name = self._random.choice(("ps5", "xbox"))
            action = self._random.random()
            if action < 0.06:
                self.open(name, self._random.randint(0, 30))
            elif action < 0.7:
                self.accept(name, self._random.randint(1, 4))
            elif self._orders:
                self.cancel(self._random.choice(list(self._orders)))
        return self.world

    def open(self, name: str, total: int) -> None:
        """A new epoch, which closes the running one."""
        world, old = self.world, self.world.redis.get(name)
        world.epoch += 1
        closed = (old.epoch, old.left, old.returned) if old else (0, -1, 0)
        world.redis[name] = Running(world.epoch, total, total)
        command = SaleOpened(name, world.epoch, total, 0, *closed, opened_us=world.epoch)
        # Epochs of a product are opened in their order.
        early = old is not None and (name, old.epoch) not in world.sales
        if self._waits() or early:
            world.transit.opened.append(command)
            # Handled already, and only not settled yet; or not handled either.
            if early or self._random.random() < 0.5:
                return
        before = world.sales.get((name, closed[0]))
        if before:
            before.closed_left, before.closed_returned = closed[1:]
        world.sales[name, world.epoch] = Opened(total)

    def accept(self, name: str, quantity: int) -> None:
        """An order, if there are units for it."""
        sale = self.world.redis[name]
        if sale.left < quantity:
            return
        sale.left -= quantity
        sale.accepted += quantity
        order_id = f"order-{len(self._orders)}"
        command = OrderAccepted(order_id, sale.epoch, 1, Order(name, "ann", quantity, order_id))
        self._orders[order_id] = command
        key = name, sale.epoch
        waits = self._waits() or key not in self.world.sales
        if waits:
            self.world.transit.accepted[order_id] = command
        if key in self.world.sales and (not waits or self._random.random() < 0.5):
            self._write(command, settled=not waits)

    def cancel(self, order_id: str) -> None:
        """The units of an order go back, once."""
        command, row = self._orders[order_id], self.world.rows.get(order_id)
        if order_id in self._cancelled or (
            row and row.state == "failed" and order_id not in self.world.transit.accepted
        ):
            return
        if row and row.state == "fulfilled":
            return
        self._cancelled.add(order_id)
        self._give_back(command)
        waits = self._waits() or row is None
        cancelled = OrderCancelled(order_id, command.epoch, 2, command.order)
        if waits:
            self.world.transit.cancelled[order_id] = cancelled
        if row and row.state == "persisted" and (not waits or self._random.random() < 0.5):
            row.state = "cancelled"
            self.world.sales[row.sale].sold -= row.quantity

    def _write(self, command: OrderAccepted, *, settled: bool) -> None:
        key = command.order.product_id, command.epoch
        quantity = command.order.quantity
        if self._random.random() < 0.1:
            self.world.rows[command.order_id] = Row(key, quantity, "failed", "duplicate: the key has ordered before")
            # The units go back when the entry is settled.
            if settled:
                self._give_back(command)
            return
        state = "fulfilled" if settled and self._random.random() < 0.2 else "persisted"
        self.world.rows[command.order_id] = Row(key, quantity, state)
        self.world.sales[key].sold += quantity

    def _give_back(self, command: OrderAccepted) -> None:
        sale = self.world.redis[command.order.product_id]
        if sale.epoch == command.epoch:
            sale.left += command.order.quantity
            sale.returned += command.order.quantity

    def _waits(self) -> bool:
        return self._random.random() > self._progress
