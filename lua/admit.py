"""The caller of `admit.lua`: packs a batch of orders and reads, and unpacks one answer for each."""

from enum import IntEnum
from functools import partial
from typing import Any, NamedTuple

import msgspec

from lua.keys import LaneKeys, product_digest
from lua.scripts import Client, Runner, call

NANO = 1_000_000_000
FIXED_KEYS = ("bucket", "outbox", "figures")
PER_ORDER = 6
AT_ORDER_ID = 4
_encode = msgspec.msgpack.Encoder().encode


class Status(IntEnum):
    """What `admit.lua` says of one request; the header of the script tells what each detail is."""

    ACCEPTED = 1
    REPLAYED = 2
    MISMATCH = 3
    THROTTLED = 4
    LIMIT_REACHED = 5
    SOLD_OUT = 6
    UNKNOWN_PRODUCT = 7
    NOT_READY = 8
    BACKLOGGED = 9
    FOUND = 10
    ABSENT = 11


class Order(NamedTuple):
    """One order that wants to be admitted. `digest` is of its idempotency key, `payload` its encoded form."""

    product_id: str
    quantity: int
    buyer: str
    digest: str
    order_id: str
    payload: bytes
    client: str


class Read(NamedTuple):
    """A request that takes a token and reads: an order's record, a product's stock, or nothing at all.

    Exactly one of `digest` and `product_id` is set, or neither.
    """

    digest: str
    product_id: str
    client: str


class Answer(NamedTuple):
    """The decision on one request. `detail` is an int or bytes, as the script's header says."""

    status: int
    detail: Any


class Limits(NamedTuple):
    """The rates of a lane: tokens per second and capacity in tokens, for the lane and for each client (0: off)."""

    rate_per_s: float
    burst: int
    client_rate_per_s: float
    backlog_max: int


class Verdict(NamedTuple):
    """The answers to a batch in its order (orders, then reads), what is left of each product in it (-1: no sale is
    ready), and the state of the bucket after it."""

    answers: list[Answer]
    left: dict[str, int]
    wait_us: int
    tokens: int


class Batch:
    """Requests for one call, packed as they come, so that nothing of one order has to be touched again."""

    __slots__ = ("_clients", "_keys", "_orders", "_products", "_reads", "_record", "_records", "_with_clients", "size")

    def __init__(self, keys: LaneKeys, *, with_clients: bool = False) -> None:
        self.size = 0
        self._keys = keys
        self._record = keys.order("")
        self._with_clients = with_clients
        self._products: dict[str, int] = {}
        self._clients: dict[str, int] = {}
        self._orders: list[Any] = []
        self._records: list[str] = []
        self._reads: list[Read] = []

    def add(
        self, product_id: str, quantity: int, buyer: str, digest: str, order_id: str, payload: bytes, client: str
    ) -> int:
        """Add an order, see Order; gives its place."""
        place = self.size
        self.size = place + 1
        product = self._products.get(product_id) or self._number(self._products, product_id)
        visitor = self._number(self._clients, client) if self._with_clients else 0
        self._orders += (product, visitor, quantity, buyer, order_id, payload.decode())
        self._records.append(self._record + digest)
        return place

    def add_reads(self, reads: list[Read]) -> None:
        """Add the reads of this call, once, those with a digest first."""
        self._reads = reads

    @property
    def order_ids(self) -> list[str]:
        """The ids of the orders, in their order."""
        return self._orders[AT_ORDER_ID::PER_ORDER]

    def pack(self, limits: Limits, diverted: int, sold_out: int) -> tuple[list[str], list[Any]]:
        """The keys and arguments of the call."""
        status_count = 0
        requests, records = self._orders.copy(), self._records.copy()
        for read in self._reads:
            if read.digest:
                status_count += 1
                records.append(self._record + read.digest)
            product = self._number(self._products, read.product_id) if read.product_id else 0
            requests += (product, self._number(self._clients, read.client) if self._with_clients else 0)
        keys = [self._keys.bucket, self._keys.outbox, self._keys.figures]
        for product_id in self._products:
            keys += self._keys.product(product_digest(product_id))
        keys += map(self._keys.client, self._clients)
        keys += records
        counts = (len(self._products), len(self._clients), self.size, status_count, len(self._reads))
        channels = (self._keys.events, self._keys.gates)
        return keys, [*channels, *_rates(limits), *counts, diverted, sold_out, _encode(requests)]

    def unpack(self, reply: list[Any]) -> Verdict:
        """What the script said."""
        told = 2 * (self.size + len(self._reads))
        # What `Answer(*pair)` does, without a call in Python for each.
        answers = list(map(partial(tuple.__new__, Answer), zip(reply[0:told:2], reply[1:told:2], strict=True)))
        left = dict(zip(self._products, reply[told:-2], strict=True))
        return Verdict(answers, left, reply[-2], reply[-1])

    @staticmethod
    def _number(names: dict[str, int], name: str) -> int:
        return names.setdefault(name, len(names) + 1)


async def decide(
    client: Client | Runner, limits: Limits, batch: Batch, diverted: int = 0, sold_out: int = 0
) -> Verdict:
    """Decide a batch in one atomic step. `diverted` and `sold_out` count what was refused from memory meanwhile."""
    return batch.unpack(await call(client, "admit", *batch.pack(limits, diverted, sold_out)))


async def admit(
    client: Client | Runner, keys: LaneKeys, limits: Limits, orders: list[Order], reads: list[Read]
) -> Verdict:
    """Decide orders and reads in one atomic step. Status reads (those with a digest) must come first."""
    batch = Batch(keys, with_clients=limits.client_rate_per_s > 0)
    for order in orders:
        batch.add(*order)
    batch.add_reads(reads)
    return await decide(client, limits, batch)


def _rates(limits: Limits) -> list[int]:
    """Refill in nano-tokens per microsecond (thousandths of a token per second) and capacity in nano-tokens."""
    client_burst = max(1, int(limits.client_rate_per_s))
    return [
        max(1, round(limits.rate_per_s * 1000)),
        limits.burst * NANO,
        max(1, round(limits.client_rate_per_s * 1000)),
        client_burst * NANO,
        limits.backlog_max,
    ]
