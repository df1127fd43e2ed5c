"""The caller of `admit.lua`: packs a batch of orders and reads, and unpacks one answer for each."""

from enum import IntEnum
from typing import Any, NamedTuple

from lua.keys import LaneKeys, product_digest
from lua.scripts import Client, Runner, call

NANO = 1_000_000_000
FIXED_KEYS = ("bucket", "outbox", "figures")


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
    """The answers to a batch in its order (orders, then reads), and the state of the bucket after it."""

    answers: list[Answer]
    wait_us: int
    tokens: int


async def admit(
    client: Client | Runner, keys: LaneKeys, limits: Limits, orders: list[Order], reads: list[Read]
) -> Verdict:
    """Decide a batch in one atomic step. Status reads (those with a digest) must come first among the reads."""
    products: dict[str, int] = {}
    clients: dict[str, int] = {}
    with_clients = limits.client_rate_per_s > 0
    of_orders: list[Any] = []
    of_reads: list[Any] = []
    record_keys: list[str] = []
    for order in orders:
        product = products.setdefault(order.product_id, len(products) + 1)
        visitor = clients.setdefault(order.client, len(clients) + 1) if with_clients else 0
        of_orders += (product, visitor, order.quantity, order.buyer, order.order_id, order.payload)
        record_keys.append(keys.order(order.digest))
    status_count = 0
    for read in reads:
        if read.digest:
            status_count += 1
            record_keys.append(keys.order(read.digest))
        product = products.setdefault(read.product_id, len(products) + 1) if read.product_id else 0
        visitor = clients.setdefault(read.client, len(clients) + 1) if with_clients else 0
        of_reads += (product, visitor)
    all_keys = [keys.bucket, keys.outbox, keys.figures]
    for product_id in products:
        all_keys += keys.product(product_digest(product_id))
    all_keys += [keys.client(address) for address in clients]
    all_keys += record_keys
    args = [keys.events, *_rates(limits), len(products), len(clients), len(orders), status_count, len(reads)]
    reply = await call(client, "admit", all_keys, args + of_orders + of_reads)
    answers = [Answer(reply[i], reply[i + 1]) for i in range(0, len(reply) - 2, 2)]
    return Verdict(answers, reply[-2], reply[-1])


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
