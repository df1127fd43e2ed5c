"""What the scripts do, in plain Python: a lane without Redis, small enough to be believed by reading it."""

from dataclasses import dataclass, field, replace

import lua
from lua import CancelStatus, Status

DEAD = "dead"
"""The outcome of a command that no worker could handle."""


@dataclass
class Sale:
    """A running sale. One that is `lost` has neither books nor stock, and waits to be opened anew."""

    epoch: int
    total: int
    limit: int
    left: int
    accepted: int = 0
    returned: int = 0
    bought: dict[str, int] = field(default_factory=dict)
    lost: bool = False


@dataclass
class Record:
    """The record of an order. `ends` once its outcome is known to Postgres."""

    order: lua.Order
    epoch: int
    at_us: int
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
    """The state of a lane. `firsts` are the orders that Postgres knows each key by, as they stand there."""

    backlog_max: int
    sales: dict[str, Sale] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    firsts: dict[str, Record] = field(default_factory=dict)
    outbox: list[Entry] = field(default_factory=list)
    dead: list[Entry] = field(default_factory=list)

    @property
    def backlog(self) -> int:
        return sum(entry.commands for entry in self.outbox)

    def open(self, product: str, total: int, limit: int, now_us: int) -> int:
        """Whatever the product had before is closed; gives the epoch, which ascends whatever the clock does."""
        before = self.sales.get(product)
        epoch = max(now_us, before.epoch + 1 if before else 0)
        self.sales[product] = Sale(epoch, total, limit, total)
        self.outbox.append(Entry("opened", []))
        return epoch

    def admit(self, batch: list[lua.Order], now_us: int) -> list[tuple[Status, object]]:
        """Decide a batch; it becomes one entry."""
        waiting, accepted = self.backlog, list[lua.Order]()
        answers = [self._decide(order, waiting, accepted, now_us) for order in batch]
        if accepted:
            self.outbox.append(Entry("orders", accepted))
        return answers

    def _decide(self, order: lua.Order, waiting: int, accepted: list[lua.Order], now_us: int) -> tuple[Status, object]:
        record, sale = self.records.get(order.digest), self.sales.get(order.product_id)
        if record:
            same = record.order.payload == order.payload
            return (Status.REPLAYED, record.order.order_id.encode()) if same else (Status.MISMATCH, 0)
        if sale is None:
            return Status.UNKNOWN_PRODUCT, 0
        if sale.lost:
            return Status.NOT_READY, 0
        if waiting + len(accepted) >= self.backlog_max:
            return Status.BACKLOGGED, waiting + len(accepted)
        if sale.left == 0:
            return Status.SOLD_OUT, 0
        had = sale.bought.get(order.buyer, 0)
        if sale.limit and had + order.quantity > sale.limit:
            return Status.LIMIT_REACHED, sale.limit
        if sale.left < order.quantity:
            return Status.SOLD_OUT, sale.left
        sale.left -= order.quantity
        sale.accepted += order.quantity
        sale.bought[order.buyer] = had + order.quantity
        self.records[order.digest] = Record(order, sale.epoch, now_us)
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

    def settle(self, entry: Entry, letters: list[str]) -> None:
        """Settle an entry, each of its orders with its outcome."""
        self.outbox.remove(entry)
        for order, letter in zip(entry.orders, letters, strict=True):
            record = self.records.get(order.digest)
            if letter == DEAD:
                self.dead.append(Entry(entry.kind, [order]))
            elif record is None or record.order.order_id != order.order_id:
                continue
            elif entry.kind == "cancelled":
                record.ends = True
                self._remember(record)
            elif record.state == "accepted":
                self._settle_order(record, letter)

    def _settle_order(self, record: Record, letter: str) -> None:
        record.state, record.ends = ("persisted" if letter == lua.PERSISTED else "failed"), True
        if letter == lua.FAILED:
            self._give_back(record)
        if letter == lua.PERSISTED:
            self._remember(record)
        elif record.order.digest in self.firsts:
            # The key is answered with the order that it made first.
            self.records[record.order.digest] = replace(self.firsts[record.order.digest], ends=True)

    def _remember(self, record: Record) -> None:
        first = self.firsts.setdefault(record.order.digest, replace(record))
        if first.order.order_id == record.order.order_id:
            first.state = record.state

    def replay(self, corpse: Entry) -> None:
        """A dead command is on its way again, alone."""
        self.dead.remove(corpse)
        self.outbox.append(corpse)

    def forget(self, digest: str) -> None:
        """The record of a settled order comes to its end."""
        del self.records[digest]

    def lose(self, product: str) -> None:
        """Sale and stock are gone, and somebody has noted it."""
        sale = self.sales[product]
        self.sales[product] = Sale(sale.epoch, sale.total, 0, 0, lost=True)

    def _give_back(self, record: Record) -> None:
        sale = self.sales[record.order.product_id]
        if sale.epoch == record.epoch and not sale.lost:
            quantity = record.order.quantity
            sale.left += quantity
            sale.returned += quantity
            sale.bought[record.order.buyer] -= quantity
