"""What the scripts do, in plain Python: a lane without Redis, small enough to be believed by reading it."""

from dataclasses import dataclass, field

import lua
from lua import CancelStatus, Status


@dataclass
class Sale:
    """A running sale."""

    epoch: int
    total: int
    limit: int
    left: int
    accepted: int = 0
    returned: int = 0
    bought: dict[str, int] = field(default_factory=dict)


@dataclass
class Record:
    """The record of an order. `ends` once its outcome is known to Postgres."""

    order: lua.Order
    epoch: int
    state: str = "accepted"
    ends: bool = False


@dataclass(eq=False)
class Entry:
    """An entry of the outbox: what it is, its orders, and the id that Redis gave it."""

    kind: str
    orders: list[lua.Order]
    name: str = ""

    @property
    def commands(self) -> int:
        """How many commands the backlog counts for it."""
        return max(1, len(self.orders))


@dataclass
class Model:
    """The state of a lane."""

    backlog_max: int
    sales: dict[str, Sale] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    outbox: list[Entry] = field(default_factory=list)

    @property
    def backlog(self) -> int:
        return sum(entry.commands for entry in self.outbox)

    def open(self, product: str, total: int, limit: int, epoch: int) -> None:
        """Whatever the product had before is closed."""
        self.sales[product] = Sale(epoch, total, limit, total)
        self.outbox.append(Entry("opened", []))

    def admit(self, batch: list[lua.Order]) -> list[tuple[Status, object]]:
        """Decide a batch; it becomes one entry."""
        waiting, accepted = self.backlog, list[lua.Order]()
        answers = [self._decide(order, waiting, accepted) for order in batch]
        if accepted:
            self.outbox.append(Entry("orders", accepted))
        return answers

    def _decide(self, order: lua.Order, waiting: int, accepted: list[lua.Order]) -> tuple[Status, object]:
        record, sale = self.records.get(order.digest), self.sales.get(order.product_id)
        if record:
            same = record.order.payload == order.payload
            return (Status.REPLAYED, record.order.order_id.encode()) if same else (Status.MISMATCH, 0)
        if sale is None:
            return Status.UNKNOWN_PRODUCT, 0
        if waiting + len(accepted) >= self.backlog_max:
            return Status.BACKLOGGED, waiting + len(accepted)
        had = sale.bought.get(order.buyer, 0)
        if sale.limit and had + order.quantity > sale.limit:
            return Status.LIMIT_REACHED, sale.limit
        if sale.left < order.quantity:
            return Status.SOLD_OUT, sale.left
        sale.left -= order.quantity
        sale.accepted += order.quantity
        sale.bought[order.buyer] = had + order.quantity
        self.records[order.digest] = Record(order, sale.epoch)
        accepted.append(order)
        return Status.ACCEPTED, 0

    def cancel(self, order: lua.Order) -> tuple[CancelStatus, object]:
        """Give an order's units back, once."""
        record = self.records.get(order.digest)
        if record is None or record.order.order_id != order.order_id:
            return CancelStatus.ABSENT, 0
        if record.state == "cancelled":
            return CancelStatus.CANCELLED, 0
        if record.state == "failed":
            return CancelStatus.FORBIDDEN, b"e"
        record.state, record.ends = "cancelled", False
        self._give_back(record)
        self.outbox.append(Entry("cancelled", [record.order]))
        return CancelStatus.CANCELLED, 1

    def settle(self, entry: Entry, letter: str) -> None:
        """Settle an entry, all of whose orders met the same outcome."""
        self.outbox.remove(entry)
        for order in entry.orders:
            record = self.records.get(order.digest)
            if record is None or record.order.order_id != order.order_id:
                continue
            if entry.kind == "cancelled":
                record.ends = True
            elif record.state == "accepted":
                record.state, record.ends = ("persisted" if letter == lua.PERSISTED else "failed"), True
                if letter == lua.FAILED:
                    self._give_back(record)

    def _give_back(self, record: Record) -> None:
        sale = self.sales[record.order.product_id]
        if sale.epoch == record.epoch:
            quantity = record.order.quantity
            sale.left += quantity
            sale.returned += quantity
            sale.bought[record.order.buyer] -= quantity
